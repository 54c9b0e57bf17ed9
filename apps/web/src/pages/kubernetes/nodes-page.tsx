import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { nodesCommand } from '../../modules/kubernetes/cluster-commands.ts';
import { NODES_FILTER } from '../../modules/kubernetes/node-filter.ts';
import { NodesView } from '../../modules/kubernetes/nodes-view.tsx';
import { POLL_MS, useCluster } from '../../modules/kubernetes/use-cluster.ts';

const route = getRouteApi('/app/operations/kubernetes/nodes');

export function NodesPage() {
  const api = useApi();
  const search = route.useSearch();
  const { context } = search;
  const filter = NODES_FILTER.read(search);
  const navigate = route.useNavigate();
  const { health, isOpen } = useCluster(context, ['health', 'nodes']);
  const nodes = useQuery({
    ...api.kubernetes.nodes.queryOptions({ input: context === undefined ? {} : { context } }),
    refetchInterval: isOpen ? false : POLL_MS,
  });
  return (
    <NodesView
      health={health}
      nodes={loadable(nodes)}
      context={context}
      onContext={(name) => void navigate({ search: { context: name } })}
      filter={filter}
      onFilter={(next) => void navigate({ search: { context, ...NODES_FILTER.write(next) }, replace: true })}
      command={nodesCommand(context)}
    />
  );
}
