import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { ClusterApi } from '../api/api.ts';
import { type Watch, watch } from '../api/watch.ts';
import { LABEL } from './labels.ts';
import { type PodSeen, readPod } from './pod.ts';

/** A watch that nobody asked for so long is ended. */
const IDLE_MS = 10 * 60_000;
/** How long what was heard last still counts while the API server is away. */
const AWAY_MS = 5_000;
/** Ends of pods that are gone, kept in memory. */
const MOST_ENDS = 5_000;

/** The pods of this Hangar in one namespace, by unit, from one watch. */
export interface Pods {
  /** @throws HangarError driver_unavailable when the API server has not been heard for a while, or what it refused with */
  of(unit: string, signal: AbortSignal): Promise<readonly PodSeen[]>;
  /** A pod of the unit as it was seen last, when it is gone now. */
  lastOf(unit: string): PodSeen | null;
  /** Waits until `done` holds for the unit's pods. False when it did not in time. @throws the signal's reason */
  until(
    unit: string,
    done: (pods: readonly PodSeen[]) => boolean,
    o: { ms: number; signal: AbortSignal },
  ): Promise<boolean>;
  forget(unit: string): void;
  close(): Promise<void>;
}

/** Watches on demand: one for each API server and namespace, for as long as somebody asks. */
export function createPodWatches(o: { instanceId: string; log: Logger }) {
  const open = new Map<ClusterApi, Map<string, { pods: Pods; usedAt: number }>>();
  const tidy = setInterval(() => {
    for (const of of open.values()) {
      for (const [namespace, entry] of of) {
        if (performance.now() - entry.usedAt < IDLE_MS) continue;
        of.delete(namespace);
        void entry.pods.close();
      }
    }
  }, IDLE_MS / 4);
  tidy.unref();

  return {
    in(api: ClusterApi, namespace: string): Pods {
      const of = open.get(api) ?? new Map<string, { pods: Pods; usedAt: number }>();
      open.set(api, of);
      const entry = of.get(namespace) ?? { pods: watchPods(api, namespace, o), usedAt: 0 };
      entry.usedAt = performance.now();
      of.set(namespace, entry);
      return entry.pods;
    },
    async close(): Promise<void> {
      clearInterval(tidy);
      const all = [...open.values()].flatMap((of) => [...of.values()]);
      open.clear();
      await Promise.all(all.map(({ pods }) => pods.close()));
    },
  };
}

function watchPods(api: ClusterApi, namespace: string, o: { instanceId: string; log: Logger }): Pods {
  const byUnit = new Map<string, Map<string, PodSeen>>();
  const ends = new LRUCache<string, PodSeen>({ max: MOST_ENDS });
  const waiting = new Set<() => void>();
  const seen: Watch<PodSeen> = watch({
    ...{ api, path: `/api/v1/namespaces/${namespace}/pods`, labelSelector: `${LABEL.instance}=${o.instanceId}` },
    ...{ read: readPod, log: o.log },
  });
  seen.subscribe((changes) => {
    for (const { kind, key, object } of changes) {
      const pods = byUnit.get(object.unit) ?? new Map<string, PodSeen>();
      if (kind === 'set') {
        pods.set(key, object);
        byUnit.set(object.unit, pods);
        continue;
      }
      pods.delete(key);
      if (pods.size === 0) byUnit.delete(object.unit);
      ends.set(object.unit, object);
    }
    for (const look of waiting) look();
  });

  const now = (unit: string): readonly PodSeen[] => [...(byUnit.get(unit)?.values() ?? [])];

  /** True once what is held may be believed. */
  async function isFresh(signal: AbortSignal): Promise<void> {
    await seen.ready(signal);
    const state = seen.state();
    if (state.kind !== 'away' || performance.now() - state.sinceMs < AWAY_MS) return;
    throw state.error instanceof Error
      ? state.error
      : new HangarError('driver_unavailable', { message: 'The Kubernetes API server does not answer.' });
  }

  return {
    async of(unit, signal) {
      // Waiting for ever for a server that is away helps nobody: the caller tries again later.
      await isFresh(AbortSignal.any([signal, AbortSignal.timeout(15_000)])).catch((error: unknown) => {
        if (signal.aborted || !(error instanceof Error) || error.name !== 'TimeoutError') throw error;
        const state = seen.state();
        throw state.kind === 'away' && state.error instanceof Error
          ? state.error
          : new HangarError('driver_unavailable', { message: 'The Kubernetes API server does not list the pods.' });
      });
      return now(unit);
    },
    lastOf: (unit) => ends.get(unit) ?? null,
    async until(unit, done, { ms, signal }) {
      const deadline = performance.now() + ms;
      for (;;) {
        if (seen.state().kind !== 'away' && done(now(unit))) return true;
        const left = deadline - performance.now();
        if (left <= 0) return false;
        const changed = Promise.withResolvers<void>();
        const look = () => changed.resolve();
        waiting.add(look);
        // What the watch says comes by itself; the clock is for a watch that is cut.
        const stop = new AbortController();
        await Promise.race([
          changed.promise,
          sleep(Math.min(left, 1_000), undefined, { signal: AbortSignal.any([signal, stop.signal]) }),
        ]).finally(() => {
          waiting.delete(look);
          stop.abort();
        });
      }
    },
    forget: (unit) => void ends.delete(unit),
    close: async () => {
      await seen[Symbol.asyncDispose]();
    },
  };
}
