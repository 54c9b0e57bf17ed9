import { HangarError, type LogLine, type LogPage, type WorkerLine } from '@hangar/contract';
import type { Offsets, Output } from '@hangar/sandbox';
import type { LogsOfExecutions } from '../needs.ts';

/** Of a piece; as text it is a third larger. */
const PIECE_BYTES = 32 * 1024;
/** What is not written yet holds up the machine. */
const WAITING_BYTES = 1024 * 1024;

type Printed = Extract<Output, { type: 'stdout' | 'stderr' }>;

/** Takes down what an execution prints, byte by byte, in its log: a line holds a piece, `OFFSET:BASE64`. */
export interface Recorder {
  /** Waits when more is not written than may be. Once something could not be written, all that comes later throws why. */
  add(output: Printed): Promise<void>;
  /** All of it is written. */
  written(): Promise<void>;
  /** How far each stream is kept; at the end of the log's room about so far. */
  reached(): Offsets;
}

/**
 * @param source of its own for each who follows: who took over begins where it found the end, so pieces of two may overlap, and none is
 * missing. Readers go by the offsets.
 */
export function createRecorder(
  logs: Pick<LogsOfExecutions, 'append'>,
  o: { readonly id: string; readonly source: string; readonly maxBytes: number; readonly from: Offsets },
): Recorder {
  const reached = { ...o.from };
  /** In the log, as nearly as it is known here: of what comes behind it nothing is kept. */
  let room = o.maxBytes - ((o.from.stdout + o.from.stderr) * 4) / 3;
  let lines: WorkerLine[] = [];
  let bytes = 0;
  let seq = 0;
  let writing: Promise<void> | null = null;
  /** What was not written is missing: whatever came behind it would leave a hole. */
  let failed: { readonly error: unknown } | null = null;

  async function write(): Promise<void> {
    while (lines.length > 0) {
      const batch = lines;
      [lines, bytes] = [[], 0];
      seq += 1;
      const stored = await logs.append(o.id, o.source, { seq, lines: batch }, { maxBytes: o.maxBytes });
      if (stored !== seq)
        throw new HangarError('database_unavailable', { message: `The log ${o.id} did not take what was printed.` });
      for (const { stream, text } of batch) {
        room -= text.length;
        if (stream !== 'system' && room >= 0) reached[stream] = Math.max(reached[stream], endOf({ text }));
      }
    }
  }
  function begin(): Promise<void> {
    if (failed !== null) return Promise.reject(failed.error);
    writing ??= write()
      .catch((error: unknown) => {
        failed = { error };
        throw error;
      })
      .finally(() => {
        writing = null;
      });
    return writing;
  }

  return {
    async add({ type, offset, data }) {
      const at = new Date().toISOString();
      for (let from = 0; from < data.length; from += PIECE_BYTES) {
        const piece = Buffer.from(data.subarray(from, from + PIECE_BYTES));
        lines.push({ at, stream: type, text: `${offset + from}:${piece.toString('base64')}` });
      }
      bytes += data.length;
      const started = begin();
      if (bytes > WAITING_BYTES || failed !== null) await started;
      else started.catch(() => undefined);
    },
    written: begin,
    reached: () => ({ ...reached }),
  };
}

/** How far each stream of an execution is written down. */
export async function recordedOf(logs: Pick<LogsOfExecutions, 'read'>, id: string): Promise<Offsets> {
  const end = async (stream: 'stdout' | 'stderr') => {
    const { lines } = await logs.read(id, { tail: 1, limit: 1, stream });
    const [last] = lines;
    return last === undefined ? 0 : endOf(last);
  };
  return { stdout: await end('stdout'), stderr: await end('stderr') };
}

const LINES_AT_ONCE = 1_000;

/** All that is written down of one stream, each byte once. */
export async function* printedOn(
  logs: Pick<LogsOfExecutions, 'read'>,
  id: string,
  stream: 'stdout' | 'stderr',
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let at = 0;
  let after: number | null = 0;
  while (after !== null) {
    const page: LogPage = await logs.read(id, { after, limit: LINES_AT_ONCE, stream }, signal);
    for (const { text } of page.lines) {
      const colon = text.indexOf(':');
      const bytes = Buffer.from(text.slice(colon + 1), 'base64');
      // Pieces of two who wrote may overlap.
      const fresh = bytes.subarray(Math.max(0, at - Number(text.slice(0, colon))));
      at += fresh.length;
      if (fresh.length > 0) yield fresh;
    }
    after = page.nextAfter;
  }
}

function endOf({ text }: Pick<LogLine, 'text'>): number {
  const colon = text.indexOf(':');
  return Number(text.slice(0, colon)) + Buffer.byteLength(text.slice(colon + 1), 'base64');
}
