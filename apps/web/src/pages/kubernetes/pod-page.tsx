import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useStreams } from '../../api/streams/streams.tsx';
import { tabOf, tabParameter } from '../../components/detail/detail-page.tsx';
import type { LineRange } from '../../components/log/log-link.ts';
import { podCommand } from '../../modules/kubernetes/cluster-commands.ts';
import { NoLogYet, PodLog } from '../../modules/kubernetes/pod-log.tsx';
import { PodLogReader } from '../../modules/kubernetes/pod-log-reader.ts';
import { POD_TABS, PodView } from '../../modules/kubernetes/pod-view.tsx';

const route = getRouteApi('/app/operations/kubernetes/pods/$namespace/$name');

/** A pod is asked for again so often: its events are not watched. */
const AGAIN_MS = 3_000;

export function PodPage() {
  const { namespace, name } = route.useParams();
  return <OnePod key={`${namespace}/${name}`} namespace={namespace} name={name} />;
}

function OnePod({ namespace, name }: { namespace: string; name: string }) {
  const api = useApi();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { context } = search;
  const tab = tabOf(POD_TABS, search.tab);
  const pod = useQuery({
    ...api.kubernetes.pod.queryOptions({ input: { namespace, name, ...(context === undefined ? {} : { context }) } }),
    // Under the same name another pod may come, as those of a StatefulSet do.
    refetchInterval: ({ state }) => (state.error === null ? AGAIN_MS : 5 * AGAIN_MS),
  });
  const container = search.container ?? pod.data?.runs.find(({ kind }) => kind === 'container')?.name ?? null;
  const run = pod.data?.runs.find(({ name: one }) => one === container);
  const hasLog = run === undefined || run.restarts > 0 || run.state === 'running' || run.state === 'terminated';
  const previous = search.previous === '1';
  const go = (next: Partial<typeof search>) =>
    void navigate({ search: { ...search, ...next }, replace: true, resetScroll: false });
  return (
    <PodView
      pod={loadable(pod)}
      context={context}
      tab={tab}
      onTab={(next) => go({ tab: tabParameter(POD_TABS, next) })}
      container={container}
      previous={previous}
      onLogOf={(next, isPrevious) => go({ container: next ?? undefined, previous: isPrevious ? '1' : undefined })}
      command={podCommand(namespace, name, context)}
      log={
        container === null || tab !== 'log' ? null : hasLog || previous ? (
          <FollowedLog
            // Started again, a container has another log; the same reader would go on in the old one.
            key={`${pod.data?.uid} ${container} ${previous} ${run?.restarts ?? 0}`}
            href={`/api/k8s/pods/${namespace}/${name}/log`}
            label={`${container} in ${namespace}/${name}`}
            query={{
              container,
              ...(context === undefined ? {} : { context }),
              ...(previous ? { previous: 'true' } : {}),
            }}
          />
        ) : (
          <NoLogYet container={container} />
        )
      }
    />
  );
}

interface FollowedLogProps {
  href: string;
  label: string;
  query: Readonly<Record<string, string>>;
}

function FollowedLog({ href, label, query }: FollowedLogProps) {
  const streams = useStreams();
  const [reader] = useState(
    () => new PodLogReader(streams, `${href}?${new URLSearchParams({ ...query, follow: 'true' })}`),
  );
  const [marked, setMarked] = useState<LineRange | null>(null);
  useEffect(() => reader.start(), [reader]);
  const reading = useSyncExternalStore(reader.subscribe, reader.snapshot);
  return (
    <PodLog
      label={label}
      buffer={reader.buffer}
      reading={reading}
      onRetry={reader.start}
      href={href}
      query={query}
      marked={marked}
      onMark={setMarked}
    />
  );
}
