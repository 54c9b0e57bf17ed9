import { jsonOf } from '@hangar/client/frame';
import { ClusterHealth, ClusterNodes, PodPage, type PodQuery } from '@hangar/contract';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useApi } from '../../api/client.tsx';
import { type Loadable, loadable } from '../../api/loadable.ts';
import { useStreams } from '../../api/streams/streams.tsx';

export type Shown = 'health' | 'nodes' | 'pods';

/** While there is no connection, pages ask by themselves. */
export const POLL_MS = 5_000;

/**
 * Keeps what a page of the cluster shows as it is there: one connection that puts each new answer where the queries of the page
 * find it. Answers whether the connection stands; while it does not, let the queries ask again by themselves.
 */
export function useClusterLive(o: {
  context: string | undefined;
  show: readonly Shown[];
  pods?: PodQuery;
  enabled: boolean;
}): { isOpen: boolean } {
  const api = useApi();
  const queries = useQueryClient();
  const streams = useStreams();
  const [isOpen, setOpen] = useState(false);
  const url = liveUrl(o.context, o.show, o.pods);
  const podsInput = JSON.stringify(o.pods ?? null);

  useEffect(() => {
    if (!o.enabled) return;
    const asked = o.context === undefined ? {} : { context: o.context };
    const pods = JSON.parse(podsInput) as PodQuery | null;
    const put = (event: string, data: unknown) => {
      if (event === 'health') {
        const health = ClusterHealth.safeParse(data);
        if (health.success) queries.setQueryData(api.kubernetes.health.queryKey({ input: asked }), health.data);
      } else if (event === 'nodes') {
        const nodes = ClusterNodes.safeParse(data);
        if (nodes.success) queries.setQueryData(api.kubernetes.nodes.queryKey({ input: asked }), nodes.data);
      } else if (event === 'pods' && pods !== null) {
        const page = PodPage.safeParse(data);
        if (page.success) queries.setQueryData(api.kubernetes.pods.queryKey({ input: pods }), page.data);
      }
    };
    const stop = streams.follow(url, 'state', {
      open: () => setOpen(true),
      frame: (frame) => put(frame.event, jsonOf(frame)),
      lost: () => setOpen(false),
      failed: () => setOpen(false),
    });
    return () => {
      stop();
      setOpen(false);
    };
  }, [url, podsInput, o.enabled, o.context, api, queries, streams]);
  return { isOpen };
}

function liveUrl(context: string | undefined, show: readonly Shown[], pods: PodQuery | undefined): string {
  const query = new URLSearchParams({ show: show.join(',') });
  if (context !== undefined) query.set('context', context);
  for (const [name, value] of Object.entries(pods ?? {}))
    if (name !== 'context') for (const one of [value].flat()) query.append(name, String(one));
  return `/api/k8s/live?${query}`;
}

/** Which cluster, and how it stands: what every page of the cluster shows, kept live. */
export function useCluster(
  context: string | undefined,
  show: readonly Shown[],
  pods?: PodQuery,
): { health: Loadable<ClusterHealth>; isOpen: boolean } {
  const api = useApi();
  const health = useQuery({
    ...api.kubernetes.health.queryOptions({ input: context === undefined ? {} : { context } }),
    // The live connection keeps it fresh; while there is none, or nothing to connect to, it is asked for again.
    refetchInterval: ({ state }) => (state.data?.view === null ? POLL_MS : false),
  });
  const live = useClusterLive({
    context,
    show,
    ...(pods === undefined ? {} : { pods }),
    enabled: health.data !== undefined && health.data.view !== null,
  });
  return { health: loadable(health), ...live };
}
