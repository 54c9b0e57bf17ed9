import { type ClusterNode, NodeState } from '@hangar/contract';

/** Which nodes the list shows; the same as in the address of the page. */
export interface NodesFilter {
  readonly state: NodeState | null;
  readonly search: string;
}

/** The address of the page, whatever somebody typed there, as a filter. */
export function nodesFilterOf(search: { status?: string | undefined; search?: string | undefined }): NodesFilter {
  const state = NodeState.safeParse(search.status);
  return { state: state.success ? state.data : null, search: search.search ?? '' };
}

export const nodesSearchOf = (filter: NodesFilter, context: string | undefined) => ({
  context,
  status: filter.state ?? undefined,
  search: filter.search === '' ? undefined : filter.search,
});

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
