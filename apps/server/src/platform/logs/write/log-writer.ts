import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, LOG_LINE_BYTES } from '@hangar/contract';
import pLimit from 'p-limit';
import { type Chunk, packChunks } from '../log-line.ts';
import type { LogStore } from '../log-store.ts';
import { type Append, type LogState, planAppend } from './log-append.ts';

/**
 * A log that prints all the time makes one chunk in this time. One that was silent has two writes at once: a word that comes right
 * after another, as the last one of a log does, waits for nothing.
 */
const WINDOW_MS = 50;
/** What is taken into one write, counted in UTF-16 units of text and what each line costs besides. */
const WRITE_MOST = 4 * 1024 * 1024;
/** How many logs write at the same time. */
const WRITES_AT_ONCE = 4;
/** Another server may have been faster; each time this one looks again. */
const ATTEMPTS = 50;
/** How many logs are remembered between writes. */
const REMEMBERED = 1000;

interface Waiting extends Append {
  readonly resolve: (acked: number) => void;
  readonly reject: (error: unknown) => void;
}

interface Stream {
  readonly logId: string;
  /** The log as it was after the last write of this process; null when that is not known. */
  state: LogState | null;
  waiting: Waiting[];
  writing: boolean;
  /** When it may be written next. */
  due: number;
}

/** Group commit: what arrives for a log while it is being written, or within the window, becomes one chunk. */
export interface LogWriter {
  /** Resolves once stored, with the highest batch of this source that is. */
  append(logId: string, append: Append): Promise<number>;
  /** Resolves when nothing of this log waits any more. */
  drain(logId: string): Promise<void>;
  forget(logId: string): void;
}

export function createLogWriter(o: {
  store: LogStore;
  /** Called after each write, in the order of the lines. */
  publish: (logId: string, chunks: readonly Chunk[]) => void;
}): LogWriter {
  const streams = new Map<string, Stream>();
  const limit = pLimit(WRITES_AT_ONCE);

  function streamOf(logId: string): Stream {
    const known = streams.get(logId);
    if (known) return known;
    const stream: Stream = { logId, state: null, waiting: [], writing: false, due: Number.NEGATIVE_INFINITY };
    streams.set(logId, stream);
    if (streams.size > REMEMBERED) forgetIdle();
    return stream;
  }

  function forgetIdle(): void {
    for (const [logId, stream] of streams) {
      if (streams.size <= REMEMBERED / 2) return;
      if (!stream.writing && stream.waiting.length === 0) streams.delete(logId);
    }
  }

  function wake(stream: Stream): void {
    if (stream.writing || stream.waiting.length === 0) return;
    stream.writing = true;
    const wait = stream.due - performance.now();
    if (wait > 0) setTimeout(() => void write(stream), wait);
    else void write(stream);
  }

  async function write(stream: Stream): Promise<void> {
    await limit(async () => {
      stream.due = Math.max(stream.due, performance.now() - WINDOW_MS) + WINDOW_MS;
      const taken = take(stream);
      try {
        const acks = await store(stream, taken);
        for (const [index, waiting] of taken.entries()) waiting.resolve(acks[index] ?? 0);
      } catch (error) {
        stream.state = null;
        for (const waiting of taken) waiting.reject(error);
      }
    });
    stream.writing = false;
    wake(stream);
  }

  async function store(stream: Stream, appends: readonly Append[]): Promise<readonly number[]> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const fresh = stream.state === null;
      stream.state ??= await o.store.state(stream.logId);
      const plan = planAppend(stream.state, appends, Date.now());
      if (plan.gap && !fresh) {
        // The batch before it may have gone to another server.
        stream.state = null;
        continue;
      }
      if (!plan.changed) return plan.acks;
      const chunks = packChunks(plan.lines);
      if (await o.store.commit(stream.logId, stream.state, plan.next, chunks)) {
        stream.state = plan.next;
        if (chunks.length > 0) o.publish(stream.logId, chunks);
        return plan.acks;
      }
      stream.state = null;
      if (attempt > 2) await sleep(Math.random() * 10 * attempt);
    }
    throw new HangarError('database_unavailable', { message: `The log ${stream.logId} could not be written.` });
  }

  return {
    append(logId, append) {
      const stream = streamOf(logId);
      return new Promise((resolve, reject) => {
        stream.waiting.push({ ...append, resolve, reject });
        wake(stream);
      });
    },
    async drain(logId) {
      while (streams.get(logId)?.writing) await sleep(5);
    },
    forget(logId) {
      const stream = streams.get(logId);
      if (stream) stream.state = null;
    },
  };
}

function take(stream: Stream): Waiting[] {
  let size = 0;
  let count = 0;
  for (const { lines } of stream.waiting) {
    for (const { text } of lines) size += text.length + LOG_LINE_BYTES;
    count += 1;
    if (size > WRITE_MOST) break;
  }
  return stream.waiting.splice(0, count);
}
