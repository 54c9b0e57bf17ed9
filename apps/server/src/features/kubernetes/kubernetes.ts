import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ClusterHealth,
  type ClusterNodes,
  type ClusterState,
  HangarError,
  type Pod,
  type PodDetail,
  type PodPage,
  type PodQuery,
} from '@hangar/contract';
import { LRUCache } from 'lru-cache';
import { type ClusterPlaces, type ClusterReach, type PodLogOptions, type PodLogText, podKey } from './cluster.ts';
import { countsOf } from './cluster-health.ts';
import { type Known, type OpenView, openClusterView, type ViewPatience } from './cluster-view.ts';
import { nodesOf } from './node-list.ts';
import { filterOf, fits, orderOf, pageInOrder, podOf, usedIn } from './pod-list.ts';

/** Somebody who asks while the first list comes in waits so long for all of it, then is given what there is. */
const WHOLE_MS = 250;
/** Nobody waits longer for a first word from the API server. */
const FIRST_WORD_MS = 10_000;
/** A pod that several people look at is asked for once in this time. */
const DETAIL_AGE_MS = 1_000;
const DETAILS_MOST = 200;
const NODE_NAMES_MOST = 1000;

export interface KubernetesParts {
  readonly reach: ClusterReach;
  /** The job of Hangar with this id; null when there is none, or none any more. */
  readonly jobOf: (jobId: string) => Promise<{ id: string; title: string } | null>;
  /** Namespaces that jobs run in: the server may look there, where it may not even list namespaces. */
  readonly namespacesOfJobs?: () => Promise<readonly string[]>;
  readonly patience?: Partial<ViewPatience>;
}

interface Asked {
  readonly context?: string | undefined;
  readonly signal: AbortSignal;
}

/** The cluster in view: one watch for all who look, everything filtered, sorted and paged here. */
export function createKubernetes(o: KubernetesParts) {
  /** By source: a context whose credentials changed is another source. */
  const views = new Map<string, OpenView>();
  const details = new LRUCache<string, Promise<PodDetail>>({ max: DETAILS_MOST, ttl: DETAIL_AGE_MS });

  /** @throws HangarError cluster_not_connected */
  async function viewOf(context: string | undefined): Promise<OpenView> {
    const source = await o.reach.open(context);
    const known = views.get(source.context);
    if (known?.source === source) return known;
    known?.stop();
    const view = openClusterView({
      source,
      alsoTry: o.namespacesOfJobs,
      ...(o.patience ? { patience: o.patience } : {}),
    });
    views.set(source.context, view);
    return view;
  }

  const counts = oncePerRevision((known: Known) => {
    const pods = known.pods === null ? null : known.pods.flatMap((rows) => [...rows.values()]);
    // Where nothing could be read, nothing is counted: no pods is not the same as none known.
    const isSeen = (pods?.length ?? 0) + (known.nodes?.size ?? 0) > 0 || (known.hasBegun && known.trouble === null);
    const nodes = known.nodes === null ? null : [...known.nodes.values()];
    return isSeen ? countsOf(nodes, pods, known.nodeUse) : countsOf(null, null, null);
  });
  const facets = oncePerRevision((known: Known) => {
    const namespaces = new Set<string>();
    const nodeNames = new Set<string>();
    let all = 0;
    for (const rows of known.pods ?? []) {
      all += rows.size;
      for (const row of rows.values()) {
        namespaces.add(row.namespace);
        if (row.nodeName !== null) nodeNames.add(row.nodeName);
      }
    }
    return {
      all,
      namespaces: [...namespaces].sort(),
      nodeNames: [...nodeNames].sort().slice(0, NODE_NAMES_MOST),
    };
  });

  /** Waits for something to show: a moment for all of it, longer for anything at all. */
  async function begun(view: OpenView, signal: AbortSignal): Promise<Known> {
    view.touch();
    const asked = performance.now();
    for (;;) {
      const known = view.known();
      const waited = performance.now() - asked;
      if (known.view.isWhole || known.trouble !== null) return known;
      if (waited >= (known.hasBegun ? WHOLE_MS : FIRST_WORD_MS) || signal.aborted) return known;
      const left = (known.hasBegun ? WHOLE_MS : FIRST_WORD_MS) - waited;
      const enough = new AbortController();
      const stop = AbortSignal.any([signal, enough.signal]);
      await Promise.race([
        view.untilChanged(known.revision, stop),
        sleep(left, undefined, { signal: stop }).catch(() => undefined),
      ]);
      enough.abort();
    }
  }

  /** What there is to show; @throws what stands in the way when there is nothing. */
  async function shown(asked: Asked): Promise<Known> {
    const known = await begun(await viewOf(asked.context), asked.signal);
    if (known.trouble !== null && !known.view.isWhole && !(known.pods ?? []).some(({ size }) => size > 0))
      throw known.trouble;
    return known;
  }

  function podPage(known: Known, query: PodQuery): PodPage {
    if (known.pods === null) throw forbidden(known, 'pods');
    const filter = filterOf(query);
    const found = [];
    for (const rows of known.pods) for (const row of rows.values()) if (fits(row, filter)) found.push(row);
    const total = found.length;
    const used = usedIn(known.podUse);
    return {
      items: pageInOrder(found, orderOf(query.sort, known.podUse), query.offset, query.limit).map((row) =>
        podOf(row, used(row)),
      ),
      total,
      ...facets(known),
      view: known.view,
    };
  }

  function nodeList(known: Known): ClusterNodes {
    if (known.nodes === null) throw forbidden(known, 'nodes');
    const pods =
      known.pods === null || known.view.namespaces !== null ? null : known.pods.flatMap((rows) => [...rows.values()]);
    return { items: nodesOf(known.nodes.values(), pods, known.nodeUse), view: known.view };
  }

  async function healthOf(places: ClusterPlaces, view: OpenView, known: Known): Promise<ClusterHealth> {
    const { state, detail, wayOut } = standing(known);
    return {
      state,
      detail,
      wayOut,
      source: places.source,
      server: view.source.server,
      version: known.version,
      contexts: [...places.contexts],
      view: known.view,
      ...counts(known),
      metrics: metricsOf(known),
    };
  }

  return {
    /** Answers whatever is the matter: that is what it is asked for. */
    async health(asked: Asked): Promise<ClusterHealth> {
      const places = await o.reach.places();
      try {
        const view = await viewOf(asked.context);
        return await healthOf(places, view, await begun(view, asked.signal));
      } catch (error) {
        if (!(error instanceof HangarError) || error.code !== 'cluster_not_connected') throw error;
        return notConnected(places, error);
      }
    },
    async nodes(asked: Asked): Promise<ClusterNodes> {
      return nodeList(await shown(asked));
    },
    async pods(query: PodQuery, signal: AbortSignal): Promise<PodPage> {
      return podPage(await shown({ context: query.context, signal }), query);
    },

    async pod(namespace: string, name: string, asked: Asked): Promise<PodDetail> {
      const { source } = await viewOf(asked.context);
      const key = `${source.context} ${namespace}/${name}`;
      const recent = details.get(key);
      if (recent) return recent;
      // Not stopped with the first who asks: others may wait for the same answer. The source has a deadline.
      const answer = detailOf(source, namespace, name, AbortSignal.timeout(30_000));
      details.set(key, answer);
      answer.catch(() => details.delete(key));
      return answer;
    },

    async log(
      context: string | undefined,
      namespace: string,
      name: string,
      options: PodLogOptions,
    ): Promise<AsyncIterable<readonly PodLogText[]>> {
      const { source } = await viewOf(context);
      return source.log(namespace, name, options);
    },

    /** For those who follow what is shown: the view, and how each part of it is made. */
    async follow(context: string | undefined) {
      const view = await viewOf(context);
      const places = await o.reach.places();
      return {
        view,
        health: (known: Known) => healthOf(places, view, known),
        nodes: nodeList,
        pods: podPage,
      };
    },

    /** Pods that fit a text, of clusters that somebody looks at anyway: a search begins no watch of its own. */
    find(text: string, limit: number): { context: string; pod: Pod }[] {
      const filter = filterOf({ search: text });
      return [...views.values()].flatMap((view) => {
        if (!view.isRunning) return [];
        const known = view.known();
        const rows = (known.pods ?? []).flatMap((pods) => [...pods.values()].filter((row) => fits(row, filter)));
        return pageInOrder(rows, orderOf('attention', null), 0, limit).map((row) => ({
          context: known.view.context,
          pod: podOf(row, undefined),
        }));
      });
    },

    /** Views that are held now; for the metrics of this server. */
    running: (): number => [...views.values()].filter(({ isRunning }) => isRunning).length,

    close(): void {
      for (const view of views.values()) view.stop();
      views.clear();
    },
  };

  async function detailOf(
    source: OpenView['source'],
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<PodDetail> {
    const { row, rest } = await source.pod(namespace, name, { signal });
    const known = views.get(source.context)?.known();
    const events = await source.events(namespace, row.uid, { signal }).catch((error: unknown) => {
      if (error instanceof HangarError && error.code === 'k8s_forbidden') return error;
      throw error;
    });
    const isDenied = events instanceof HangarError;
    return {
      ...podOf(row, known?.podUse?.get(podKey(row))),
      ...rest,
      runs: [...rest.runs],
      events: isDenied ? [] : [...events],
      eventsDenied: isDenied ? { what: 'events', namespace, message: events.message } : null,
      job: row.jobId === null ? null : await o.jobOf(row.jobId),
    };
  }
}
export type Kubernetes = ReturnType<typeof createKubernetes>;

/** Made once for all who ask of the same view before it changes: counting 30,000 pods is too much to do for each of 50 viewers. */
function oncePerRevision<T>(make: (known: Known) => T): (known: Known) => T {
  const made = new WeakMap<object, { revision: number; value: T }>();
  return (known) => {
    const old = made.get(known.of);
    if (old?.revision === known.revision) return old.value;
    const value = make(known);
    made.set(known.of, { revision: known.revision, value });
    return value;
  };
}

function forbidden(known: Known, what: 'pods' | 'nodes'): HangarError {
  const denial = known.view.denied.find((one) => one.what === what);
  return new HangarError('k8s_forbidden', {
    message: `This server may not read ${what} in the Kubernetes cluster. ${denial?.message ?? ''}`.trim(),
    details: { denied: known.view.denied },
  });
}

/** How the connection stands, in one word and one sentence. */
function standing(known: Known): { state: ClusterState; detail: string; wayOut: string | null } {
  const { trouble } = known;
  if (trouble !== null)
    return {
      state: trouble.code === 'k8s_refused' ? 'refused' : 'unreachable',
      detail: trouble.message,
      wayOut: trouble.wayOut,
    };
  if (known.pods === null && known.nodes === null) {
    const { message, wayOut } = forbidden(known, 'pods');
    return { state: 'forbidden', detail: message, wayOut };
  }
  if (!known.hasBegun) return { state: 'connecting', detail: 'Waiting for the API server.', wayOut: null };
  return {
    state: 'connected',
    detail: known.view.isSample ? 'Sample data of the demo mode.' : 'Connected.',
    wayOut: null,
  };
}

function metricsOf(known: Known): ClusterHealth['metrics'] {
  if (known.podUse !== null) return { available: true, detail: 'CPU and memory in use come from metrics.k8s.io.' };
  const denial = known.view.denied.find(({ what }) => what === 'metrics');
  return {
    available: false,
    detail: denial?.message ?? 'metrics.k8s.io does not answer: install metrics-server to see what is in use.',
  };
}

function notConnected(places: ClusterPlaces, error: HangarError): ClusterHealth {
  return {
    state: 'not_connected',
    detail: error.message,
    wayOut: error.wayOut,
    source: places.source,
    server: null,
    version: null,
    contexts: [...places.contexts],
    view: null,
    nodes: null,
    pods: null,
    waiting: [],
    resources: null,
    metrics: { available: false, detail: 'No cluster is connected.' },
  };
}
