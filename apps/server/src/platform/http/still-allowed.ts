import { HangarError } from '@hangar/contract';
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import type { Identify, PersonIdentity } from './identity.ts';

/** On this channel is said who may do less from now on: the id of a person. */
export const RIGHTS_CHANNEL = 'hangar_rights';

const EVERY_MS = 30_000;
/** How many are asked for at the same time, so that a round never takes all database connections for itself. */
const AT_ONCE = 4;

type Request = Pick<Parameters<Identify>[0], 'authorization' | 'cookie' | 'place' | 'userAgent'>;

export interface CallerWatch {
  /** Calls `end` once when the caller is let in no longer, or not as who they were. Returns the function that stops watching. */
  watch(request: Request, was: PersonIdentity, end: () => void): () => void;
  /** Looks at once at what this person reads; at everybody when nobody is named. */
  look(userId?: string): void;
}

interface Watched {
  readonly request: Request;
  readonly streams: Map<() => void, PersonIdentity>;
}

/**
 * Looks when it is told to, and from time to time, whether those who read a stream would still be let in: it outlives the request
 * that was checked.
 * All streams opened with the same key or session are one question.
 */
export function createCallerWatch(o: { identify: Identify; log: Logger }): CallerWatch {
  const watched = new Map<string, Watched>();
  let timer: NodeJS.Timeout | null = null;
  let running = false;

  async function round(): Promise<void> {
    if (running) return;
    running = true;
    await lookAt(watched.values());
    running = false;
  }

  const lookAt = (some: Iterable<Watched>) => pLimit(AT_ONCE).map(some, lookAtOne);

  async function lookAtOne({ request, streams }: Watched): Promise<void> {
    if (streams.size === 0) return;
    const now = await whoIsIt(request);
    if (now === undefined) return;
    for (const [end, was] of [...streams]) if (now?.userId !== was.userId || now.actor.role !== was.actor.role) end();
  }

  /** Undefined: that cannot be said now. A database that is away takes no rights from anybody. */
  async function whoIsIt(request: Request): Promise<PersonIdentity | null | undefined> {
    try {
      return await o.identify({ ...request, justLooking: true });
    } catch (error) {
      if (error instanceof HangarError && (error.kind === 'unauthenticated' || error.kind === 'forbidden')) return null;
      o.log.debug({ err: error }, 'cannot look whether the reader of a stream is still let in');
      return undefined;
    }
  }

  function watch(request: Request, was: PersonIdentity, end: () => void): () => void {
    const key = JSON.stringify([request.authorization ?? null, request.cookie ?? null]);
    const entry = watched.get(key) ?? { request, streams: new Map<() => void, PersonIdentity>() };
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
  }

  return {
    watch,
    look(userId) {
      const isOfThem = ({ streams }: Watched) => [...streams.values()].some((was) => was.userId === userId);
      void lookAt([...watched.values()].filter((each) => userId === undefined || isOfThem(each)));
    },
  };
}
