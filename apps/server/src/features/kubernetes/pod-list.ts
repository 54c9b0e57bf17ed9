import { POD_STATES, type Pod, type PodQuery, type PodSort, type PodState } from '@hangar/contract';
import { type PodRow, podKey, type Used } from './cluster.ts';
import { rounded } from './node-list.ts';

export interface PodFilter {
  readonly namespace: string | undefined;
  readonly states: ReadonlySet<PodState> | null;
  readonly nodeName: string | undefined;
  /** In lower case. */
  readonly search: string;
}

export function filterOf(query: Pick<PodQuery, 'namespace' | 'status' | 'nodeName' | 'search'>): PodFilter {
  const { status } = query;
  return {
    namespace: query.namespace,
    states: status === undefined ? null : new Set(Array.isArray(status) ? status : [status]),
    nodeName: query.nodeName,
    search: (query.search ?? '').toLowerCase(),
  };
}

export function fits(row: PodRow, filter: PodFilter): boolean {
  if (filter.namespace !== undefined && row.namespace !== filter.namespace) return false;
  if (filter.nodeName !== undefined && row.nodeName !== filter.nodeName) return false;
  if (filter.states !== null && !filter.states.has(row.state)) return false;
  return filter.search === '' || holds(row, filter.search);
}

function holds(row: PodRow, text: string): boolean {
  // Names in Kubernetes are in lower case already; so are ids of jobs.
  return (
    row.name.includes(text) ||
    row.namespace.includes(text) ||
    `${row.namespace}/${row.name}`.includes(text) ||
    (row.nodeName?.includes(text) ?? false) ||
    (row.ownerName?.includes(text) ?? false) ||
    (row.jobId?.includes(text) ?? false) ||
    row.status.toLowerCase().includes(text) ||
    (row.reason?.toLowerCase().includes(text) ?? false)
  );
}

type Compare = (a: PodRow, b: PodRow) => number;

const RANK = Object.fromEntries(POD_STATES.map((state, rank) => [state, rank])) as Record<PodState, number>;
const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byName: Compare = (a, b) => text(a.namespace, b.namespace) || text(a.name, b.name);
const newestFirst: Compare = (a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0);

/** Pods that have no value of what is sorted by come last either way. */
function lastWithout(value: (row: PodRow) => string | number | null, compare: (a: PodRow, b: PodRow) => number) {
  return (sign: number): Compare =>
    (a, b) => {
      const [left, right] = [value(a), value(b)];
      if (left === null || right === null) return (left === null ? 1 : 0) - (right === null ? 1 : 0);
      return sign * compare(a, b);
    };
}

/** The order of a list, total: two pods never change places for nothing. */
export function orderOf(sort: PodSort, use: ReadonlyMap<string, Used> | null): Compare {
  const sign = sort.startsWith('-') ? -1 : 1;
  const used = usedIn(use);
  // What was measured and what was asked for are not set against each other.
  const cpu = (row: PodRow) => (use === null ? row.cpuRequested : (used(row)?.cpu ?? null));
  const memory = (row: PodRow) => (use === null ? row.memoryRequested : (used(row)?.memory ?? null));
  const orders: Record<string, (sign: number) => Compare> = {
    // Who waits longest is first; of all others the newest.
    attention: (s) => (a, b) =>
      s * (RANK[a.state] - RANK[b.state] || (a.state === 'pending' ? -newestFirst(a, b) : newestFirst(a, b))),
    name: (s) => (a, b) => s * (text(a.name, b.name) || text(a.namespace, b.namespace)),
    namespace: (s) => (a, b) => s * byName(a, b),
    node: lastWithout(
      (row) => row.nodeName,
      (a, b) => text(a.nodeName ?? '', b.nodeName ?? ''),
    ),
    age: (s) => (a, b) => s * newestFirst(a, b),
    restarts: (s) => (a, b) => s * (b.restarts - a.restarts || (b.restartedAt ?? 0) - (a.restartedAt ?? 0)),
    cpu: lastWithout(cpu, (a, b) => (cpu(b) ?? 0) - (cpu(a) ?? 0)),
    memory: lastWithout(memory, (a, b) => (memory(b) ?? 0) - (memory(a) ?? 0)),
  };
  const order = orders[sort.replace('-', '')]?.(sign) ?? newestFirst;
  return (a, b) => order(a, b) || byName(a, b);
}

/** Up to this many rows from the start of the order are found without sorting the rest. */
const SELECT_MOST = 1000;

/** Rows `offset` to `offset + limit` in the order. Most pages are near the start: 30,000 rows are not sorted for 50. */
export function pageInOrder(rows: PodRow[], compare: Compare, offset: number, limit: number): PodRow[] {
  const wanted = offset + limit;
  if (wanted > SELECT_MOST || wanted * 8 > rows.length) return rows.sort(compare).slice(offset, wanted);
  // The best so far stand in `best` until it is full twice over; then the worse half is dropped.
  let best: PodRow[] = [];
  let worst: PodRow | null = null;
  for (const row of rows) {
    if (worst !== null && compare(row, worst) >= 0) continue;
    best.push(row);
    if (best.length < wanted * 4) continue;
    best = best.sort(compare).slice(0, wanted);
    worst = best.at(-1) ?? null;
  }
  return best.sort(compare).slice(offset, wanted);
}

const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** A row as people and programs see it. */
export function podOf(row: PodRow, used: Used | undefined): Pod {
  return {
    uid: row.uid,
    namespace: row.namespace,
    name: row.name,
    state: row.state,
    status: row.status,
    reason: row.reason,
    ready: row.ready,
    containers: row.containers,
    restarts: row.restarts,
    restartedAt: time(row.restartedAt),
    nodeName: row.nodeName,
    createdAt: time(row.createdAt),
    owner: row.ownerKind === null || row.ownerName === null ? null : { kind: row.ownerKind, name: row.ownerName },
    jobId: row.jobId,
    cpu: { requested: rounded(row.cpuRequested), limit: rounded(row.cpuLimit), used: rounded(used?.cpu) },
    memory: { requested: row.memoryRequested, limit: row.memoryLimit, used: used?.memory ?? null },
  };
}

/** Where each pod's use is looked up. */
export const usedIn =
  (use: ReadonlyMap<string, Used> | null) =>
  (row: PodRow): Used | undefined =>
    use?.get(podKey(row));
