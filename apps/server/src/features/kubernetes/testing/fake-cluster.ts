import { type ClusterEvent, HangarError } from '@hangar/contract';
import type { ClusterReach, ClusterSource, Followed, NodeRow, PodLogText, PodRow, PodSeen, Used } from '../cluster.ts';

export const podRow = (name: string, rest: Partial<PodRow> = {}): PodRow => ({
  uid: `uid-${rest.namespace ?? 'shop'}-${name}`,
  namespace: 'shop',
  name,
  state: 'running',
  status: 'Running',
  reason: null,
  ready: 1,
  containers: 1,
  restarts: 0,
  restartedAt: null,
  nodeName: 'node-1',
  createdAt: Date.UTC(2026, 4, 4, 14),
  ownerKind: null,
  ownerName: null,
  jobId: null,
  cpuRequested: null,
  cpuLimit: null,
  memoryRequested: null,
  memoryLimit: null,
  devicesRequested: null,
  ...rest,
});

const amounts = { capacity: 4, allocatable: 4 };
export const nodeRow = (name: string, rest: Partial<NodeRow> = {}): NodeRow => ({
  name,
  unschedulable: false,
  roles: [],
  version: 'v1.36.2',
  system: 'Debian, amd64',
  runtime: 'containerd',
  address: null,
  createdAt: null,
  conditions: [{ type: 'Ready', status: 'True', ok: true, reason: '', message: '', since: null }],
  taints: [],
  cpu: amounts,
  memory: { capacity: 8e9, allocatable: 8e9 },
  pods: { capacity: 110, allocatable: 110 },
  devices: [],
  ...rest,
});

/** One followed collection, driven by the test. */
class FakeFollowed<Row> implements Followed<Row> {
  readonly rows = new Map<string, Row>();
  isWhole = false;
  trouble: HangarError | null = null;
  trueAt = Date.now();
  closed = false;
  readonly #onChange: () => void;
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }
  put(key: string, row: Row): void {
    this.rows.set(key, row);
    this.#onChange();
  }
  remove(key: string): void {
    this.rows.delete(key);
    this.#onChange();
  }
  whole(): void {
    this.isWhole = true;
    this.trouble = null;
    this.#onChange();
  }
  fail(error: HangarError): void {
    this.trouble = error;
    this.#onChange();
  }
  close(): void {
    this.closed = true;
  }
}

export const forbidden = (what: string): HangarError =>
  new HangarError('k8s_forbidden', { message: `${what} is forbidden: User "ada" cannot list resource "${what}"` });

/** A cluster as the test says it is; counts what is followed. */
export class FakeCluster implements ClusterSource {
  readonly context = 'fake';
  readonly server = 'https://fake';
  readonly isSample = false;
  readonly namespace = 'default';
  /** By namespace, the whole cluster as ''. */
  readonly pods: { namespace: string; followed: FakeFollowed<PodRow> }[] = [];
  readonly nodes: FakeFollowed<NodeRow>[] = [];
  namespaceNames: string[] | HangarError = ['default'];
  use: ReadonlyMap<string, Used> | null = null;
  seen = new Map<string, PodSeen>();
  podEvents: ClusterEvent[] | HangarError = [];
  lines: PodLogText[][] = [];
  logAsked: unknown[] = [];
  podsAsked = 0;

  async version() {
    return '1.36.2';
  }
  async namespaces() {
    if (this.namespaceNames instanceof HangarError) throw this.namespaceNames;
    return this.namespaceNames;
  }
  followPods(namespace: string | null, onChange: () => void) {
    const followed = new FakeFollowed<PodRow>(onChange);
    this.pods.push({ namespace: namespace ?? '', followed });
    return followed;
  }
  followNodes(onChange: () => void) {
    const followed = new FakeFollowed<NodeRow>(onChange);
    this.nodes.push(followed);
    return followed;
  }
  async podUse() {
    return this.use;
  }
  async nodeUse() {
    return null;
  }
  async pod(namespace: string, name: string) {
    this.podsAsked += 1;
    const seen = this.seen.get(`${namespace}/${name}`);
    if (!seen) throw new HangarError('pod_not_found');
    return seen;
  }
  async events() {
    if (this.podEvents instanceof HangarError) throw this.podEvents;
    return this.podEvents;
  }
  async log(_namespace: string, _name: string, o: unknown) {
    this.logAsked.push(o);
    const { lines } = this;
    return (async function* () {
      yield* lines;
    })();
  }

  /** The collection that is followed now in this scope. */
  at(namespace = ''): FakeFollowed<PodRow> {
    const found = this.pods.findLast((one) => one.namespace === namespace && !one.followed.closed);
    if (!found) throw new Error(`nobody follows the pods of ${namespace || 'the cluster'}`);
    return found.followed;
  }
  get following(): string[] {
    return this.pods.filter(({ followed }) => !followed.closed).map(({ namespace }) => namespace);
  }
  fill(rows: readonly PodRow[], nodes: readonly NodeRow[] = [nodeRow('node-1')]): void {
    for (const row of rows) this.at().rows.set(`${row.namespace}/${row.name}`, row);
    this.at().whole();
    const followed = this.nodes.at(-1);
    for (const row of nodes) followed?.rows.set(row.name, row);
    followed?.whole();
  }
}

/** The way to one fake cluster; null: to none. */
export const reachOf = (cluster: FakeCluster | null): ClusterReach => ({
  async places() {
    return {
      source: cluster ? 'kubeconfig' : null,
      contexts: cluster ? [{ name: 'fake', cluster: 'https://fake', namespace: 'default', isCurrent: true }] : [],
    };
  },
  async open(context) {
    if (cluster && (context === undefined || context === 'fake')) return cluster;
    throw new HangarError('cluster_not_connected');
  },
});
