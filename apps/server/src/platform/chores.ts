import type { Logger } from 'pino';
import { orAborted } from './waits.ts';

export interface Chore {
  readonly name: string;
  readonly everyMs: number;
  /** Idempotent, and safe beside the same chore of another replica. Ends soon after the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const FIRST_MS = 5_000;
const LONGEST_MS = 10 * 60_000;
/** How long a chore whose time is over may take to end; then its next turn no longer waits for it. */
const GRACE_MS = 30_000;

export interface Chores {
  start(): void;
  /** Begins nothing more, tells what runs to end, and waits for it until the signal aborts. */
  stop(signal: AbortSignal): Promise<void>;
}

/** Work nobody waits for, each again some time after its last end. A chore that fails is tried at its next turn. */
export function createChores(o: {
  log: Logger;
  chores: readonly Chore[];
  firstMs?: number;
  longestMs?: number;
  graceMs?: number;
}): Chores {
  const { firstMs = FIRST_MS, longestMs = LONGEST_MS, graceMs = GRACE_MS } = o;
  const stopping = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const running = new Map<Promise<void>, string>();

  function later(chore: Chore, ms: number): void {
    const timer = setTimeout(async () => {
      timers.delete(timer);
      const work = Promise.resolve(AbortSignal.any([stopping.signal, AbortSignal.timeout(longestMs)])).then(chore.run);
      running.set(work, chore.name);
      const ended = work.finally(() => running.delete(work));
      await orAborted(ended, AbortSignal.timeout(longestMs + graceMs)).catch((error: unknown) => {
        if (!stopping.signal.aborted)
          o.log.warn({ err: error, chore: chore.name }, 'a chore failed; it has another turn');
      });
      if (!stopping.signal.aborted) later(chore, chore.everyMs);
    }, ms);
    timers.add(timer);
  }
  return {
    start() {
      for (const chore of o.chores) later(chore, firstMs);
    },
    async stop(signal) {
      stopping.abort(new Error('the server stops'));
      for (const timer of timers) clearTimeout(timer);
      await orAborted(Promise.allSettled(running.keys()), signal).catch(() => {
        o.log.warn({ chores: [...running.values()] }, 'chores that do not end are left where they are');
      });
    },
  };
}
