import type { StateWords } from '@hangar/contract/words/tone';
import type { TerminalReading } from './terminal-line.ts';

const WORDS = {
  connecting: { tone: 'working', word: 'connecting' },
  connected: { tone: 'good', word: 'connected' },
  reconnecting: { tone: 'working', word: 'reconnecting' },
  away: { tone: 'needs', word: 'machine out of reach' },
  ended: { tone: 'ended', word: 'ended' },
  failed: { tone: 'bad', word: 'disconnected' },
} as const satisfies Record<TerminalReading['status'], StateWords>;

/** The connection to a terminal; of an ended one how it ended. */
export function terminalWords({ status, end }: TerminalReading): StateWords {
  const code = end?.exitCode ?? null;
  return status === 'ended' && code !== null ? { tone: 'ended', word: `ended (exit code ${code})` } : WORDS[status];
}

/** What is said beside a screen that does not answer. */
export function whyQuiet({ status, why }: TerminalReading): string | null {
  if (status === 'reconnecting') return 'The connection is made again. What you type is sent then.';
  if (status === 'away') return `${why ?? 'The machine does not answer.'} What you type is sent when it is back.`;
  return null;
}
