import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogLine } from '@hangar/contract';
import { parseDuration } from '@hangar/contract/quantities';
import type { LogWish } from '../log/log-reader.ts';

const CHUNK_BYTES = 1024 * 1024;
const LOOK_MS = 200;

/**
 * The log of a run on this machine, a piece at a time, however large it is. While `isRunning` answers yes, it goes on with what is
 * added.
 */
export async function* readLocalLog(
  file: string,
  wish: LogWish,
  { signal, isRunning }: { readonly signal: AbortSignal; readonly isRunning: () => Promise<boolean> },
): AsyncGenerator<LogLine[], void> {
  const isWanted = filterOf(wish);
  // With --tail, the lines that were there at the beginning, of which only the last count.
  let kept: LogLine[] | null = wish.tail === undefined ? null : [];
  const latest = (lines: LogLine[]) => lines.slice(Math.max(0, lines.length - (wish.tail ?? 0)));
  for await (const piece of pieces(file, signal, isRunning)) {
    const lines = piece.lines.filter(isWanted);
    if (kept === null) {
      if (lines.length > 0) yield lines;
      continue;
    }
    for (const line of lines) kept.push(line);
    if (piece.isEnd) {
      const last = latest(kept);
      kept = null;
      if (last.length > 0) yield last;
    } else if (kept.length > 2 * (wish.tail ?? 0)) kept = latest(kept);
  }
}

function filterOf({ since, grep, stream }: LogWish): (line: LogLine) => boolean {
  const age = since === undefined ? null : parseDuration(since);
  const from = since === undefined ? 0 : age === null ? Date.parse(since) : Date.now() - age * 1000;
  const text = grep?.toLowerCase();
  return (line) =>
    (from === 0 || Date.parse(line.at) >= from) &&
    (stream === undefined || line.stream === stream) &&
    (text === undefined || line.text.toLowerCase().includes(text));
}

/** isEnd: all that was in the file has been read. */
async function* pieces(
  file: string,
  signal: AbortSignal,
  isRunning: () => Promise<boolean>,
): AsyncGenerator<{ readonly lines: LogLine[]; readonly isEnd: boolean }> {
  let handle: FileHandle | null = null;
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let position = 0;
  // Of a line that is still being written, or that a killed command could not finish.
  let begun: Buffer[] = [];
  try {
    for (;;) {
      signal.throwIfAborted();
      // Asked first: what is written before it has ended is in what is read after.
      const goesOn = await isRunning();
      handle ??= await open(file, 'r').catch(() => null);
      for (;;) {
        const { bytesRead } = handle === null ? { bytesRead: 0 } : await handle.read(buffer, 0, CHUNK_BYTES, position);
        if (bytesRead === 0) break;
        signal.throwIfAborted();
        position += bytesRead;
        const end = buffer.lastIndexOf(0x0a, bytesRead - 1);
        if (end < 0) {
          begun.push(Buffer.from(buffer.subarray(0, bytesRead)));
          continue;
        }
        const whole = Buffer.concat([...begun, buffer.subarray(0, end)]).toString('utf8');
        begun = [Buffer.from(buffer.subarray(end + 1, bytesRead))];
        yield { lines: whole.split('\n').flatMap(parse), isEnd: false };
      }
      yield { lines: [], isEnd: true };
      if (!goesOn) return;
      await sleep(LOOK_MS, undefined, { signal });
    }
  } finally {
    await handle?.close();
  }
}

function parse(text: string): LogLine[] {
  try {
    const line = LogLine.safeParse(JSON.parse(text));
    return line.success ? [line.data] : [];
  } catch {
    return [];
  }
}
