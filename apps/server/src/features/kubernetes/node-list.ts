import type { ClusterNode, NodeState, ResourceUse } from '@hangar/contract';
import type { Amounts, NodeRow, PodRow, Used } from './cluster.ts';

/** What the pods of a node, or of the whole cluster, ask for. */
export interface Requests {
  cpu: number;
  memory: number;
  pods: number;
  readonly devices: Map<string, number>;
}

export const noRequests = (): Requests => ({ cpu: 0, memory: 0, pods: 0, devices: new Map() });

/** Pods that have ended hold nothing any more. */
export const holdsResources = (row: PodRow): boolean => row.state !== 'succeeded' && row.state !== 'failed';

export function addRequests(to: Requests, row: PodRow): void {
  to.cpu += row.cpuRequested ?? 0;
  to.memory += row.memoryRequested ?? 0;
  to.pods += 1;
  if (row.devicesRequested === null) return;
  for (const [name, count] of Object.entries(row.devicesRequested))
    to.devices.set(name, (to.devices.get(name) ?? 0) + count);
}

export function requestsByNode(pods: Iterable<PodRow>): Map<string, Requests> {
  const byNode = new Map<string, Requests>();
  for (const row of pods) {
    if (row.nodeName === null || !holdsResources(row)) continue;
    const requests = byNode.get(row.nodeName) ?? noRequests();
    addRequests(requests, row);
    byNode.set(row.nodeName, requests);
  }
  return byNode;
}

/** Whether a node can be counted on, and when not, why. */
export function nodeState(node: Pick<NodeRow, 'conditions' | 'unschedulable'>): {
  state: NodeState;
  reason: string | null;
} {
  const ready = node.conditions.find(({ type }) => type === 'Ready');
  if (ready === undefined || ready.status === 'Unknown')
    return { state: 'unknown', reason: ready?.message || 'The node has not been heard of.' };
  if (ready.status === 'False') return { state: 'not_ready', reason: ready.message || ready.reason };
  const bad = node.conditions.filter(({ ok }) => !ok).map(({ type, message }) => message || type);
  const reason = bad.length === 0 ? null : bad.join('; ');
  if (node.unschedulable)
    return { state: 'unschedulable', reason: ['Cordoned: no new pods come here', ...bad].join('; ') };
  return { state: 'ready', reason };
}

const ORDER: readonly NodeState[] = ['not_ready', 'unknown', 'unschedulable', 'ready'];

/** Nodes as people see them, those that need somebody first. */
export function nodesOf(
  rows: Iterable<NodeRow>,
  pods: Iterable<PodRow> | null,
  use: ReadonlyMap<string, Used> | null,
): ClusterNode[] {
  const requests = pods === null ? null : requestsByNode(pods);
  return [...rows]
    .map((row) => nodeOf(row, requests === null ? null : (requests.get(row.name) ?? noRequests()), use?.get(row.name)))
    .sort(
      (a, b) =>
        ORDER.indexOf(a.state) - ORDER.indexOf(b.state) ||
        (a.reason === null ? 1 : 0) - (b.reason === null ? 1 : 0) ||
        a.name.localeCompare(b.name, 'en', { numeric: true }),
    );
}

function nodeOf(row: NodeRow, requests: Requests | null, used: Used | undefined): ClusterNode {
  const { state, reason } = nodeState(row);
  return {
    name: row.name,
    state,
    reason,
    roles: [...row.roles],
    version: row.version,
    system: row.system,
    runtime: row.runtime,
    address: row.address,
    createdAt: row.createdAt === null ? null : new Date(row.createdAt).toISOString(),
    conditions: [...row.conditions],
    taints: [...row.taints],
    cpu: resource(row.cpu, requests?.cpu, used?.cpu),
    memory: resource(row.memory, requests?.memory, used?.memory),
    pods: resource(row.pods, requests?.pods, requests?.pods),
    devices: row.devices.map((device) => ({
      name: device.name,
      ...resource(device, requests === null ? undefined : (requests.devices.get(device.name) ?? 0), undefined),
    })),
  };
}

/** Sums of fractions, without the noise of the arithmetic. */
export const rounded = (value: number | null | undefined): number | null =>
  value === null || value === undefined ? null : Math.round(value * 10_000) / 10_000;

function resource({ capacity, allocatable }: Amounts, requested?: number, used?: number): ResourceUse {
  return { capacity, allocatable, requested: rounded(requested), used: rounded(used) };
}
