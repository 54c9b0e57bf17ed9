import { z } from 'zod';
import { ADMIN, read, Time } from './shared.ts';
import { POD_SORTS, POD_STATES } from './state-words.ts';

/** A name as Kubernetes gives it to pods, nodes and namespaces (RFC 1123 subdomain). */
export const KubernetesName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'A name in Kubernetes');

/** Which cluster is meant. Contexts are those of the kubeconfig the server reads. */
const inContext = {
  context: z.string().min(1).max(300).optional().describe('A context of the kubeconfig; the current one when left out'),
};

export const CLUSTER_STATES = [
  'connected',
  'connecting',
  'not_connected',
  'unreachable',
  'refused',
  'forbidden',
] as const;
export const ClusterState = z
  .enum(CLUSTER_STATES)
  .describe(
    'not_connected: nothing says where a cluster is; refused: it does not accept the credentials; forbidden: they may see nothing',
  );
export type ClusterState = z.infer<typeof ClusterState>;

export const Denial = z
  .object({
    what: z.enum(['pods', 'nodes', 'namespaces', 'events', 'metrics']),
    namespace: z.string().nullable().describe('null: in the cluster as a whole'),
    message: z.string().describe('As the API server says it'),
  })
  .describe('What this server may not read there');
export type Denial = z.infer<typeof Denial>;

export const Trouble = z.object({ code: z.string(), message: z.string(), wayOut: z.string() });
export type Trouble = z.infer<typeof Trouble>;

/** How true an answer is: whether it follows the cluster, since when not, and what of the cluster it holds. */
export const ClusterView = z.object({
  context: z.string(),
  isSample: z.boolean().describe('Made-up data of the demo mode'),
  live: z.boolean().describe('Follows the cluster; false: what is shown is as of asOf'),
  asOf: Time,
  isWhole: z.boolean().describe('false while the first list is still coming in'),
  namespaces: z
    .array(z.string())
    .nullable()
    .describe('null: the whole cluster; else the namespaces this server may read'),
  denied: z.array(Denial),
  trouble: Trouble.nullable().describe('Why it does not follow the cluster'),
});
export type ClusterView = z.infer<typeof ClusterView>;

export const ClusterContext = z.object({
  name: z.string(),
  cluster: z.string(),
  namespace: z.string().nullable().describe('The namespace of this context, when it has one'),
  isCurrent: z.boolean(),
});
export type ClusterContext = z.infer<typeof ClusterContext>;

const Amount = z.number().min(0);
/** CPU in cores, memory in bytes, pods and devices as counts. */
export const ResourceUse = z.object({
  capacity: Amount,
  allocatable: Amount.describe('What pods can have: without what the system keeps for itself'),
  requested: Amount.nullable().describe('By pods that have not ended; null where pods may not be read'),
  used: Amount.nullable().describe('As metrics.k8s.io measured; null when it is not there'),
});
export type ResourceUse = z.infer<typeof ResourceUse>;

export const PodState = z
  .enum(POD_STATES)
  .describe(
    'pending: not begun; failing: a container crashes again and again or cannot start; unknown: its node is silent',
  );
export type PodState = z.infer<typeof PodState>;

export const ClusterHealth = z.object({
  state: ClusterState,
  detail: z.string().describe('In plain words'),
  wayOut: z.string().nullable().describe('What to do where it is not connected'),
  source: z.enum(['in_cluster', 'kubeconfig', 'sample']).nullable(),
  server: z.string().nullable().describe('Address of the API server'),
  version: z.string().nullable(),
  contexts: z.array(ClusterContext),
  view: ClusterView.nullable().describe('null while nothing has been read'),
  nodes: z
    .object({ total: z.int(), ready: z.int(), notReady: z.int(), unschedulable: z.int() })
    .nullable()
    .describe('null where nodes may not be read'),
  pods: z
    .object({
      total: z.int(),
      byState: z.record(PodState, z.int()),
      restarts: z.int().describe('Of all containers there are now'),
    })
    .nullable(),
  waiting: z
    .array(
      z.object({ reason: z.string(), count: z.int(), example: z.object({ namespace: z.string(), name: z.string() }) }),
    )
    .describe('Why pods are pending or failing, the most frequent first'),
  resources: z.object({ cpu: ResourceUse, memory: ResourceUse, pods: ResourceUse }).nullable(),
  metrics: z.object({ available: z.boolean(), detail: z.string() }),
});
export type ClusterHealth = z.infer<typeof ClusterHealth>;

export const NodeState = z.enum(['ready', 'not_ready', 'unknown', 'unschedulable']);
export type NodeState = z.infer<typeof NodeState>;

export const NodeCondition = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  /** Whether this is how it should be: Ready is good when True, pressure when False. */
  ok: z.boolean(),
  reason: z.string(),
  message: z.string(),
  since: Time.nullable(),
});
export type NodeCondition = z.infer<typeof NodeCondition>;

export const ClusterNode = z.object({
  name: z.string(),
  state: NodeState,
  reason: z.string().nullable().describe('Why it is not ready, or has pressure, in plain words'),
  roles: z.array(z.string()),
  version: z.string().describe('Of the kubelet'),
  system: z.string().describe('Operating system and architecture'),
  runtime: z.string(),
  address: z.string().nullable().describe('Inside the cluster'),
  createdAt: Time.nullable(),
  conditions: z.array(NodeCondition),
  taints: z.array(z.string()),
  cpu: ResourceUse,
  memory: ResourceUse,
  pods: ResourceUse,
  devices: z.array(ResourceUse.extend({ name: z.string() })).describe('GPUs and the like'),
});
export type ClusterNode = z.infer<typeof ClusterNode>;

export const PodResource = z.object({
  requested: Amount.nullable(),
  limit: Amount.nullable(),
  used: Amount.nullable().describe('As metrics.k8s.io measured; null when it is not there'),
});

export const Pod = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  state: PodState,
  status: z.string().describe('One word, as kubectl prints it: CrashLoopBackOff, Init:0/2, Running'),
  reason: z.string().nullable().describe('Why it waits or failed, in the words of the cluster'),
  ready: z.int(),
  containers: z.int(),
  restarts: z.int(),
  restartedAt: Time.nullable().describe('When a container last ended and was started again'),
  nodeName: z.string().nullable(),
  createdAt: Time.nullable(),
  owner: z.object({ kind: z.string(), name: z.string() }).nullable(),
  jobId: z.string().nullable().describe('The job of Hangar it runs'),
  cpu: PodResource.describe('In cores'),
  memory: PodResource.describe('In bytes'),
});
export type Pod = z.infer<typeof Pod>;

const descending = POD_SORTS.map((sort) => `-${sort}` as const);
export const PodSort = z
  .enum([...POD_SORTS, ...descending])
  .describe('attention: pending first, then failing; age: newest first; a - before it turns the order round');
export type PodSort = z.infer<typeof PodSort>;

export const PodQuery = z.object({
  ...inContext,
  namespace: KubernetesName.optional(),
  status: z
    .union([PodState, z.array(PodState)])
    .optional()
    .describe('One or more states'),
  nodeName: KubernetesName.optional(),
  search: z.string().trim().max(200).optional().describe('In name, namespace, node, owner, status, reason and job id'),
  sort: PodSort.default('attention'),
  limit: z.coerce.number().int().min(1).max(500).default(50).describe('Entries a page, 1 to 500'),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
});
export type PodQuery = z.infer<typeof PodQuery>;

export const PodPage = z.object({
  items: z.array(Pod),
  total: z.int().describe('Pods that fit the filter'),
  all: z.int().describe('Pods there are'),
  namespaces: z.array(z.string()).describe('Namespaces with pods, for a filter'),
  nodeNames: z.array(z.string()).describe('At most 1,000'),
  view: ClusterView,
});
export type PodPage = z.infer<typeof PodPage>;

export const ClusterNodes = z.object({ items: z.array(ClusterNode), view: ClusterView });
export type ClusterNodes = z.infer<typeof ClusterNodes>;

export const PodContainer = z.object({
  name: z.string(),
  kind: z.enum(['init', 'sidecar', 'container', 'ephemeral']),
  image: z.string(),
  state: z.enum(['waiting', 'running', 'terminated', 'not_begun']),
  ready: z.boolean(),
  reason: z.string().nullable(),
  message: z.string().nullable(),
  exitCode: z.int().nullable(),
  restarts: z.int(),
  startedAt: Time.nullable(),
  finishedAt: Time.nullable(),
  last: z
    .object({ reason: z.string().nullable(), exitCode: z.int().nullable(), finishedAt: Time.nullable() })
    .nullable()
    .describe('How it ended before it was started again'),
});
export type PodContainer = z.infer<typeof PodContainer>;

export const ClusterEvent = z.object({
  type: z.enum(['Normal', 'Warning']),
  reason: z.string(),
  message: z.string(),
  from: z.string(),
  count: z.int(),
  firstAt: Time.nullable(),
  lastAt: Time.nullable(),
});
export type ClusterEvent = z.infer<typeof ClusterEvent>;

/** Never holds what a pod is given: environment, arguments and volumes may be secrets. */
export const PodDetail = Pod.extend({
  phase: z.string(),
  address: z.string().nullable(),
  serviceAccount: z.string().nullable(),
  priority: z.int().nullable(),
  quality: z.string().nullable().describe('Guaranteed, Burstable or BestEffort'),
  labels: z.record(z.string(), z.string()),
  conditions: z.array(
    z.object({
      type: z.string(),
      status: z.enum(['True', 'False', 'Unknown']),
      reason: z.string(),
      message: z.string(),
      since: Time.nullable(),
    }),
  ),
  runs: z.array(PodContainer).describe('Containers, those of the start first'),
  events: z.array(ClusterEvent).describe('Newest first, at most 200; the cluster forgets them after an hour or so'),
  eventsDenied: Denial.nullable(),
  job: z.object({ id: z.string(), title: z.string() }).nullable().describe('The job of Hangar it runs'),
});
export type PodDetail = z.infer<typeof PodDetail>;

const byPod = z.object({ namespace: KubernetesName, name: KubernetesName });

/**
 * Query of the raw route `GET /k8s/pods/{namespace}/{name}/log`. It answers text; with `Accept: text/event-stream` or `follow=true`
 * SSE: `data` a JSON array of PodLogLine, `event: end` closes it, `id` goes on after a cut by `Last-Event-ID`.
 */
export const PodLogQuery = z.object({
  ...inContext,
  container: KubernetesName.optional().describe('The first one when left out'),
  previous: z.stringbool().optional().describe('Of the container before it was started again'),
  tail: z.coerce.number().int().min(0).max(100_000).default(1000).describe('Only the last lines'),
  follow: z.stringbool().optional(),
});
export type PodLogQuery = z.infer<typeof PodLogQuery>;

export const PodLogLine = z.object({
  n: z.int().describe('Number of the line, from 1, in this stream'),
  at: Time,
  text: z.string().describe('Without the line end; ANSI colours are kept; cut after 64 KiB'),
});
export type PodLogLine = z.infer<typeof PodLogLine>;

/**
 * Query of the raw route `GET /k8s/live` (SSE): what a page of the cluster shows, whenever it changes, at most once a second.
 * Frames: `event: health` (ClusterHealth), `nodes` (ClusterNodes), `pods` (PodPage), `failed` (Trouble), `alive`.
 */
export const ClusterLiveQuery = PodQuery.extend({
  show: z
    .string()
    .regex(/^(health|nodes|pods)(,(health|nodes|pods))*$/, 'health, nodes, pods, joined by commas')
    .describe('health, nodes, pods, joined by commas'),
});
export type ClusterLiveQuery = z.infer<typeof ClusterLiveQuery>;

export const kubernetes = {
  health: read('k8s health [--context {context}]', ADMIN)
    .route({
      method: 'GET',
      path: '/k8s/health',
      summary: 'Whether a Kubernetes cluster is connected, and how it is; answers without one, too',
    })
    .input(z.object(inContext))
    .output(ClusterHealth),
  nodes: read('k8s nodes [--context {context}]', ADMIN)
    .route({ method: 'GET', path: '/k8s/nodes', summary: 'Nodes of the cluster, those that need you first' })
    .input(z.object(inContext))
    .output(ClusterNodes),
  pods: read(
    'k8s pods [--status {status}] [--namespace {namespace}] [--node {nodeName}] [--search {search}] [--sort {sort}] [--context {context}] [--reverse]',
    ADMIN,
  )
    .route({ method: 'GET', path: '/k8s/pods', summary: 'Pods, filtered, sorted and paged here' })
    .input(PodQuery)
    .output(PodPage),
  pod: read('k8s pod {namespace} {name} [--context {context}]', ADMIN)
    .route({
      method: 'GET',
      path: '/k8s/pods/{namespace}/{name}',
      summary: 'A pod with its containers, its events and its job',
    })
    .input(byPod.extend(inContext))
    .output(PodDetail),
};
