import { setTimeout as sleep } from 'node:timers/promises';
import type { Terminal } from '../terminal/terminal.ts';
import { isPassing, whyLost } from './http.ts';

const LONGEST_PAUSE_MS = 5000;

/**
 * Repeats work that the connection broke, for up to `patienceMs` from the first break, and says so once. Throws what is no
 * break at once, and the last break when the patience is over.
 */
export async function throughBreaks<T>(
  { terminal, signal, patienceMs }: { terminal: Pick<Terminal, 'note'>; signal: AbortSignal; patienceMs: number },
  work: () => Promise<T>,
): Promise<T> {
  let lostAt: number | null = null;
  for (let attempt = 0; ; attempt++) {
    try {
      const done = await work();
      if (attempt > 0) terminal.note('Connected again.');
      return done;
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw error;
      lostAt ??= Date.now();
      if (Date.now() - lostAt > patienceMs) throw error;
      if (attempt === 0) terminal.note(`Connection lost (${whyLost(error)}); trying again.`);
      await sleep(Math.min(LONGEST_PAUSE_MS, 200 * 2 ** attempt), undefined, { signal });
    }
  }
}
