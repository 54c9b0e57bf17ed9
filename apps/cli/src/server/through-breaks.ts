import { HangarError } from '@hangar/contract/errors';
import type { Terminal } from '../terminal/terminal.ts';
import { isPassing, SILENT, whyLost } from './http.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;
/** A stream that brings nothing is there again once it has lived so long: some proxies open each one and close it at once. */
const SETTLED_MS = 3000;

export interface BreaksOptions {
  readonly signal: AbortSignal;
  /** How long nothing may come on before the break is thrown. */
  readonly patienceMs: number;
  /** A stream that is cut and stands again at once is not worth a word. */
  readonly quietFirst?: boolean;
  /** Said once for each break, and once when it is over. */
  readonly onLost: (reason: string) => void;
  readonly onBack: () => void;
}

/** What to do when a connection breaks, again and again: pauses that grow until something has come, and an end to patience. */
export class Breaks {
  readonly #o: BreaksOptions;
  #lostAt: number | null = null;
  #attempt = 0;
  #told = false;

  constructor(o: BreaksOptions) {
    this.#o = o;
  }

  /** What was asked for has come, or a part of it that was not there before. Only this makes the next break the first one. */
  progress(): void {
    if (this.#told) this.#o.onBack();
    this.#told = false;
    this.#lostAt = null;
    this.#attempt = 0;
  }

  /** A stream stands. Answers what to call when it is over. */
  opened(): () => void {
    const timer = setTimeout(() => this.progress(), SETTLED_MS);
    return () => clearTimeout(timer);
  }

  /**
   * Waits until it is time for another try. Throws what no other try would mend at once, and the break itself when the patience is
   * over.
   */
  async again(error: unknown): Promise<void> {
    const { signal, patienceMs, quietFirst, onLost } = this.#o;
    signal.throwIfAborted();
    if (!isPassing(error)) throw error;
    const reason = whyLost(error);
    this.#lostAt ??= Date.now();
    if (!this.#told && (!quietFirst || this.#attempt > 0 || reason.startsWith(SILENT))) {
      this.#told = true;
      onLost(reason);
    }
    if (Date.now() - this.#lostAt > patienceMs) throw error;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempt++);
    await sleep(pause * (0.7 + Math.random() * 0.6), signal);
  }
}

/** A stream that ended before what it carries had come to its end. */
export const closedEarly = (): HangarError =>
  new HangarError('server_unreachable', { details: { reason: 'the server closed the connection' } });

/**
 * Repeats work that the connection broke, for up to `patienceMs` from the first break, and says so once. Throws what is no
 * break at once, and the last break when the patience is over.
 */
export async function throughBreaks<T>(
  { terminal, signal, patienceMs }: { terminal: Pick<Terminal, 'note'>; signal: AbortSignal; patienceMs: number },
  work: () => Promise<T>,
): Promise<T> {
  const breaks = new Breaks({ signal, patienceMs, ...sayBreaks(terminal) });
  for (;;) {
    try {
      const done = await work();
      breaks.progress();
      return done;
    } catch (error) {
      await breaks.again(error);
    }
  }
}

/** What a person is told. */
export const sayBreaks = (terminal: Pick<Terminal, 'note'>): Pick<BreaksOptions, 'onLost' | 'onBack'> => ({
  onLost: (reason) => terminal.note(`Connection lost (${reason}); trying again.`),
  onBack: () => terminal.note('Connected again.'),
});

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
