import type { NodeRow, PodRow } from '../../features/kubernetes/index.ts';

const GIB = 1024 ** 3;
const HOUR = 3600_000;

interface Group {
  readonly namespace: string;
  readonly owner: string;
  readonly kind: string;
  readonly count: number;
  readonly cpu: number;
  readonly memory: number;
  readonly gpus?: number;
  readonly state?: PodRow['state'];
  readonly status?: string;
  readonly reason?: string;
  readonly restarts?: number;
  readonly isPlaced?: boolean;
}

const GROUPS: readonly Group[] = [
  { namespace: 'web', owner: 'shop-7d9f8c6b5', kind: 'ReplicaSet', count: 12, cpu: 0.25, memory: 0.5 * GIB },
  { namespace: 'web', owner: 'search-5c7b9d8f64', kind: 'ReplicaSet', count: 6, cpu: 1, memory: 2 * GIB },
  {
    ...{ namespace: 'web', owner: 'checkout-6f5d4c8b97', kind: 'ReplicaSet', count: 2, cpu: 0.5, memory: GIB },
    ...{ state: 'failing', status: 'CrashLoopBackOff', restarts: 41 },
    reason:
      'main: back-off 5m0s restarting failed container; it ended with exit code 1: cannot reach payments.internal:5432',
  },
  { namespace: 'data', owner: 'postgres', kind: 'StatefulSet', count: 3, cpu: 2, memory: 8 * GIB },
  {
    ...{ namespace: 'data', owner: 'reindex', kind: 'Job', count: 4, cpu: 1, memory: 4 * GIB },
    ...{ state: 'succeeded', status: 'Completed' },
  },
  { namespace: 'train', owner: 'finetune-small', kind: 'Job', count: 2, cpu: 8, memory: 64 * GIB, gpus: 8 },
  {
    ...{ namespace: 'train', owner: 'finetune-large', kind: 'Job', count: 3, cpu: 8, memory: 64 * GIB, gpus: 8 },
    ...{ state: 'pending', status: 'Pending', isPlaced: false },
    reason: '0/5 nodes are available: 1 node(s) were unschedulable, 4 Insufficient nvidia.com/gpu.',
  },
  {
    ...{ namespace: 'train', owner: 'evaluate', kind: 'Job', count: 1, cpu: 2, memory: 8 * GIB },
    ...{ state: 'failed', status: 'OOMKilled' },
    reason: 'main ended with exit code 137 (OOMKilled)',
  },
  { namespace: 'kube-system', owner: 'coredns-76f75df574', kind: 'ReplicaSet', count: 2, cpu: 0.1, memory: 0.07 * GIB },
  { namespace: 'kube-system', owner: 'kube-proxy', kind: 'DaemonSet', count: 5, cpu: 0.1, memory: 0.06 * GIB },
];

export const sampleNodes = (now: number): NodeRow[] => [
  node(now, 'cpu-1', 16, 64),
  node(now, 'cpu-2', 16, 64),
  node(now, 'cpu-3', 16, 64, { unschedulable: true }),
  node(now, 'gpu-1', 64, 512, { gpus: 8 }),
  node(now, 'gpu-2', 64, 512, { gpus: 8 }),
];

export function samplePods(now: number): PodRow[] {
  let n = 0;
  return GROUPS.flatMap((group) =>
    Array.from({ length: group.count }, (_, index) => {
      n += 1;
      return pod(now, group, index, n);
    }),
  );
}

function pod(now: number, group: Group, index: number, n: number): PodRow {
  const state = group.state ?? 'running';
  const nodeName = group.gpus ? `gpu-${(index % 2) + 1}` : `cpu-${(n % 3) + 1}`;
  const tail = (n * 7919 + 104729).toString(36).slice(-5);
  return {
    uid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    namespace: group.namespace,
    name: group.kind === 'StatefulSet' ? `${group.owner}-${index}` : `${group.owner}-${tail}`,
    state,
    status: group.status ?? 'Running',
    reason: group.reason ?? null,
    ready: state === 'running' ? 1 : 0,
    containers: 1,
    restarts: group.restarts ?? 0,
    restartedAt: group.restarts ? now - 4 * 60_000 : null,
    nodeName: group.isPlaced === false ? null : nodeName,
    createdAt: now - ((n * 37) % 400) * HOUR - 90_000,
    ownerKind: group.kind,
    ownerName: group.owner,
    jobId: null,
    cpuRequested: group.cpu,
    cpuLimit: null,
    memoryRequested: group.memory,
    memoryLimit: group.memory * 2,
    devicesRequested: group.gpus ? { 'nvidia.com/gpu': group.gpus } : null,
  };
}

function node(
  now: number,
  name: string,
  cpus: number,
  gib: number,
  o: { gpus?: number; unschedulable?: boolean } = {},
): NodeRow {
  const since = new Date(now - 400 * HOUR).toISOString();
  const condition = (type: string, isTrue: boolean, message: string) =>
    ({ type, status: isTrue ? 'True' : 'False', ok: true, reason: '', message, since }) as const;
  return {
    name,
    unschedulable: o.unschedulable ?? false,
    roles: [],
    version: 'v1.36.2',
    system: 'Debian GNU/Linux 12, amd64',
    runtime: 'containerd://1.7.20',
    address: `10.0.0.${name.length + name.charCodeAt(name.length - 1)}`,
    createdAt: now - 400 * HOUR,
    conditions: [
      condition('MemoryPressure', false, 'kubelet has sufficient memory available'),
      condition('DiskPressure', false, 'kubelet has no disk pressure'),
      condition('Ready', true, 'kubelet is posting ready status'),
    ],
    taints: o.unschedulable ? ['node.kubernetes.io/unschedulable:NoSchedule'] : [],
    cpu: { capacity: cpus, allocatable: cpus - 0.1 },
    memory: { capacity: gib * GIB, allocatable: (gib - 1) * GIB },
    pods: { capacity: 110, allocatable: 110 },
    devices: o.gpus ? [{ name: 'nvidia.com/gpu', capacity: o.gpus, allocatable: o.gpus }] : [],
  };
}
