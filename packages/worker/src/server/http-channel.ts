import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Finish, LogBatch, Orders, Report, WorkerLine, WorkOrder } from '@hangar/contract';
import { HangarError } from '@hangar/contract';
import { inTime, within } from '../deadline.ts';
import { Spool } from '../log/spool.ts';
import type { Deadline, Upload, WorkerChannel } from './channel.ts';
import { type Answer, HttpClient, type Outgoing } from './http-client.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** A call is small and idempotent: a server that takes longer gets it again. */
const CALL_MS = 15_000;
/** The server has something to do before it answers: to look up, to hash, to flush. */
const TRANSFER_MS = 30_000;
const BATCH_BYTES = 256 * 1024;
const BATCH_LINES = 5000;
const MAX_SMALL = 3;
/** Refusals that say nothing of the call itself; 407 is the word of a proxy. */
const PASSING: ReadonlySet<number> = new Set([407, 408, 425, 429]);

export interface HttpChannelOptions {
  /** `http://host:port`, `https://…` or `unix:/path/to/worker.sock`. */
  readonly url: string;
  readonly token: string;
  readonly workerId: string;
  /** Where unacknowledged log batches wait while the server is away. */
  readonly spoolDir: string;
  /** Says whether a proxy stands before the server. None when left out. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * The worker's side of the protocol in contract/worker.ts. A server that is away, restarts or answers 5xx is asked again,
 * with growing pauses up to 5 s; a 401 or 409 fences: nothing more is sent.
 */
export class HttpChannel implements WorkerChannel {
  readonly #client: HttpClient;
  readonly #workerId: string;
  readonly #spool: Spool;
  readonly #fence = new AbortController();
  #seq = 0;
  #uploads = 0;
  #gathered: WorkerLine[] = [];
  #gatheredBytes = 0;
  #pushing: Promise<void> = Promise.resolve();
  #sending = false;
  #flushWaiters: (() => void)[] = [];

  constructor(options: HttpChannelOptions) {
    this.#client = new HttpClient(options.url, options.token, options.env);
    this.#workerId = options.workerId;
    this.#spool = new Spool(options.spoolDir);
  }

  get fenced(): AbortSignal {
    return this.#fence.signal;
  }

  /** @throws HangarError worker_token_invalid, worker_fenced: this attempt is not ours */
  async claim(me: { version: string; host: string; pid: number }, o: Deadline): Promise<WorkOrder> {
    const answer = await this.#persist(
      { method: 'POST', path: '/claim', json: { ...me, workerId: this.#workerId }, silenceMs: CALL_MS },
      o.signal,
    );
    return answer.json() as WorkOrder;
  }

  async log(lines: readonly WorkerLine[]): Promise<void> {
    for (const line of lines) {
      this.#gathered.push(line);
      this.#gatheredBytes += line.text.length + 64;
      if (this.#gatheredBytes >= BATCH_BYTES || this.#gathered.length >= BATCH_LINES) await this.#push();
    }
    // Behind an outage small batches would wait in thousands, each for a call of its own: they grow instead.
    if (this.#spool.size < MAX_SMALL) await this.#push();
    void this.#send();
  }

  #push(): Promise<void> {
    const lines = this.#gathered;
    if (lines.length === 0) return this.#pushing;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#pushing = this.#pushing.then(() => {
      const seq = ++this.#seq;
      const body: LogBatch = { seq, lines };
      return this.#spool.push(seq, Buffer.from(JSON.stringify(body)), this.fenced);
    });
    return this.#pushing;
  }

  async flush(o: Deadline): Promise<number> {
    // It may wait for room.
    await inTime(this.#push(), o.signal);
    while (this.#spool.size > 0) {
      o.signal.throwIfAborted();
      this.#throwIfFenced();
      void this.#send();
      await new Promise<void>((resolve) => {
        this.#flushWaiters.push(resolve);
        o.signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#seq;
  }

  async report(report: Report, o: Deadline): Promise<void> {
    await this.#persist({ method: 'POST', path: '/report', json: report, silenceMs: CALL_MS }, o.signal);
  }

  async orders({ waitSeconds, signal }: Deadline & { waitSeconds: number }): Promise<Orders> {
    const answer = await this.#persist(
      {
        method: 'POST',
        path: '/heartbeat',
        json: { waitSeconds, workerId: this.#workerId },
        silenceMs: waitSeconds * 1000 + 15_000,
      },
      signal,
    );
    return answer.json() as Orders;
  }

  async download(what: 'bundle' | 'patch', file: string, o: Deadline): Promise<void> {
    await rm(file, { force: true });
    await this.#persist({ method: 'GET', path: `/uploads/${what}`, toFile: file, silenceMs: TRANSFER_MS }, o.signal);
  }

  async upload(upload: Upload, o: Deadline): Promise<void> {
    let isTold = false;
    /** A server that has no place for it is waited for, and people see why. */
    const tell = (error: HangarError) => {
      if (isTold || error.code === 'database_unavailable') return;
      isTold = true;
      const reason = `${error.message} Trying again`.slice(0, 500);
      void this.report({ reason, at: new Date().toISOString() }, o).catch(() => undefined);
    };
    await this.#persist(
      {
        method: 'PUT',
        path: `/artifacts/${encodeURIComponent(upload.name)}?${artifactQuery(upload, ++this.#uploads)}`,
        headers: { 'x-content-sha256': upload.sha256, 'content-type': 'application/octet-stream' },
        // A fresh stream at each try, and never more than was announced should the file have grown.
        body: () =>
          upload.sizeBytes === 0 ? Buffer.alloc(0) : createReadStream(upload.file, { end: upload.sizeBytes - 1 }),
        bodyBytes: upload.sizeBytes,
        silenceMs: TRANSFER_MS,
      },
      o.signal,
      upload.partial ? undefined : tell,
    );
    // Said again without a reason, the phase has its own.
    if (isTold) await this.report({ phase: 'collecting', at: new Date().toISOString() }, o);
  }

  async finish(finish: Finish, o: Deadline): Promise<void> {
    await this.#persist({ method: 'POST', path: '/finish', json: finish, silenceMs: CALL_MS }, o.signal);
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#spool.close();
  }

  /** Sends what is spooled, one batch at a time so that the order stays, until there is none. */
  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let batch = await this.#spool.first(); batch; batch = await this.#spool.first()) {
        await this.#sendBatch(batch.seq, batch.bytes);
        await this.#spool.acknowledge(batch.seq);
        if (this.#spool.size === 0) await this.#push();
      }
    } catch {
      // Fenced: whoever waits learns it from #throwIfFenced. Or the spool cannot be read just now.
      if (!this.fenced.aborted) await sleep(LONGEST_PAUSE_MS);
    } finally {
      this.#sending = false;
      for (const wake of this.#flushWaiters.splice(0)) wake();
    }
  }

  async #sendBatch(seq: number, bytes: Buffer): Promise<void> {
    const call = { method: 'POST', path: '/logs', silenceMs: CALL_MS } as const;
    try {
      await this.#persist({ ...call, body: () => bytes, bodyBytes: bytes.length, jsonBody: true }, this.fenced);
    } catch (error) {
      if (this.fenced.aborted) throw error;
      // Refused for good: the numbering must go on, so the batch is replaced by a line that says so.
      const text = `Some lines could not be stored: ${error instanceof Error ? error.message : 'refused'}`;
      const line: WorkerLine = { at: new Date().toISOString(), stream: 'system', text };
      await this.#persist({ ...call, json: { seq, lines: [line] } }, this.fenced);
    }
  }

  /** Repeats a call until it gets an answer that stays. */
  async #persist(call: Outgoing, signal: AbortSignal, onRefused?: (error: HangarError) => void): Promise<Answer> {
    const stop = within([signal, this.fenced], Number.POSITIVE_INFINITY);
    try {
      return await this.#repeat(call, stop.signal, onRefused);
    } finally {
      stop.done();
    }
  }

  async #repeat(call: Outgoing, signal: AbortSignal, onRefused?: (error: HangarError) => void): Promise<Answer> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      this.#throwIfFenced();
      signal.throwIfAborted();
      const answer = await this.#client.call(call, signal).catch((error: unknown) => {
        // A proxy that refuses is a connection that does not come about: what waits here is worth asking again.
        if (error instanceof HangarError ? error.code !== 'proxy_refused' : isOfFile(error)) throw error;
        return null;
      });
      if (answer) {
        if (answer.status < 300) return answer;
        if (answer.status === 401 || answer.status === 409) {
          this.#fence.abort(
            answer.error() ?? new HangarError(answer.status === 401 ? 'worker_token_invalid' : 'worker_fenced'),
          );
          this.#throwIfFenced();
        }
        if (answer.status < 500 && !PASSING.has(answer.status))
          throw answer.error() ?? new HangarError('bad_request', { message: `The server answered ${answer.status}.` });
        const refusal = answer.error();
        if (refusal) onRefused?.(refusal);
      }
      await sleep(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    }
  }

  #throwIfFenced(): void {
    if (!this.fenced.aborted) return;
    throw this.fenced.reason instanceof HangarError ? this.fenced.reason : new HangarError('worker_fenced');
  }
}

/** It was not the connection that broke, but what should go over it: asking the server again changes nothing. */
function isOfFile(error: unknown): boolean {
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  return (syscall === 'open' && code !== 'EMFILE' && code !== 'ENFILE') || FILE_CODES.has(code);
}
const FILE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS']);

function artifactQuery({ kind, partial, counts }: Upload, number: number): string {
  return new URLSearchParams({
    kind,
    number: String(number),
    ...(partial ? { partial: 'true' } : {}),
    ...(counts
      ? {
          files: String(counts.filesChanged),
          insertions: String(counts.insertions),
          deletions: String(counts.deletions),
        }
      : {}),
  }).toString();
}
