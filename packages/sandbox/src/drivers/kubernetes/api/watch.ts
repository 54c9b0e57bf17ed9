import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import { z } from 'zod';
import { ApiError, type ClusterApi } from './api.ts';

const PAGE = 500;
const LIST_DEADLINE_MS = 60_000;
/** How long one watch request lasts; the server ends it then and the next one goes on from where it was. */
const WATCH_SECONDS = 280;
/** Bookmarks come about every minute: a connection that is silent for longer is taken for dead. */
const SILENCE_MS = 100_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

/** An object as the API server sends it. Nothing in it is checked but its name. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export type Change<T> =
  | { readonly kind: 'set'; readonly key: string; readonly object: T }
  /** `object` as it was seen last; a pod's end is often seen only here. */
  | { readonly kind: 'gone'; readonly key: string; readonly object: T };

export interface WatchOptions<T> {
  readonly api: ClusterApi;
  /** Of the list: `/api/v1/pods`, `/apis/batch/v1/namespaces/NAME/jobs`. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Keeps of an object what is needed, which is what 30,000 of them cost; null leaves it out. */
  readonly read: (object: KubernetesObject) => T | null;
  readonly log: Logger;
  /** Objects a request when listing. */
  readonly page?: number;
  /** Told of each state that is entered, such as `away`; changes of objects are told to those who subscribe. */
  readonly onState?: (state: WatchState) => void;
}

/** What the watch knows of the server at this moment. `sinceMs` is of performance.now(). */
export type WatchState =
  | { readonly kind: 'listing' }
  | { readonly kind: 'watching' }
  /** It does not answer, or refuses (ApiError 403, 404). What is held is the last that was heard; it is tried again. */
  | { readonly kind: 'away'; readonly error: unknown; readonly sinceMs: number };

/**
 * One resource of one cluster, held in memory and kept true by list and watch: resumed where it was cut, listed anew when
 * the server has forgotten that place, tried again for ever with a growing pause. Any number of readers.
 */
export interface Watch<T> extends AsyncDisposable {
  /**
   * Live, by `namespace/name` (or `name`). The first list is told page by page, before it is ready; while it is listed anew
   * the old objects stay until the list is whole.
   */
  readonly objects: ReadonlyMap<string, T>;
  /** Resolves when the first list is whole. @throws what the server said when it refused, or the signal's reason */
  ready(signal: AbortSignal): Promise<void>;
  state(): WatchState;
  /** Milliseconds since the server last said anything here, bookmarks among it; Infinity before it ever did. */
  heardMs(): number;
  /** Called with all changes of a moment together, never with an empty list. Gives what ends it. */
  subscribe(listener: (changes: readonly Change<T>[]) => void): () => void;
}

const Page = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.custom<KubernetesObject>(isObject)).nullish(),
});
const Event = z.object({ type: z.string(), object: z.looseObject({}) });

export const keyOf = (object: KubernetesObject): string =>
  object.metadata.namespace === undefined
    ? object.metadata.name
    : `${object.metadata.namespace}/${object.metadata.name}`;

/** Begins at once and goes on until it is disposed of. */
export function watch<T>(o: WatchOptions<T>): Watch<T> {
  const objects = new Map<string, T>();
  const listeners = new Set<(changes: readonly Change<T>[]) => void>();
  const ending = new AbortController();
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => {});
  let state: WatchState = { kind: 'listing' };
  let heardAt = Number.NEGATIVE_INFINITY;
  /** Where to go on; null: list. */
  let version: string | null = null;
  let wasListed = false;
  const query = { labelSelector: o.labelSelector, fieldSelector: o.fieldSelector };

  function be(next: WatchState): void {
    state = next;
    o.onState?.(next);
  }

  function tell(changes: readonly Change<T>[]): void {
    if (changes.length === 0) return;
    for (const listener of listeners) {
      try {
        listener(changes);
      } catch (error) {
        o.log.error({ err: error, path: o.path }, 'a reader of a watch failed');
      }
    }
  }

  /** All pages of one moment of the cluster; then the differences to what was known. */
  async function list(): Promise<void> {
    const found = new Map<string, T>();
    let next: string | undefined;
    let at = '';
    do {
      const call = { signal: ending.signal, deadlineMs: LIST_DEADLINE_MS };
      const page = Page.safeParse(
        await o.api.json('GET', o.path, {
          ...call,
          query: { ...query, limit: String(o.page ?? PAGE), continue: next },
        }),
      );
      if (!page.success) throw unknown(`a list of ${o.path}`);
      heardAt = performance.now();
      const early: Change<T>[] = [];
      for (const item of page.data.items ?? []) {
        const kept = o.read(item);
        if (kept === null) continue;
        const key = keyOf(item);
        found.set(key, kept);
        if (wasListed) continue;
        objects.set(key, kept);
        early.push({ kind: 'set', key, object: kept });
      }
      tell(early);
      next = page.data.metadata.continue || undefined;
      at = page.data.metadata.resourceVersion;
    } while (next !== undefined);
    const changes: Change<T>[] = [];
    for (const [key, object] of objects) {
      if (found.has(key)) continue;
      objects.delete(key);
      changes.push({ kind: 'gone', key, object });
    }
    if (wasListed) {
      for (const [key, object] of found) {
        objects.set(key, object);
        changes.push({ kind: 'set', key, object });
      }
    }
    wasListed = true;
    version = at;
    first.resolve();
    tell(changes);
  }

  /** One watch request, to its end. */
  async function follow(from: string): Promise<void> {
    const cut = new AbortController();
    const response = await o.api.stream(o.path, {
      query: {
        ...query,
        ...{ watch: '1', resourceVersion: from, allowWatchBookmarks: 'true' },
        // Not all of them at the same moment.
        timeoutSeconds: String(Math.round(WATCH_SECONDS * (1 - Math.random() / 4))),
      },
      signal: AbortSignal.any([ending.signal, cut.signal]),
    });
    be({ kind: 'watching' });
    heardAt = performance.now();
    const silence = setTimeout(() => cut.abort(new Error('the watch fell silent')), SILENCE_MS);
    silence.unref();
    try {
      for await (const lines of linesOf(response)) {
        heardAt = performance.now();
        silence.refresh();
        apply(lines);
      }
    } catch (error) {
      // Cut in the middle: nothing is lost, the next request goes on from the last event that was read.
      if (error instanceof Expired || ending.signal.aborted) throw error;
      o.log.debug({ err: error, path: o.path }, 'a watch was cut');
    } finally {
      clearTimeout(silence);
      response.destroy();
    }
  }

  function apply(lines: readonly string[]): void {
    const changes: Change<T>[] = [];
    try {
      for (const line of lines) {
        const event = Event.safeParse(JSON.parse(line));
        if (!event.success) throw unknown('an event');
        const { type, object } = event.data;
        if (type === 'ERROR')
          throw new Expired(String(object.message ?? object.reason ?? 'the server ended the watch'));
        const seen = (object.metadata as { resourceVersion?: unknown } | undefined)?.resourceVersion;
        if (typeof seen === 'string') version = seen;
        if (type === 'BOOKMARK' || !isObject(object)) continue;
        const key = keyOf(object);
        const kept = o.read(object);
        const before = objects.get(key);
        if (type === 'DELETED' || kept === null) {
          objects.delete(key);
          const last = kept ?? before;
          if (last !== undefined) changes.push({ kind: 'gone', key, object: last });
        } else {
          objects.set(key, kept);
          changes.push({ kind: 'set', key, object: kept });
        }
      }
    } finally {
      tell(changes);
    }
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!ending.signal.aborted) {
      const begun = performance.now();
      try {
        if (version === null) {
          if (state.kind !== 'away') be({ kind: 'listing' });
          await list();
        } else await follow(version);
        // A server that accepts and cuts at once must not be asked without a pause.
        failures = performance.now() - begun < 1_000 && state.kind === 'watching' ? failures + 1 : 0;
        if (failures < 2) continue;
      } catch (error) {
        if (ending.signal.aborted) break;
        if (error instanceof Expired || (error instanceof ApiError && error.status === 410)) {
          o.log.debug({ err: error, path: o.path }, 'the place in a watch is gone; listing anew');
          version = null;
          failures += 1;
          if (failures < 2) continue;
        } else {
          failures += 1;
          if (state.kind !== 'away') o.log.info({ err: error, path: o.path }, 'a watch is cut off; trying again');
          be({ kind: 'away', error, sinceMs: state.kind === 'away' ? state.sinceMs : performance.now() });
          if (error instanceof ApiError) first.reject(error);
        }
      }
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal: ending.signal }).catch(() => {});
    }
  }
  const running = run();

  return {
    objects,
    state: () => state,
    heardMs: () => performance.now() - heardAt,
    async ready(signal) {
      if (heardAt > 0 && version !== null) return;
      // A refusal is told to who asks now; the next one to ask may be luckier.
      if (state.kind === 'away' && state.error instanceof ApiError) throw state.error;
      const aborted = Promise.withResolvers<never>();
      const abort = () => aborted.reject(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      await Promise.race([first.promise, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('the watch is over'));
      first.reject(ending.signal.reason);
      await running;
    },
  };
}

/** The server no longer knows the place where the watch was: it has to be listed anew. */
class Expired extends Error {}

function isObject(value: unknown): value is KubernetesObject {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false;
  const { metadata } = value;
  return typeof metadata === 'object' && metadata !== null && 'name' in metadata && typeof metadata.name === 'string';
}

const unknown = (what: string): HangarError =>
  new HangarError('driver_unavailable', { message: `The Kubernetes API server described ${what} in a way unknown.` });

/** Whole lines, as many as came together. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string[]> {
  let rest: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const end = chunk.lastIndexOf(10);
    if (end < 0) {
      rest.push(chunk);
      continue;
    }
    const whole = Buffer.concat([...rest, chunk.subarray(0, end)]).toString('utf8');
    rest = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
    const lines = whole.split('\n').filter((line) => line !== '');
    if (lines.length > 0) yield lines;
  }
}
