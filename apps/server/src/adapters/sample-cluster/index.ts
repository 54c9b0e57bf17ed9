import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterEvent, HangarError, type PodContainer } from '@hangar/contract';
import type {
  ClusterReach,
  ClusterSource,
  Followed,
  NodeRow,
  PodLogText,
  PodRow,
  Used,
} from '../../features/kubernetes/index.ts';
import { sampleNodes, samplePods } from './sample-rows.ts';

const CONTEXT = 'sample';

/** A cluster of made-up data, for the demo mode alone; every answer says that it is one. */
export function createSampleCluster(clock: () => number = Date.now): ClusterReach {
  const begun = clock();
  const nodes = new Map(sampleNodes(begun).map((row) => [row.name, row]));
  const pods = new Map(samplePods(begun).map((row) => [`${row.namespace}/${row.name}`, row]));
  const source = sampleSource({ nodes, pods, clock });
  return {
    async places() {
      return {
        source: 'sample',
        contexts: [{ name: CONTEXT, cluster: 'sample data', namespace: 'default', isCurrent: true }],
      };
    },
    async open(context) {
      if (context === undefined || context === CONTEXT) return source;
      throw new HangarError('cluster_not_connected', {
        message: `The demo mode has no context ${context}.`,
        wayOut: `Its only context is ${CONTEXT}.`,
      });
    },
  };
}

interface Sample {
  readonly nodes: ReadonlyMap<string, NodeRow>;
  readonly pods: ReadonlyMap<string, PodRow>;
  readonly clock: () => number;
}

function sampleSource({ nodes, pods, clock }: Sample): ClusterSource {
  const followed = <Row>(rows: ReadonlyMap<string, Row>): Followed<Row> => ({
    rows,
    isWhole: true,
    trouble: null,
    get trueAt() {
      return clock();
    },
    close: () => undefined,
  });
  const found = (namespace: string, name: string): PodRow => {
    const row = pods.get(`${namespace}/${name}`);
    if (row) return row;
    throw new HangarError('pod_not_found', { message: `There is no pod ${name} in namespace ${namespace}.` });
  };

  return {
    context: CONTEXT,
    server: 'sample data',
    isSample: true,
    namespace: 'default',
    version: async () => '1.36.2',
    namespaces: async () => [...new Set([...pods.values()].map(({ namespace }) => namespace))],
    followPods: () => followed(pods),
    followNodes: () => followed(nodes),
    podUse: async () =>
      new Map([...pods].flatMap(([key, row]) => (row.state === 'running' ? [[key, useOf(row)]] : []))),
    async nodeUse() {
      const use = new Map<string, Used>();
      for (const row of pods.values()) {
        if (row.nodeName === null || row.state !== 'running') continue;
        const before = use.get(row.nodeName) ?? { cpu: 0.2, memory: 600e6 };
        const { cpu, memory } = useOf(row);
        use.set(row.nodeName, { cpu: before.cpu + cpu, memory: before.memory + memory });
      }
      return use;
    },
    async pod(namespace, name) {
      const row = found(namespace, name);
      return { row, rest: restOf(row) };
    },
    async events(_namespace, podUid) {
      const row = [...pods.values()].find(({ uid }) => uid === podUid);
      return row ? eventsOf(row) : [];
    },
    async log(namespace, name, { follow, signal, tail }) {
      const row = found(namespace, name);
      if (row.state === 'pending')
        throw new HangarError('pod_log_not_there', {
          message: `container ${CONTAINER} in pod ${name} is waiting to start.`,
        });
      return sampleLog(row, { clock, signal, follow, tail: Math.min(tail ?? 100, 200) });
    },
  };
}

const CONTAINER = 'main';
/** Between a fifth and all of what is asked for; the same for the same pod. */
const share = (row: PodRow): number =>
  0.2 + ((row.name.length * 37 + row.name.charCodeAt(row.name.length - 1)) % 80) / 100;
const useOf = (row: PodRow): Used => ({
  cpu: (row.cpuRequested ?? 0.1) * share(row),
  memory: (row.memoryRequested ?? 64e6) * share(row),
});

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function restOf(row: PodRow): Awaited<ReturnType<ClusterSource['pod']>>['rest'] {
  const isOver = row.state === 'succeeded' || row.state === 'failed';
  const run: PodContainer = {
    name: CONTAINER,
    kind: 'container',
    image: `registry.example.org/${row.ownerName ?? row.name}:1.4.2`,
    state: row.state === 'running' ? 'running' : isOver ? 'terminated' : 'waiting',
    ready: row.ready > 0,
    reason: row.state === 'running' ? null : row.status,
    message: row.reason,
    exitCode: row.state === 'failed' ? 1 : row.state === 'succeeded' ? 0 : null,
    restarts: row.restarts,
    startedAt: row.nodeName === null ? null : iso(row.createdAt),
    finishedAt: isOver ? iso(row.restartedAt ?? row.createdAt) : null,
    last: row.restarts === 0 ? null : { reason: 'Error', exitCode: 1, finishedAt: iso(row.restartedAt) },
  };
  return {
    phase:
      row.state === 'running' || row.state === 'failing' ? 'Running' : row.state === 'pending' ? 'Pending' : row.status,
    address: row.nodeName === null ? null : '10.244.1.17',
    serviceAccount: 'default',
    priority: 0,
    quality: 'Burstable',
    labels: { app: row.ownerName ?? row.name },
    conditions: [],
    runs: [run],
  };
}

function eventsOf(row: PodRow): ClusterEvent[] {
  const at = iso(row.createdAt);
  const event = (
    type: ClusterEvent['type'],
    reason: string,
    message: string,
    from: string,
    count = 1,
  ): ClusterEvent => ({
    ...{ type, reason, message, from, count, firstAt: at, lastAt: at },
  });
  if (row.state === 'pending')
    return [event('Warning', 'FailedScheduling', row.reason ?? row.status, 'default-scheduler', 12)];
  const begun = [
    event('Normal', 'Pulled', 'Container image already present on machine', 'kubelet'),
    event('Normal', 'Scheduled', `Assigned ${row.namespace}/${row.name} to ${row.nodeName}`, 'default-scheduler'),
  ];
  return row.state === 'failing'
    ? [event('Warning', 'BackOff', row.reason ?? row.status, 'kubelet', 41), ...begun]
    : begun;
}

async function* sampleLog(
  row: PodRow,
  o: { clock: () => number; signal: AbortSignal; follow: boolean; tail: number },
): AsyncGenerator<readonly PodLogText[]> {
  const line = (n: number, ms: number): PodLogText => ({
    at: new Date(ms).toISOString().replace('Z', '000000Z'),
    text: `${row.name}: sample line ${n}, handled ${(n * 37) % 211} requests`,
  });
  const now = o.clock();
  let n = o.tail;
  yield Array.from({ length: n }, (_, index) => line(index + 1, now - (n - index) * 1000));
  while (o.follow && row.state === 'running' && !o.signal.aborted) {
    await sleep(1000, undefined, { signal: o.signal }).catch(() => undefined);
    n += 1;
    yield [line(n, o.clock())];
  }
}
