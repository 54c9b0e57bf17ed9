import type {
  ClusterContext,
  ClusterEvent,
  HangarError,
  NodeCondition,
  PodContainer,
  PodDetail,
  PodState,
} from '@hangar/contract';

/** Every wait for the cluster can be stopped; the adapter adds a deadline of its own where an answer ends. */
export interface CallOptions {
  readonly signal: AbortSignal;
}

/** What is kept of a pod, for each of 30,000: flat, short strings shared. Times in milliseconds since 1970, CPU in cores, memory in bytes. */
export interface PodRow {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly state: PodState;
  readonly status: string;
  readonly reason: string | null;
  readonly ready: number;
  readonly containers: number;
  readonly restarts: number;
  readonly restartedAt: number | null;
  readonly nodeName: string | null;
  readonly createdAt: number | null;
  readonly ownerKind: string | null;
  readonly ownerName: string | null;
  readonly jobId: string | null;
  readonly cpuRequested: number | null;
  readonly cpuLimit: number | null;
  readonly memoryRequested: number | null;
  readonly memoryLimit: number | null;
  /** Of devices by their name, such as nvidia.com/gpu; null when it asks for none. */
  readonly devicesRequested: Readonly<Record<string, number>> | null;
}

/** What a node is and has; what of it is asked for and used is added here. */
export interface NodeRow {
  readonly name: string;
  readonly unschedulable: boolean;
  readonly roles: readonly string[];
  readonly version: string;
  readonly system: string;
  readonly runtime: string;
  readonly address: string | null;
  readonly createdAt: number | null;
  readonly conditions: readonly NodeCondition[];
  readonly taints: readonly string[];
  readonly cpu: Amounts;
  readonly memory: Amounts;
  readonly pods: Amounts;
  readonly devices: readonly (Amounts & { readonly name: string })[];
}

export interface Amounts {
  readonly capacity: number;
  readonly allocatable: number;
}

export interface Used {
  readonly cpu: number;
  readonly memory: number;
}

/**
 * All things of one kind in one scope, held true by one list and watch. Tries again by itself, for ever; what is there stays
 * meanwhile, and grows old.
 */
export interface Followed<Row> {
  /** Live. During the first list it grows page by page; a later list replaces it when it is whole. */
  readonly rows: ReadonlyMap<string, Row>;
  /** Whether the first list has come to its end. */
  readonly isWhole: boolean;
  /** Why it does not follow the cluster now: k8s_unreachable, k8s_refused, k8s_forbidden. */
  readonly trouble: HangarError | null;
  /** The last moment it was true, in milliseconds since 1970. */
  readonly trueAt: number;
  close(): void;
}

export interface PodLogOptions extends CallOptions {
  readonly container: string | null;
  readonly previous: boolean;
  /** Lines of the end; null: all. */
  readonly tail: number | null;
  /** Only lines after this time, RFC 3339 with nanoseconds. */
  readonly after: string | null;
  readonly follow: boolean;
}

/** A line with its time as the kubelet wrote it, RFC 3339 with nanoseconds. */
export interface PodLogText {
  readonly at: string;
  readonly text: string;
}

/** What is seen of a pod when it is looked at alone. */
export interface PodSeen {
  readonly row: PodRow;
  readonly rest: Pick<
    PodDetail,
    'phase' | 'address' | 'serviceAccount' | 'priority' | 'quality' | 'labels' | 'conditions'
  > & { readonly runs: readonly PodContainer[] };
}

/** One cluster, as one account sees it. */
export interface ClusterSource {
  readonly context: string;
  readonly server: string;
  readonly isSample: boolean;
  /** The namespace to fall back to where nothing else may be read. */
  readonly namespace: string;
  version(o: CallOptions): Promise<string>;
  /** @throws HangarError k8s_forbidden, k8s_unreachable, k8s_refused */
  namespaces(o: CallOptions): Promise<readonly string[]>;
  /** Begins at once. `onChange` is called after each change of what is returned. */
  followPods(namespace: string | null, onChange: () => void): Followed<PodRow>;
  followNodes(onChange: () => void): Followed<NodeRow>;
  /**
   * Use by pod (`namespace/name`) as metrics.k8s.io has it; null where it is not there.
   * @throws HangarError k8s_forbidden
   */
  podUse(namespace: string | null, o: CallOptions): Promise<ReadonlyMap<string, Used> | null>;
  nodeUse(o: CallOptions): Promise<ReadonlyMap<string, Used> | null>;
  /** @throws HangarError pod_not_found, k8s_forbidden */
  pod(namespace: string, name: string, o: CallOptions): Promise<PodSeen>;
  /** Of one pod, newest first. @throws HangarError k8s_forbidden */
  events(namespace: string, podUid: string, o: CallOptions): Promise<readonly ClusterEvent[]>;
  /** @throws HangarError pod_not_found, pod_log_not_there, k8s_forbidden */
  log(namespace: string, name: string, o: PodLogOptions): Promise<AsyncIterable<readonly PodLogText[]>>;
}

export interface ClusterPlaces {
  readonly source: 'in_cluster' | 'kubeconfig' | 'sample' | null;
  readonly contexts: readonly ClusterContext[];
}

/** How clusters are reached from here. */
export interface ClusterReach {
  /** Looks again when the kubeconfig has changed. */
  places(): Promise<ClusterPlaces>;
  /** The same source for the same context, as long as its settings are the same. @throws HangarError cluster_not_connected */
  open(context: string | undefined): Promise<ClusterSource>;
}

/** How pods are named in a view. */
export const podKey = (pod: { readonly namespace: string; readonly name: string }): string =>
  `${pod.namespace}/${pod.name}`;
