import { OPERATIONS } from '@hangar/contract/operations';
import { asCommand } from '../../components/actions/as-command.tsx';
import { type PodsFilter, queryOf } from './filter.ts';

const { health, nodes, pod, pods } = OPERATIONS.kubernetes;

/** What is shown of a cluster, as typed in a terminal; of the same cluster. */
export const healthCommand = (context: string | undefined) => asCommand(health, { context });
export const nodesCommand = (context: string | undefined) => asCommand(nodes, { context });
export const podCommand = (namespace: string, name: string, context: string | undefined) =>
  asCommand(pod, { namespace, name, context });

/** The list that is shown. */
export function listCommand(filter: PodsFilter, context: string | undefined) {
  const { limit: _, offset, ...query } = queryOf(filter, context);
  return asCommand(
    pods,
    { ...query, offset: offset === 0 ? undefined : offset },
    {
      ...{ search: filter.search === '' ? undefined : filter.search, reverse: filter.sort.startsWith('-') },
      sort: filter.sort === 'attention' ? undefined : filter.sort.replace('-', ''),
    },
  );
}
