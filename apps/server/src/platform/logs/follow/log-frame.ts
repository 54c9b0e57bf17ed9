import type { LogEnd, LogLine } from '@hangar/contract';
import { linesOf } from '../log-line.ts';
import type { Piece } from '../log-store.ts';

/** Chunks as Server-Sent Events (WHATWG HTML §9.2): built once, the same bytes go to every follower. */
export interface Frame {
  readonly first: number;
  readonly last: number;
  readonly bytes: Buffer;
  /** For those who take only some of the lines. Parsed on first use. */
  lines(): readonly LogLine[];
  mayHold(passes: (chunk: { readonly data: string }) => boolean): boolean;
}

export function frameOf(chunk: { first: number; last: number; data: string }): Frame {
  let parsed: readonly LogLine[] | null = null;
  return {
    first: chunk.first,
    last: chunk.last,
    bytes: Buffer.from(`id: ${chunk.last}\ndata: ${chunk.data}\n\n`),
    lines() {
      parsed ??= linesOf(chunk);
      return parsed;
    },
    mayHold: (passes) => passes(chunk),
  };
}

export function frameOfPiece(piece: Piece): Frame {
  if (piece.from === piece.first && piece.to === piece.last) return frameOf(piece);
  const lines = linesOf(piece).filter(({ n }) => n >= piece.from && n <= piece.to);
  return frameOf({ first: piece.from, last: piece.to, data: JSON.stringify(lines) });
}

/** `last` is where a follower that comes back goes on, also when the lines before it did not pass its filter. */
export const linesEvent = (lines: readonly LogLine[], last: number): Buffer =>
  Buffer.from(`id: ${last}\ndata: ${JSON.stringify(lines)}\n\n`);

export const endEvent = (end: LogEnd): Buffer => Buffer.from(`event: end\ndata: ${JSON.stringify(end)}\n\n`);

/** How long a client waits before it comes back. */
export const OPENING = Buffer.from('retry: 1000\n\n');
/** To who is sent away: there is a server to come back to at once. */
export const SOON = Buffer.from('retry: 100\n\n');
export const HEARTBEAT = Buffer.from(':\n\n');
