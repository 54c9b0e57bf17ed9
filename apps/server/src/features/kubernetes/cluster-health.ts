import { type ClusterHealth, POD_STATES, type PodState, type ResourceUse } from '@hangar/contract';
import { type NodeRow, type PodRow, podKey, type Used } from './cluster.ts';
import { addRequests, holdsResources, nodeState, noRequests, type Requests, rounded } from './node-list.ts';

type Counts = Pick<ClusterHealth, 'nodes' | 'pods' | 'waiting' | 'resources'>;

/** Reasons a health names; there is no use in a list of all. */
const REASONS_MOST = 8;

/** The numbers of a cluster from what is known of it. `null` where something may not be read. */
export function countsOf(
  nodes: readonly NodeRow[] | null,
  pods: Iterable<PodRow> | null,
  use: ReadonlyMap<string, Used> | null,
): Counts {
  const requests = pods === null ? null : noRequests();
  const byState = new Map<PodState, number>(POD_STATES.map((state) => [state, 0]));
  const waiting = new Map<string, { count: number; example: { namespace: string; name: string } }>();
  let total = 0;
  let restarts = 0;
  for (const row of pods ?? []) {
    total += 1;
    restarts += row.restarts;
    byState.set(row.state, (byState.get(row.state) ?? 0) + 1);
    if (requests !== null && row.nodeName !== null && holdsResources(row)) addRequests(requests, row);
    if (row.state !== 'pending' && row.state !== 'failing') continue;
    const reason = likeOthers(row);
    const known = waiting.get(reason);
    if (known) known.count += 1;
    else waiting.set(reason, { count: 1, example: { namespace: row.namespace, name: row.name } });
  }
  return {
    nodes: nodes === null ? null : nodeCounts(nodes),
    pods: pods === null ? null : { total, byState: Object.fromEntries(byState) as Record<PodState, number>, restarts },
    waiting: [...waiting]
      .map(([reason, rest]) => ({ reason, ...rest }))
      .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1))
      .slice(0, REASONS_MOST),
    resources: nodes === null ? null : resources(nodes, requests, use),
  };
}

/** A shorter name may be a word of the reason. */
const NAME_LEAST = 8;

/** What differs between pods that wait for the same thing is left out of the reason: their own names, ids, waits. */
export function likeOthers(row: PodRow): string {
  if (row.reason === null) return row.status;
  const named =
    row.name.length < NAME_LEAST
      ? row.reason
      : row.reason.replaceAll(podKey(row), 'the pod').replaceAll(row.name, 'the pod');
  return named
    .replaceAll(row.uid, '…')
    .replaceAll(/\bpod=the pod\S*/g, '')
    .replaceAll(/\bback-off \S+ restarting/g, 'back-off restarting')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function nodeCounts(nodes: readonly NodeRow[]): NonNullable<ClusterHealth['nodes']> {
  const states = nodes.map((node) => nodeState(node).state);
  const count = (...wanted: string[]) => states.filter((state) => wanted.includes(state)).length;
  return {
    total: nodes.length,
    ready: count('ready', 'unschedulable'),
    notReady: count('not_ready', 'unknown'),
    unschedulable: nodes.filter(({ unschedulable }) => unschedulable).length,
  };
}

function resources(
  nodes: readonly NodeRow[],
  requests: Requests | null,
  use: ReadonlyMap<string, Used> | null,
): NonNullable<ClusterHealth['resources']> {
  const sum = (of: (node: NodeRow) => number) => nodes.reduce((total, node) => total + of(node), 0);
  const used = (of: (used: Used) => number) =>
    use === null || use.size === 0 ? null : [...use.values()].reduce((total, one) => total + of(one), 0);
  const resource = (
    key: 'cpu' | 'memory' | 'pods',
    requested: number | undefined,
    inUse: number | null,
  ): ResourceUse => ({
    capacity: rounded(sum((node) => node[key].capacity)) ?? 0,
    allocatable: rounded(sum((node) => node[key].allocatable)) ?? 0,
    requested: rounded(requested),
    used: rounded(inUse),
  });
  return {
    cpu: resource(
      'cpu',
      requests?.cpu,
      used(({ cpu }) => cpu),
    ),
    memory: resource(
      'memory',
      requests?.memory,
      used(({ memory }) => memory),
    ),
    pods: resource('pods', requests?.pods, requests?.pods ?? null),
  };
}
