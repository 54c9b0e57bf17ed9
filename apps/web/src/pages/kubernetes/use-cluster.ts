import type { ClusterHealth, PodQuery } from '@hangar/contract';
import { useQuery } from '@tanstack/react-query';
import { useApi } from '../../api/client.tsx';
import { type Loadable, loadable } from '../../api/loadable.ts';
import { POLL_MS, type Shown, useClusterLive } from '../../modules/kubernetes/use-cluster-live.ts';

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
