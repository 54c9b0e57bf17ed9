import type { HangarError } from '@hangar/contract';
import type { TerminalEnd } from '@hangar/contract/terminals';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface TerminalReading {
  readonly status: 'connecting' | 'connected' | 'reconnecting' | 'away' | 'ended' | 'failed';
  /** Why the machine does not answer, while it is away. */
  readonly why: string | null;
  /** Why it cannot be had at all; of a failed one alone. */
  readonly error: HangarError | null;
  /** How it ended; of an ended one alone. */
  readonly end: TerminalEnd | null;
}

/** What draws a terminal. */
export interface TerminalSink {
  /** Resolves when it is drawn: no more comes than has been seen. */
  print(bytes: Uint8Array): Promise<void>;
  /** What comes now does not go on from what stands there. */
  clear(): void;
}

/** A terminal in a machine, as its screen has it. */
export interface TerminalLine {
  /** This page has just opened it: nothing was printed in it that another page has answered. */
  readonly isNew: boolean;
  subscribe(listener: () => void): () => void;
  snapshot(): TerminalReading;
  /** Connects, and gives all that is printed. Returns the function that leaves it: the terminal goes on. */
  attach(sink: TerminalSink): () => void;
  type(bytes: Uint8Array): void;
  resize(size: Size): void;
  /** Connects again after it failed. */
  retry(): void;
}
