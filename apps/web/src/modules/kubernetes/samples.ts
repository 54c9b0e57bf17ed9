import type {
  ClusterHealth,
  ClusterNode,
  ClusterNodes,
  ClusterView,
  Pod,
  PodDetail,
  PodPage,
  ResourceUse,
} from '@hangar/contract';
import { ago, NOW } from '../../gallery/samples.ts';

const GIB = 1024 ** 3;

export const view: ClusterView = {
  context: 'production',
  isSample: false,
  live: true,
  asOf: NOW,
  isWhole: true,
  namespaces: null,
  denied: [],
  trouble: null,
};

/** The cluster as a whole refused, two namespaces given. */
export const partView: ClusterView = {
  ...view,
  namespaces: ['shop', 'train'],
  denied: [
    {
      what: 'pods',
      namespace: null,
      message: 'Pods is forbidden: User "ada" cannot list resource "pods" in API group "" at the cluster scope.',
    },
    {
      what: 'pods',
      namespace: 'kube-system',
      message: 'Pods is forbidden: User "ada" cannot list resource "pods" in the namespace "kube-system".',
    },
    {
      what: 'nodes',
      namespace: null,
      message: 'Nodes is forbidden: User "ada" cannot list resource "nodes" in API group "" at the cluster scope.',
    },
  ],
};

const use = (capacity: number, requested: number | null, used: number | null): ResourceUse => ({
  capacity,
  allocatable: capacity * 0.97,
  requested,
  used,
});

export const health: ClusterHealth = {
  state: 'connected',
  detail: 'Connected.',
  wayOut: null,
  source: 'kubeconfig',
  server: 'https://10.0.0.1:6443',
  version: '1.36.2',
  contexts: [
    { name: 'production', cluster: 'https://10.0.0.1:6443', namespace: 'default', isCurrent: true },
    { name: 'staging', cluster: 'https://10.1.0.1:6443', namespace: 'default', isCurrent: false },
  ],
  view,
  nodes: { total: 48, ready: 46, notReady: 2, unschedulable: 1 },
  pods: {
    total: 30_214,
    byState: { pending: 131, failing: 14, unknown: 2, failed: 57, terminating: 9, running: 29_812, succeeded: 189 },
    restarts: 1204,
  },
  waiting: [
    {
      reason: '0/48 nodes are available: 2 node(s) were unschedulable, 46 Insufficient nvidia.com/gpu.',
      count: 128,
      example: { namespace: 'train', name: 'finetune-large-7xk2p' },
    },
    {
      reason: 'web: Back-off pulling image "registry.example.org/checkout:1.4.3": not found',
      count: 12,
      example: { namespace: 'shop', name: 'checkout-6f5d4c8b97-9qkzt' },
    },
    { reason: 'ContainerCreating', count: 3, example: { namespace: 'shop', name: 'search-5c7b9d8f64-2mxnv' } },
  ],
  resources: {
    cpu: use(3072, 2211.4, 1180.2),
    memory: use(12 * 1024 * GIB, 8.1 * 1024 * GIB, 6.2 * 1024 * GIB),
    pods: use(48 * 110, 4930, 4930),
  },
  metrics: { available: true, detail: 'CPU and memory in use come from metrics.k8s.io.' },
};

export const unmeasured: ClusterHealth = {
  ...health,
  resources: {
    cpu: use(3072, 2211.4, null),
    memory: use(12 * 1024 * GIB, 8.1 * 1024 * GIB, null),
    pods: use(48 * 110, 4930, 4930),
  },
  waiting: [],
  metrics: {
    available: false,
    detail: 'metrics.k8s.io does not answer: install metrics-server to see what is in use.',
  },
};

export const notConnected: ClusterHealth = {
  ...health,
  state: 'not_connected',
  detail: 'This server is not in a cluster, and there is no kubeconfig at /home/ada/.kube/config.',
  wayOut: 'Set KUBECONFIG to a kubeconfig where the server runs, or run Hangar in the cluster.',
  source: null,
  server: null,
  version: null,
  contexts: [],
  view: null,
  nodes: null,
  pods: null,
  waiting: [],
  resources: null,
};

const UNREACHABLE = {
  code: 'k8s_unreachable',
  message: 'The Kubernetes API server at https://10.0.0.1:6443: the connection was refused.',
  wayOut: 'It is asked again by itself. Check that the cluster is up and that this machine reaches it.',
};

/** Out of reach for a while: what was read stays. */
export const stale: ClusterHealth = {
  ...health,
  state: 'unreachable',
  detail: UNREACHABLE.message,
  wayOut: UNREACHABLE.wayOut,
  view: { ...view, live: false, asOf: ago(94), trouble: UNREACHABLE },
};

/** Out of reach from the begin. */
export const unreachable: ClusterHealth = { ...stale, nodes: null, pods: null, waiting: [], resources: null };

export const forbidden: ClusterHealth = {
  ...unreachable,
  state: 'forbidden',
  detail:
    'This server may not read pods in the Kubernetes cluster. Pods is forbidden: User "ada" cannot list resource "pods" in API group "" at the cluster scope.',
  wayOut: 'Give its account the rights of deploy/k8s/base/rights-of-view.yaml, or some of them.',
  view: { ...partView, namespaces: [] },
};

export const partly: ClusterHealth = {
  ...health,
  view: partView,
  nodes: null,
  resources: null,
  pods: {
    total: 61,
    byState: { pending: 3, failing: 2, unknown: 0, failed: 1, terminating: 0, running: 51, succeeded: 4 },
    restarts: 82,
  },
};

export const reading: ClusterHealth = { ...health, view: { ...view, isWhole: false } };

const condition = (type: string, status: 'True' | 'False' | 'Unknown', ok: boolean, message: string) => ({
  ...{ type, status, ok, message, reason: '' },
  since: ago(86_400 * 12),
});
const CONDITIONS = [
  condition('MemoryPressure', 'False', true, 'kubelet has sufficient memory available'),
  condition('DiskPressure', 'False', true, 'kubelet has no disk pressure'),
  condition('PIDPressure', 'False', true, 'kubelet has sufficient PID available'),
  condition('Ready', 'True', true, 'kubelet is posting ready status'),
];

const node = (name: string, rest: Partial<ClusterNode> = {}): ClusterNode => ({
  name,
  state: 'ready',
  reason: null,
  roles: [],
  version: 'v1.36.2',
  system: 'Debian GNU/Linux 12 (bookworm), amd64',
  runtime: 'containerd://2.0.4',
  address: '10.0.3.17',
  createdAt: ago(86_400 * 41),
  conditions: CONDITIONS,
  taints: [],
  cpu: use(64, 41.25, 22.4),
  memory: use(512 * GIB, 301 * GIB, 214 * GIB),
  pods: use(110, 74, 74),
  devices: [],
  ...rest,
});

export const nodes: ClusterNodes = {
  view,
  items: [
    node('gpu-7', {
      state: 'unknown',
      reason: 'Kubelet stopped posting node status.',
      conditions: CONDITIONS.map((one) => ({ ...one, status: 'Unknown', ok: false })),
      cpu: use(64, 12, null),
      memory: use(512 * GIB, 96 * GIB, null),
      devices: [{ name: 'nvidia.com/gpu', ...use(8, 8, null), allocatable: 8 }],
    }),
    node('cpu-3', {
      state: 'unschedulable',
      reason: 'Cordoned: no new pods come here',
      taints: ['node.kubernetes.io/unschedulable:NoSchedule'],
    }),
    node('cpu-12', {
      reason: 'kubelet has disk pressure',
      conditions: CONDITIONS.map((one) => (one.type === 'DiskPressure' ? { ...one, status: 'True', ok: false } : one)),
      cpu: use(64, 61.9, 60.2),
    }),
    node('control-1', { roles: ['control-plane'], pods: use(110, 12, 12), cpu: use(8, 1.1, 0.62) }),
    node('gpu-1', { devices: [{ name: 'nvidia.com/gpu', ...use(8, 6, null), allocatable: 8 }] }),
    node('ip-10-0-117-201.eu-central-1.compute.internal'),
  ],
};

const pod = (name: string, rest: Partial<Pod> = {}): Pod => ({
  uid: `uid-${name}`,
  namespace: 'shop',
  name,
  state: 'running',
  status: 'Running',
  reason: null,
  ready: 1,
  containers: 1,
  restarts: 0,
  restartedAt: null,
  nodeName: 'cpu-12',
  createdAt: ago(86_400 * 3),
  owner: { kind: 'ReplicaSet', name: 'search-5c7b9d8f64' },
  jobId: null,
  cpu: { requested: 0.5, limit: 1, used: 0.21 },
  memory: { requested: 0.5 * GIB, limit: GIB, used: 0.31 * GIB },
  ...rest,
});

export const pods: PodPage = {
  view,
  total: 30_214,
  all: 30_214,
  namespaces: ['kube-system', 'shop', 'train'],
  nodeNames: ['cpu-12', 'cpu-3', 'gpu-1', 'gpu-7'],
  items: [
    pod('finetune-large-7xk2p', {
      namespace: 'train',
      ...{ state: 'pending', status: 'Pending', ready: 0, nodeName: null },
      reason: '0/48 nodes are available: 2 node(s) were unschedulable, 46 Insufficient nvidia.com/gpu.',
      createdAt: ago(4000),
      cpu: { requested: 8, limit: null, used: null },
      memory: { requested: 64 * GIB, limit: null, used: null },
    }),
    pod('hangar-j-7k2m9x4q-1-4bhxq', {
      ...{ state: 'pending', status: 'ContainerCreating', ready: 0, jobId: 'j_7k2m9x4q' },
      owner: { kind: 'Job', name: 'hangar-j-7k2m9x4q-1' },
      createdAt: ago(6),
    }),
    pod('checkout-6f5d4c8b97-9qkzt', {
      ...{ state: 'failing', status: 'CrashLoopBackOff', ready: 0, restarts: 41, restartedAt: ago(200) },
      reason:
        'web: back-off 5m0s restarting failed container=web pod=checkout-6f5d4c8b97-9qkzt_shop(4f6a…); it ended with exit code 1: cannot reach payments.internal:5432',
    }),
    pod('cart-74d9c-ll2vz', { state: 'unknown', status: 'Unknown', nodeName: 'gpu-7', ready: 0 }),
    pod('evaluate-x8k2d', {
      ...{ namespace: 'train', state: 'failed', status: 'OOMKilled', ready: 0 },
      reason: 'main ended with exit code 137 (OOMKilled)',
    }),
    pod('search-5c7b9d8f64-2mxnv', { state: 'terminating', status: 'Terminating' }),
    pod('search-5c7b9d8f64-8dkwp', { ready: 1, containers: 2, reason: 'containers with unready status: [proxy]' }),
    pod('coredns-76f75df574-abcde', {
      namespace: 'kube-system',
      cpu: { requested: null, limit: null, used: 0.004 },
      memory: { requested: null, limit: null, used: 18 * 1024 ** 2 },
    }),
    pod('reindex-28431-qqv7m', { state: 'succeeded', status: 'Completed', ready: 0 }),
    pod(`a-very-long-name-that-somebody-gave-to-a-pod-${'x'.repeat(60)}-7d9f8c6b5-zzzzz`),
  ],
};

const [waitingPod, , failingPod] = pods.items;

export const podDetail: PodDetail = {
  ...(failingPod ?? pod('checkout')),
  containers: 2,
  phase: 'Running',
  address: '10.244.3.91',
  serviceAccount: 'checkout',
  priority: 0,
  quality: 'Burstable',
  labels: { app: 'checkout', 'pod-template-hash': '6f5d4c8b97', track: '' },
  conditions: [
    { type: 'PodScheduled', status: 'True', reason: '', message: '', since: ago(86_400) },
    { type: 'Initialized', status: 'True', reason: '', message: '', since: ago(86_390) },
    {
      ...{ type: 'Ready', status: 'False', reason: 'ContainersNotReady', since: ago(200) },
      message: 'containers with unready status: [web]',
    },
  ],
  runs: [
    {
      ...{ name: 'migrate', kind: 'init', image: 'registry.example.org/checkout:1.4.2', state: 'terminated' },
      ...{ ready: true, reason: 'Completed', message: null, exitCode: 0, restarts: 0 },
      ...{ startedAt: ago(86_390), finishedAt: ago(86_380), last: null },
    },
    {
      ...{ name: 'web', kind: 'container', image: 'registry.example.org/checkout:1.4.2', state: 'waiting' },
      ...{ ready: false, reason: 'CrashLoopBackOff', exitCode: null, restarts: 41 },
      message: 'back-off 5m0s restarting failed container=web pod=checkout-6f5d4c8b97-9qkzt_shop(4f6a…)',
      ...{ startedAt: null, finishedAt: null, last: { reason: 'Error', exitCode: 1, finishedAt: ago(200) } },
    },
    {
      ...{ name: 'proxy', kind: 'sidecar', image: 'registry.example.org/proxy:3', state: 'running' },
      ...{ ready: true, reason: null, message: null, exitCode: null, restarts: 0 },
      ...{ startedAt: ago(86_395), finishedAt: null, last: null },
    },
  ],
  events: [
    {
      ...{ type: 'Warning', reason: 'BackOff', from: 'kubelet', count: 412 },
      message: 'Back-off restarting failed container web in pod checkout-6f5d4c8b97-9qkzt_shop(4f6a…)',
      ...{ firstAt: ago(7000), lastAt: ago(20) },
    },
    {
      ...{ type: 'Normal', reason: 'Pulled', from: 'kubelet', count: 41 },
      message: 'Container image "registry.example.org/checkout:1.4.2" already present on machine',
      ...{ firstAt: ago(7100), lastAt: ago(205) },
    },
  ],
  eventsDenied: null,
  job: null,
};

export const podOfJob: PodDetail = {
  ...podDetail,
  ...(waitingPod ?? pod('waits')),
  jobId: 'j_7k2m9x4q',
  job: { id: 'j_7k2m9x4q', title: 'Add a search page' },
  runs: podDetail.runs
    .slice(1, 2)
    .map((run) => ({ ...run, state: 'not_begun', reason: null, message: null, restarts: 0, last: null })),
  events: [],
  eventsDenied: {
    what: 'events',
    namespace: 'train',
    message: 'Events is forbidden: User "ada" cannot list resource "events" in API group "" in the namespace "train".',
  },
};
