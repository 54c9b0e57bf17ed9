import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterView, type Denial, HangarError } from '@hangar/contract';
import type { ClusterSource, Followed, NodeRow, PodRow, Used } from './cluster.ts';

export interface ViewPatience {
  /** How long a view goes on after its last viewer. */
  readonly lingerMs: number;
  /** How often use is measured. */
  readonly useEveryMs: number;
  /** How often what was refused is tried again: rights may have been given. */
  readonly refusedEveryMs: number;
  /** Namespaces that are looked at one by one where the cluster as a whole may not be. */
  readonly namespacesMost: number;
}

const VIEW_PATIENCE: ViewPatience = {
  lingerMs: 5 * 60_000,
  useEveryMs: 20_000,
  refusedEveryMs: 60_000,
  namespacesMost: 100,
};

/** What is known of one cluster now. The maps are live: read them at once, and keep nothing of them. */
export interface Known {
  /** The view it is of, told apart from others by this object. */
  readonly of: object;
  /** Each change gives another number. */
  readonly revision: number;
  /** By scope; null where no pods may be read. */
  readonly pods: readonly ReadonlyMap<string, PodRow>[] | null;
  /** null where nodes may not be read. */
  readonly nodes: ReadonlyMap<string, NodeRow> | null;
  readonly podUse: ReadonlyMap<string, Used> | null;
  readonly nodeUse: ReadonlyMap<string, Used> | null;
  readonly version: string | null;
  readonly view: ClusterView;
  readonly trouble: HangarError | null;
  /** There is something to show, or a reason why not. */
  readonly hasBegun: boolean;
}

/** One cluster as all viewers see it: one watch of pods and one of nodes, from the first viewer until a while after the last. */
export interface OpenView {
  readonly source: ClusterSource;
  known(): Known;
  /** Somebody looks now. */
  touch(): void;
  /** Somebody looks until the returned function is called. */
  hold(): () => void;
  /** Resolves when there is another revision than this, or when the signal aborts. */
  untilChanged(revision: number, signal: AbortSignal): Promise<void>;
  readonly isRunning: boolean;
  stop(): void;
}

const isForbidden = (error: unknown): error is HangarError =>
  error instanceof HangarError && error.code === 'k8s_forbidden';

/** What runs while somebody looks. */
interface Run {
  readonly ending: AbortController;
  readonly all: Followed<PodRow>;
  readonly nodes: Followed<NodeRow>;
  /** Namespaces one by one, where the cluster as a whole may not be read. */
  readonly apart: Map<string, Followed<PodRow>>;
  isApart: boolean;
  /** The namespaces to try are known. */
  isApartKnown: boolean;
  readonly denied: Map<string, Denial>;
  podUse: ReadonlyMap<string, Used> | null;
  nodeUse: ReadonlyMap<string, Used> | null;
}

export function openClusterView(o: {
  source: ClusterSource;
  /** Namespaces that may be readable where a list of all is refused. */
  alsoTry?: (() => Promise<readonly string[]>) | undefined;
  patience?: Partial<ViewPatience>;
  clock?: () => number;
}): OpenView {
  const { source } = o;
  const patience = { ...VIEW_PATIENCE, ...o.patience };
  const clock = o.clock ?? Date.now;
  let run: Run | null = null;
  let holders = 0;
  let linger: NodeJS.Timeout | undefined;
  let version: string | null = null;

  let revision = 0;
  const waiting = new Set<() => void>();
  const changed = () => {
    revision += 1;
    for (const wake of [...waiting]) wake();
  };

  function start(): void {
    const ending = new AbortController();
    const begun: Run = {
      ending,
      all: source.followPods(null, () => podsChanged(begun)),
      nodes: source.followNodes(changed),
      apart: new Map(),
      isApart: false,
      isApartKnown: false,
      denied: new Map(),
      podUse: null,
      nodeUse: null,
    };
    run = begun;
    void measureUse(begun);
    void readVersion(ending.signal);
  }

  function stop(): void {
    clearTimeout(linger);
    if (run === null) return;
    run.ending.abort();
    for (const followed of [run.all, run.nodes, ...run.apart.values()]) followed.close();
    run = null;
    changed();
  }

  /** The whole cluster where that is allowed; else each namespace that is. */
  function podsChanged(at: Run): void {
    if (at.isApart && at.all.trouble === null && at.all.isWhole) {
      at.isApart = false;
      for (const followed of at.apart.values()) followed.close();
      at.apart.clear();
      for (const [key, { what }] of at.denied) if (what === 'pods' || what === 'namespaces') at.denied.delete(key);
    } else if (!at.isApart && isForbidden(at.all.trouble)) {
      at.isApart = true;
      void followApart(at);
    }
    changed();
  }

  async function followApart(at: Run): Promise<void> {
    const { signal } = at.ending;
    while (at.isApart && !signal.aborted) {
      const wanted = (await namespacesToTry(at)).slice(0, patience.namespacesMost);
      if (signal.aborted || !at.isApart) return;
      for (const namespace of wanted) if (!at.apart.has(namespace)) followOne(at, namespace);
      at.isApartKnown = true;
      changed();
      await pause(patience.refusedEveryMs, signal);
    }
  }

  function followOne(at: Run, namespace: string): void {
    const key = `pods ${namespace}`;
    const followed = source.followPods(namespace, () => {
      if (at.apart.get(namespace) !== followed) return;
      if (isForbidden(followed.trouble)) {
        at.denied.set(key, { what: 'pods', namespace, message: followed.trouble.message });
        at.apart.delete(namespace);
        followed.close();
      } else if (followed.trouble === null) at.denied.delete(key);
      changed();
    });
    at.apart.set(namespace, followed);
  }

  async function namespacesToTry(at: Run): Promise<string[]> {
    try {
      const found = await source.namespaces({ signal: at.ending.signal });
      at.denied.delete('namespaces');
      // That of the context first: it is the likeliest.
      return [...found].sort((a, b) => Number(b === source.namespace) - Number(a === source.namespace));
    } catch (error) {
      if (isForbidden(error))
        at.denied.set('namespaces', { what: 'namespaces', namespace: null, message: error.message });
      const others = (await o.alsoTry?.().catch(() => [])) ?? [];
      return [...new Set([source.namespace, ...others])];
    }
  }

  async function measureUse(at: Run): Promise<void> {
    const { signal } = at.ending;
    while (!signal.aborted) {
      try {
        const scopes = at.isApart ? [...at.apart.keys()] : [null];
        let refusal: unknown = null;
        const found = await Promise.all(
          scopes.map((scope) =>
            source.podUse(scope, { signal }).catch((error: unknown) => {
              if (!isForbidden(error)) throw error;
              refusal = error;
              return null;
            }),
          ),
        );
        const known = found.filter((one) => one !== null);
        if (known.length === 0 && refusal !== null) throw refusal;
        at.podUse =
          known.length === 0
            ? null
            : known.length === 1
              ? (known[0] ?? null)
              : new Map(known.flatMap((one) => [...one]));
        at.nodeUse = at.podUse === null || isForbidden(at.nodes.trouble) ? null : await source.nodeUse({ signal });
        at.denied.delete('metrics');
        changed();
      } catch (error) {
        // What was in use before the right was taken away says nothing of now.
        if (isForbidden(error) && !at.denied.has('metrics')) {
          at.podUse = null;
          at.nodeUse = null;
          at.denied.set('metrics', { what: 'metrics', namespace: null, message: error.message });
          changed();
        }
      }
      // Soon after the begin it may be known that namespaces have to be asked one by one.
      await pause(at.podUse === null && !at.isApart ? patience.refusedEveryMs : patience.useEveryMs, signal);
    }
  }

  async function readVersion(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const read = await source.version({ signal }).catch(() => null);
      if (read !== null && read !== version) {
        version = read;
        changed();
      }
      await pause(read === null ? 5_000 : 10 * 60_000, signal);
    }
  }

  function known(): Known {
    const pods = run === null ? [] : run.isApart ? [...run.apart.values()] : [run.all];
    const areNodesDenied = run !== null && isForbidden(run.nodes.trouble);
    const parts = [...pods, ...(run === null || areNodesDenied ? [] : [run.nodes])];
    const isDecided = run !== null && (!run.isApart || run.isApartKnown);
    const isWhole = isDecided && parts.every((part) => part.isWhole);
    const trouble = parts.find((part) => part.trouble !== null)?.trouble ?? null;
    const trueAt = Math.min(clock(), ...parts.map((part) => part.trueAt));
    const arePodsDenied = isDecided && pods.length === 0;
    return {
      of: waiting,
      revision,
      pods: arePodsDenied ? null : pods.map(({ rows }) => rows),
      nodes: areNodesDenied ? null : (run?.nodes.rows ?? null),
      podUse: run?.podUse ?? null,
      nodeUse: run?.nodeUse ?? null,
      version,
      trouble,
      hasBegun: trouble !== null || isWhole || pods.some((part) => part.rows.size > 0),
      view: {
        context: source.context,
        isSample: source.isSample,
        live: run !== null && trouble === null,
        asOf: new Date(trueAt).toISOString(),
        isWhole,
        namespaces: run?.isApart ? [...run.apart.keys()].sort() : null,
        denied: run === null ? [] : denials(run),
        trouble: trouble === null ? null : { code: trouble.code, message: trouble.message, wayOut: trouble.wayOut },
      },
    };
  }

  function rest(): void {
    clearTimeout(linger);
    if (holders > 0 || run === null) return;
    linger = setTimeout(stop, patience.lingerMs);
    linger.unref();
  }

  function touch(): void {
    if (run === null) start();
    rest();
  }

  return {
    source,
    known,
    touch,
    hold() {
      holders += 1;
      touch();
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        holders -= 1;
        rest();
      };
    },
    untilChanged: (since, signal) =>
      new Promise((resolve) => {
        if (revision !== since || signal.aborted) return resolve();
        const wake = () => {
          signal.removeEventListener('abort', wake);
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      }),
    get isRunning() {
      return run !== null;
    },
    stop,
  };
}

/** What may not be read: the cluster as a whole first, then by namespace. */
function denials(run: Run): Denial[] {
  const whole: Denial[] = [];
  if (isForbidden(run.all.trouble)) whole.push({ what: 'pods', namespace: null, message: run.all.trouble.message });
  if (isForbidden(run.nodes.trouble))
    whole.push({ what: 'nodes', namespace: null, message: run.nodes.trouble.message });
  return [...whole, ...run.denied.values()];
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);
