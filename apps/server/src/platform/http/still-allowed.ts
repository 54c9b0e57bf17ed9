import { HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Identify, Identity } from './identity.ts';

const EVERY_MS = 30_000;
/** How many are asked for at the same time, so that a round never takes all database connections for itself. */
const AT_ONCE = 4;

type Request = Pick<Parameters<Identify>[0], 'authorization' | 'cookie' | 'place' | 'userAgent'>;

/** Calls `end` once when the caller is let in no longer, or not as who they were. Returns the function that stops watching. */
export type WatchCaller = (request: Request, was: Identity, end: () => void) => () => void;

/**
 * Looks from time to time whether those who read a stream would still be let in: it outlives the request that was checked.
 * All streams opened with the same key or session are one question.
 */
export function createCallerWatch(o: { identify: Identify; log: Logger }): WatchCaller {
  const watched = new Map<string, { request: Request; streams: Map<() => void, Identity> }>();
  let timer: NodeJS.Timeout | null = null;
  let running = false;

  async function round(): Promise<void> {
    if (running) return;
    running = true;
    const all = [...watched.values()];
    while (all.length > 0) await Promise.all(all.splice(0, AT_ONCE).map(look));
    running = false;
  }

  async function look({ request, streams }: { request: Request; streams: Map<() => void, Identity> }): Promise<void> {
    if (streams.size === 0) return;
    const now = await whoIsIt(request);
    if (now === undefined) return;
    for (const [end, was] of [...streams]) if (now?.userId !== was.userId || now.role !== was.role) end();
  }

  /** Undefined: that cannot be said now. A database that is away takes no rights from anybody. */
  async function whoIsIt(request: Request): Promise<Identity | null | undefined> {
    try {
      return await o.identify({ ...request, justLooking: true });
    } catch (error) {
      if (error instanceof HangarError && (error.kind === 'unauthenticated' || error.kind === 'forbidden')) return null;
      o.log.debug({ err: error }, 'cannot look whether the reader of a stream is still let in');
      return undefined;
    }
  }

  return (request, was, end) => {
    const key = JSON.stringify([request.authorization ?? null, request.cookie ?? null]);
    const entry = watched.get(key) ?? { request, streams: new Map<() => void, Identity>() };
    watched.set(key, entry);
    const once = () => {
      leave();
      end();
    };
    const leave = () => {
      entry.streams.delete(once);
      if (entry.streams.size > 0 || watched.get(key) !== entry) return;
      watched.delete(key);
      if (watched.size > 0 || !timer) return;
      clearInterval(timer);
      timer = null;
    };
    entry.streams.set(once, was);
    timer ??= setInterval(() => void round(), EVERY_MS).unref();
    return leave;
  };
}
