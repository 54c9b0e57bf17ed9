import type { LogLine, LogStream, WorkerLine } from '@hangar/contract';

/** A longer line is cut, with a mark. */
const LINE_MAX_BYTES = 64 * 1024;
const CHUNK_TARGET = 256 * 1024;
const OLDEST = Date.UTC(2000, 0, 1);
const DAY_MS = 24 * 60 * 60 * 1000;

/** Lines first..last without gaps; `data` is the JSON array of them. */
export interface Chunk {
  readonly first: number;
  readonly last: number;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly data: string;
}

/** What a worker sent, made fit to store: no NUL, no half characters, one line a line, lengths and times within reason. */
export function cleanLines(line: WorkerLine, now: number): Array<{ at: string; stream: LogStream; text: string }> {
  const ms = Date.parse(line.at);
  const at = new Date(ms >= OLDEST && ms <= now + DAY_MS ? ms : now).toISOString();
  const text = line.text.replaceAll('\0', '\u{fffd}').toWellFormed();
  return text.split('\n').map((part) => ({ at, stream: line.stream, text: cut(part.replace(/\r$/, '')) }));
}

function cut(text: string): string {
  if (text.length * 3 <= LINE_MAX_BYTES) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= LINE_MAX_BYTES) return text;
  let keep = LINE_MAX_BYTES - 64; // room for the mark
  while ((bytes.readUInt8(keep) & 0xc0) === 0x80) keep -= 1; // not within a character
  return `${bytes.toString('utf8', 0, keep)} … [cut: ${bytes.length - keep} bytes more]`;
}

/** Packs lines that follow each other into chunks of about 256 KiB. */
export function packChunks(lines: readonly LogLine[]): Chunk[] {
  const chunks: Chunk[] = [];
  let group: LogLine[] = [];
  let parts: string[] = [];
  let size = 0;
  const close = () => {
    const [first, last] = [group[0], group.at(-1)];
    if (!first || !last) return;
    const times = timesOf(group);
    chunks.push({ first: first.n, last: last.n, ...times, data: `[${parts.join(',')}]` });
    [group, parts, size] = [[], [], 0];
  };
  for (const line of lines) {
    const json = JSON.stringify(line);
    group.push(line);
    parts.push(json);
    size += json.length;
    if (size >= CHUNK_TARGET) close();
  }
  close();
  return chunks;
}

/** One chunk of chunks that follow each other. */
export function joinChunks(chunks: readonly Chunk[]): Chunk | null {
  const [first, last] = [chunks[0], chunks.at(-1)];
  if (!first || !last) return null;
  let { firstAt, lastAt } = first;
  for (const chunk of chunks) {
    if (chunk.firstAt < firstAt) firstAt = chunk.firstAt;
    if (chunk.lastAt > lastAt) lastAt = chunk.lastAt;
  }
  const data = `[${chunks.map((chunk) => chunk.data.slice(1, -1)).join(',')}]`;
  return { first: first.first, last: last.last, firstAt, lastAt, data };
}

export function linesOf(chunk: { readonly data: string }): LogLine[] {
  return JSON.parse(chunk.data) as LogLine[];
}

/** All times are written by toISOString, so that they sort as text. */
function timesOf(lines: readonly LogLine[]): { firstAt: string; lastAt: string } {
  let firstAt = lines[0]?.at ?? '';
  let lastAt = firstAt;
  for (const { at } of lines) {
    if (at < firstAt) firstAt = at;
    if (at > lastAt) lastAt = at;
  }
  return { firstAt, lastAt };
}
