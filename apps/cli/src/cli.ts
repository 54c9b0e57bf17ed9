import type { ReadStream } from 'node:tty';
import type { CommandContext } from '@stricli/core';
import type { Checkout } from './checkout/checkout.ts';
import type { RunRecord } from './jobs/local/run-records.ts';
import type { Api } from './server/api.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal/terminal.ts';

/** What a command is given to work with; `this` inside run. */
export interface Cli extends CommandContext {
  readonly terminal: Terminal;
  readonly settings: Settings;
  readonly stdin: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY'>>;
  /** Ends when the person presses Ctrl-C or closes the terminal. */
  readonly signal: AbortSignal;
  /**
   * What has to be done first when Ctrl-C is pressed again and the command exits at once; answers how to take that back. Until then a
   * reader that goes away is like Ctrl-C, too.
   */
  beforeExit(last: () => void): () => void;
  /**
   * The server of this call (the value of --server, when given), loaded on first use. Its calls end with the command, or with a signal of
   * their own: for what is still to be said to the server after Ctrl-C.
   */
  api(server: string | undefined, signal?: AbortSignal): Promise<Api>;
  /** The git checkout around the current folder; null outside one. */
  checkout(): Promise<Checkout | null>;
  /** What the places of this machine that are noted hold of runs, the checkout around left out. Looked at once, on first use. */
  recordsElsewhere(): Promise<readonly RunRecord[]>;
  /** The program and arguments that start this command line once more. */
  readonly self: readonly string[];
  /** Ends the command with this exit code although it did what it was asked (5: the job failed). */
  endWith(exitCode: number): void;
}
