import { type ClusterNode, NodeState } from '@hangar/contract';
import { type FilterOf, listFilter, text } from '../../components/list/list-filter.ts';
import { oneOf } from '../../components/list/list-params.ts';

/** Which nodes the list shows. */
export const NODES_FILTER = listFilter({ state: oneOf('status', NodeState.options), search: text('search') });
export type NodesFilter = FilterOf<typeof NODES_FILTER>;

/** Every word of the search must stand somewhere in what the row says. The page has all nodes, so nobody is asked. */
export function fittingNodes(nodes: readonly ClusterNode[], filter: NodesFilter): ClusterNode[] {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean);
  return nodes.filter((node) => {
    if (filter.state !== null && node.state !== filter.state) return false;
    const said = [node.name, ...node.roles, node.address, node.system, node.version, node.reason];
    const devices = node.devices.map(({ name }) => name);
    const text = [...said, ...devices].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
