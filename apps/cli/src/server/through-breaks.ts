import { BackOff } from '@hangar/client/back-off';
import type { Terminal } from '../terminal/terminal.ts';
import { isPassing, SILENT, whyLost } from './http.ts';

/** Somebody waits: tried sooner, and more often, than by a page that may be left open. */
const PAUSES_MS = [200, 400, 800, 1600, 3200, 5000];
/** A server that stays away this long is given up on. */
export const AWAY_MS = 15 * 60_000;

export interface BreaksOptions {
  readonly signal: AbortSignal;
  /** How long nothing may come on before the break is thrown. */
  readonly patienceMs: number;
  /** A stream that is cut and stands again at once is not worth a word. */
  readonly quietFirst?: boolean;
  /** Said once for each break, and once when it is over. */
  readonly onLost: (reason: string) => void;
  readonly onBack: () => void;
  /** What passes by itself, where that is more than what is wrong with a connection. */
  readonly isPassing?: (error: unknown) => boolean;
}

/** The back-off of a command. */
export function breaks({ signal, patienceMs, quietFirst, onLost, onBack, ...o }: BreaksOptions): BackOff {
  let told = false;
  return new BackOff({
    ...{ signal, patienceMs, pauses: PAUSES_MS, isPassing: o.isPassing ?? isPassing },
    onLost(error, before) {
      const reason = whyLost(error);
      if (told || (quietFirst && before === 0 && !reason.startsWith(SILENT))) return;
      told = true;
      onLost(reason);
    },
    onProgress() {
      if (told) onBack();
      told = false;
    },
  });
}

/**
 * Repeats work that the connection broke, for up to `patienceMs` from the first break, and says so once. Throws what is no
 * break at once, and the last break when the patience is over.
 */
export const throughBreaks = <T>(
  { terminal, ...o }: { terminal: Pick<Terminal, 'note'>; signal: AbortSignal; patienceMs: number },
  work: () => Promise<T>,
): Promise<T> => breaks({ ...o, ...sayBreaks(terminal) }).through(work);

/** What a person is told. */
export const sayBreaks = (terminal: Pick<Terminal, 'note'>): Pick<BreaksOptions, 'onLost' | 'onBack'> => ({
  onLost: (reason) => terminal.note(`Connection lost (${reason}); trying again.`),
  onBack: () => terminal.note('Connected again.'),
});
