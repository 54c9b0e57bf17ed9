import type { Readable } from 'node:stream';
import type { CallOptions } from '../port/call.ts';

export interface AskOptions extends CallOptions {
  readonly user?: string | null;
  /** On its standard input, or as a file that is removed: never in arguments. */
  readonly input?: Readable | Uint8Array;
  /** Its standard input stays open for lines of plain text, which the caller writes; only where `stdin` is `stream`. */
  readonly lines?: boolean;
  /** How long all of it may take; a minute when not said, null for what may be long. */
  readonly deadlineMs?: number | null;
}

export interface Answer {
  readonly output: Buffer;
  readonly code: number;
  /** What it complained of, shortened. */
  readonly error: string;
}
