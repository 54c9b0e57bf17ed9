import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { listCommand } from '../../modules/kubernetes/cluster-commands.ts';
import { PODS_FILTER, type PodsFilter, queryOf } from '../../modules/kubernetes/filter.ts';
import { PodsView } from '../../modules/kubernetes/pods-view.tsx';
import { POLL_MS, useCluster } from '../../modules/kubernetes/use-cluster.ts';

const route = getRouteApi('/app/operations/kubernetes/pods');

export function PodsPage() {
  const api = useApi();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { context } = search;
  const filter = PODS_FILTER.read(search);
  const asked = JSON.stringify(queryOf(filter, context));
  const query = useMemo(() => JSON.parse(asked) as ReturnType<typeof queryOf>, [asked]);
  const { health, isOpen } = useCluster(context, ['health', 'pods'], query);
  const pods = useQuery({
    ...api.kubernetes.pods.queryOptions({ input: query, placeholderData: keepPreviousData }),
    refetchInterval: isOpen ? false : POLL_MS,
  });
  const onFilter = useCallback(
    (next: PodsFilter) =>
      void navigate({
        replace: next.page === 1,
        search: { context, ...PODS_FILTER.write(next) },
        resetScroll: next.page !== 1,
      }),
    [navigate, context],
  );
  return (
    <PodsView
      health={health}
      pods={{ ...loadable(pods), refetching: pods.isPlaceholderData }}
      filter={filter}
      onFilter={onFilter}
      context={context}
      onContext={(name) => void navigate({ search: { context: name } })}
      command={listCommand(filter, context)}
    />
  );
}
