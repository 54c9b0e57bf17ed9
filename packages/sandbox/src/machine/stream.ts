import { HangarError } from '@hangar/contract';

const NEWLINE = 0x0a;
/** A line of ours is never longer. */
const LONGEST_LINE = 1024 * 1024;
export const BASE64_LINE = /^[A-Za-z0-9+/]+=*\r?$/;

/** What is read piece by piece: up to a line's end, so many bytes, or up to a mark. Holds one chunk and what is left of it. */
export interface ByteReader {
  /** Without its end; null when the stream ends before. */
  line(): Promise<string | null>;
  /** Next piece of the coming `length` bytes, not empty; null when the stream ends before. */
  some(length: number): Promise<Buffer | null>;
  /** What comes before the mark, piece by piece; null once behind it. @throws HangarError connection_lost when the stream ends before */
  until(mark: Buffer): Promise<Buffer | null>;
  /** Puts bytes before what comes next. */
  back(bytes: Buffer): void;
  isOver(): Promise<boolean>;
}

export function readBytes(source: AsyncIterable<Uint8Array>): ByteReader {
  const chunks = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await chunks.next();
    if (next.done) return false;
    const chunk = asBuffer(next.value);
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    return true;
  };
  const take = (length: number): Buffer => {
    const taken = held.subarray(0, length);
    held = held.subarray(length);
    return taken;
  };
  return {
    async line() {
      for (let from = 0; ; ) {
        const end = held.indexOf(NEWLINE, from);
        if (end >= 0) return take(end + 1).toString('latin1', 0, end);
        if (held.length > LONGEST_LINE) throw brokenAnswer('A line of the answer does not end.');
        from = held.length;
        if (!(await more())) return null;
      }
    },
    async some(length) {
      while (held.length === 0) if (!(await more())) return null;
      return take(Math.min(length, held.length));
    },
    async isOver() {
      while (held.length === 0) if (!(await more())) return true;
      return false;
    },
    back(bytes) {
      held = Buffer.concat([bytes, held]);
    },
    async until(mark) {
      for (;;) {
        const at = held.indexOf(mark);
        if (at === 0) {
          take(mark.length);
          return null;
        }
        const length = at > 0 ? at : held.length - partOf(mark, held);
        if (length > 0) return take(length);
        if (!(await more())) throw brokenAnswer('The answer of the machine broke off.');
      }
    },
  };
}

/** How many bytes at the end of `held` may be the beginning of the mark. */
function partOf(mark: Buffer, held: Buffer): number {
  for (let length = Math.min(mark.length - 1, held.length); length > 0; length--)
    if (held.subarray(held.length - length).equals(mark.subarray(0, length))) return length;
  return 0;
}

/** Lines of base64 as the bytes they mean; what is none (a banner, a blank line) is left out. */
export async function* fromBase64(source: AsyncIterable<Uint8Array>, begin: string): AsyncGenerator<Buffer> {
  const reader = readBytes(source);
  for (let line = await reader.line(); line?.trim() !== begin; line = await reader.line()) if (line === null) return;
  for (let line = await reader.line(); line !== null; line = await reader.line())
    if (BASE64_LINE.test(line)) yield Buffer.from(line, 'base64');
}

export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The machine said something else than what it was asked for: most often the end of a connection. */
export const brokenAnswer = (message: string, cause?: unknown): HangarError =>
  new HangarError('connection_lost', { message, cause });
