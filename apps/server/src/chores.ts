import type { Logger } from 'pino';

export interface Chore {
  readonly name: string;
  readonly everyMs: number;
  /** Idempotent, and safe beside the same chore of another replica. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const FIRST_MS = 5_000;
const LONGEST_MS = 10 * 60_000;

/** Work nobody waits for, each again some time after its last end. A chore that fails is tried at its next turn. */
export function startChores(o: { log: Logger; chores: readonly Chore[] }): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();

  function later(chore: Chore, ms: number): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      const turn = chore
        .run(AbortSignal.any([stopping.signal, AbortSignal.timeout(LONGEST_MS)]))
        .catch((error: unknown) => {
          if (!stopping.signal.aborted)
            o.log.warn({ err: error, chore: chore.name }, 'a chore failed; it has another turn');
        })
        .finally(() => {
          running.delete(turn);
          if (!stopping.signal.aborted) later(chore, chore.everyMs);
        });
      running.add(turn);
    }, ms);
    timers.add(timer);
  }
  for (const chore of o.chores) later(chore, FIRST_MS);

  return {
    async stop() {
      stopping.abort(new Error('the server stops'));
      for (const timer of timers) clearTimeout(timer);
      await Promise.allSettled(running);
    },
  };
}
