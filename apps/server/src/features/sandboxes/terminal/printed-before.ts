import { TERMINAL_TAIL } from '@hangar/contract';
import { printedOn } from '../acts/recorder.ts';
import type { LogsOfExecutions } from '../needs.ts';

const PIECES = 1_000;
/** A line that begins so near is begun with. */
const NEAR = 4 * 1024;
const NEWLINE = 0x0a;

export interface PrintedBefore {
  readonly offset: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** What is kept of a terminal that has ended: from an offset on, or the end of it. */
export async function printedBefore(
  logs: Pick<LogsOfExecutions, 'read'>,
  id: string,
  from: number | null,
  signal: AbortSignal,
): Promise<PrintedBefore> {
  if (from !== null) return { offset: from, bytes: behind(printedOn(logs, id, 'stdout', signal), from) };
  const { lines } = await logs.read(id, { tail: PIECES, limit: PIECES, stream: 'stdout' }, signal);
  const parts: Buffer[] = [];
  let begin: number | null = null;
  let at = 0;
  for (const { text } of lines) {
    const colon = text.indexOf(':');
    const offset = Number(text.slice(0, colon));
    begin ??= offset;
    if (begin === offset) at = offset;
    // Pieces of two who wrote may overlap.
    const fresh = Buffer.from(text.slice(colon + 1), 'base64').subarray(Math.max(0, at - offset));
    at += fresh.length;
    parts.push(fresh);
  }
  const all = Buffer.concat(parts);
  const cut = Math.max(0, all.length - TERMINAL_TAIL);
  const isCut = cut > 0 || (begin ?? 0) > 0;
  const tail = all.subarray(cut);
  const skipped = isCut ? startOfText(tail) : 0;
  return { offset: at - tail.length + skipped, bytes: once(tail.subarray(skipped)) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* behind(printed: AsyncIterable<Buffer>, from: number): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const bytes of printed) {
    const fresh = bytes.subarray(Math.max(0, from - at));
    at += bytes.length;
    if (fresh.length > 0) yield fresh;
  }
}

/** How much to leave out of what begins anywhere: up to the begin of a line if one is near, else no part of a character. */
export function startOfText(bytes: Uint8Array): number {
  const line = bytes.subarray(0, NEAR).indexOf(NEWLINE);
  if (line >= 0) return line + 1;
  let at = 0;
  while (at < 3 && at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80) at += 1;
  return at;
}
