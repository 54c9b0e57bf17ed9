import { type ClusterEvent, HangarError } from '@hangar/contract';
import {
  ApiError,
  type ClusterApi,
  type Connection,
  isStatus,
  type KubernetesObject,
  LABEL,
  type WatchOptions,
  watch,
} from '@hangar/sandbox/kubernetes';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { ClusterSource, Followed, Used } from '../../../features/kubernetes/index.ts';
import { nodeRow } from './node-row.ts';
import { eventOf, podSeen } from './pod-detail.ts';
import { podLogLines, utc } from './pod-log.ts';
import { type JobOf, podRow, type RawPod } from './pod-row.ts';
import { quantity } from './quantity.ts';
import { asViewError } from './reads.ts';

const EVENTS_MOST = 200;
const NAMESPACES_MOST = 5_000;
/** Different words that are kept once for all pods: names of nodes, owners and namespaces, reasons. */
const WORDS_MOST = 50_000;
const USE_DEADLINE_MS = 20_000;

const Items = z.object({
  metadata: z.object({ continue: z.string().optional() }).optional(),
  items: z.array(z.custom<KubernetesObject>((value) => typeof value === 'object' && value !== null)).nullish(),
});
const Use = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  containers: z.array(z.object({ usage: z.record(z.string(), z.string()) })).optional(),
  usage: z.record(z.string(), z.string()).optional(),
});

export interface SourceOptions {
  readonly connection: Connection;
  /** Of this Hangar: pods of another one's jobs are only pods. */
  readonly instanceId: string;
  readonly log: Logger;
}

/** A cluster as the view reads it, through the one list and watch there is. */
export function createClusterSource({ connection, instanceId, log }: SourceOptions): ClusterSource {
  const { api } = connection;
  const jobOf: JobOf = (labels) => (labels[LABEL.instance] === instanceId ? (labels[LABEL.id] ?? null) : null);
  const pathOf = (namespace: string | null, noun: string) =>
    `/api/v1${namespace === null ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${noun}`;
  const read = async (path: string, call: Parameters<ClusterApi['json']>[2]): Promise<unknown> => {
    try {
      return await api.json('GET', path, call);
    } catch (error) {
      throw asViewError(error);
    }
  };

  async function podObject(namespace: string, name: string, signal: AbortSignal): Promise<KubernetesObject> {
    try {
      return (await api.json('GET', `${pathOf(namespace, 'pods')}/${name}`, { signal })) as KubernetesObject;
    } catch (error) {
      throw isStatus(error, 404) ? noPod(namespace, name) : asViewError(error);
    }
  }

  /** null where metrics.k8s.io is not there or has nothing yet. */
  async function use(path: string, keyed: boolean, signal: AbortSignal): Promise<ReadonlyMap<string, Used> | null> {
    try {
      const answer = await api.json('GET', `/apis/metrics.k8s.io/v1beta1${path}`, {
        signal,
        deadlineMs: USE_DEADLINE_MS,
      });
      const { items } = z.object({ items: z.array(Use) }).parse(answer);
      return new Map(
        items.map(({ metadata, containers, usage }) => [
          keyed ? `${metadata.namespace}/${metadata.name}` : metadata.name,
          {
            cpu: sum([usage, ...(containers ?? []).map((one) => one.usage)], 'cpu'),
            memory: sum([usage, ...(containers ?? []).map((one) => one.usage)], 'memory'),
          },
        ]),
      );
    } catch (error) {
      if (signal.aborted) throw error;
      if (isStatus(error, 401, 403)) throw asViewError(error);
      log.debug({ err: error, path }, 'metrics.k8s.io has no answer');
      return null;
    }
  }

  return {
    context: connection.context ?? 'in-cluster',
    server: api.server,
    isSample: false,
    namespace: connection.namespace,

    async version({ signal }) {
      const answer = z.object({ gitVersion: z.string() }).parse(await read('/version', { signal }));
      return answer.gitVersion.replace(/^v/, '');
    },

    async namespaces({ signal }) {
      const names: string[] = [];
      let next: string | undefined;
      do {
        const page = Items.parse(await read('/api/v1/namespaces', { signal, query: { limit: '500', continue: next } }));
        names.push(...(page.items ?? []).map(({ metadata }) => metadata.name));
        next = page.metadata?.continue || undefined;
      } while (next !== undefined && names.length < NAMESPACES_MOST);
      return names;
    },

    followPods(namespace, onChange) {
      const share = sharedWords();
      return follow(
        { api, log, path: pathOf(namespace, 'pods'), read: (object) => podRow(object, jobOf, share) },
        onChange,
      );
    },
    followNodes: (onChange) => follow({ api, log, path: '/api/v1/nodes', read: nodeRow }, onChange),

    podUse: (namespace, { signal }) =>
      use(namespace === null ? '/pods' : `/namespaces/${encodeURIComponent(namespace)}/pods`, true, signal),
    nodeUse: ({ signal }) => use('/nodes', false, signal),

    pod: async (namespace, name, { signal }) => podSeen(await podObject(namespace, name, signal), jobOf),

    async events(namespace, podUid, { signal }) {
      const query = { fieldSelector: `involvedObject.uid=${podUid}`, limit: '1000' };
      const page = Items.parse(await read(pathOf(namespace, 'events'), { signal, query }));
      return (page.items ?? []).map(eventOf).sort(newestFirst).slice(0, EVENTS_MOST);
    },

    async log(namespace, name, o) {
      const container = o.container ?? firstContainer(await podObject(namespace, name, o.signal));
      try {
        const response = await api.stream(`${pathOf(namespace, 'pods')}/${name}/log`, {
          signal: o.signal,
          query: {
            timestamps: 'true',
            container,
            ...(o.follow ? { follow: 'true' } : {}),
            ...(o.previous ? { previous: 'true' } : {}),
            ...(o.tail === null ? {} : { tailLines: String(o.tail) }),
            ...(o.after === null ? {} : { sinceTime: o.after }),
          },
        });
        return podLogLines(response, o.after === null ? null : utc(o.after));
      } catch (error) {
        if (isStatus(error, 404)) throw noPod(namespace, name);
        // "container web in pod web-1 is waiting to start: ContainerCreating", "previous terminated container not found"
        if (error instanceof ApiError && error.status === 400)
          throw new HangarError('pod_log_not_there', {
            message: `${error.message}.`.replace(/\.\.$/, '.'),
            cause: error,
          });
        throw asViewError(error);
      }
    },
  };
}

/** One watch as the view follows it. */
function follow<Row>(options: Omit<WatchOptions<Row>, 'onState'>, onChange: () => void): Followed<Row> {
  let isWhole = false;
  let trouble: HangarError | null = null;
  let trueAt = Date.now();
  let isClosed = false;
  const changed = () => {
    if (!isClosed) onChange();
  };
  const watched = watch<Row>({
    ...options,
    onState(state) {
      if (state.kind === 'listing') return;
      if (state.kind === 'away' && trouble === null) trueAt = Date.now();
      trouble = state.kind === 'away' ? asTrouble(state.error) : null;
      isWhole ||= state.kind === 'watching';
      changed();
    },
  });
  watched.subscribe(changed);
  return {
    rows: watched.objects,
    get isWhole() {
      return isWhole;
    },
    get trouble() {
      return trouble;
    },
    get trueAt() {
      return trouble === null ? Date.now() : trueAt;
    },
    close() {
      isClosed = true;
      void watched[Symbol.asyncDispose]();
    },
  };
}

function asTrouble(error: unknown): HangarError {
  const told = asViewError(error);
  if (told instanceof HangarError) return told;
  return new HangarError('k8s_unreachable', { cause: error });
}

const noPod = (namespace: string, name: string): HangarError =>
  new HangarError('pod_not_found', { message: `There is no pod ${name} in namespace ${namespace}.` });

const newestFirst = (a: ClusterEvent, b: ClusterEvent): number => ((a.lastAt ?? '') < (b.lastAt ?? '') ? 1 : -1);

function firstContainer(object: KubernetesObject): string | undefined {
  const { metadata, spec } = object as RawPod;
  return metadata.annotations?.['kubectl.kubernetes.io/default-container'] ?? spec?.containers?.[0]?.name;
}

function sum(parts: readonly (Readonly<Record<string, string>> | undefined)[], name: string): number {
  return parts.reduce((total, part) => total + (quantity(part?.[name]) ?? 0), 0);
}

/** Equal texts become one; forgotten and begun anew when there are too many, for reasons hold names and numbers. */
function sharedWords(): (text: string) => string {
  const words = new Map<string, string>();
  return (text) => {
    const known = words.get(text);
    if (known !== undefined) return known;
    if (words.size >= WORDS_MOST) words.clear();
    words.set(text, text);
    return text;
  };
}
