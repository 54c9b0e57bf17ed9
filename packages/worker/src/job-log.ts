import type { LogStream, WorkerLine } from '@hangar/contract';
import type { WorkerChannel } from './channel.ts';
import type { Masker } from './mask.ts';

const FLUSH_MS = 50;
const BATCH_BYTES = 256 * 1024;
const BATCH_LINES = 5000;
const MAX_IN_FLIGHT = 4;
const TAIL_LINES = 200;
const TAIL_BYTES = 64 * 1024;

/**
 * The log of one run. Hands lines to the channel in order, at most every 50 ms or 256 KB: a line after silence goes at
 * once. Waits when the channel has no room, which stops the reading of the agent's pipes and so the agent. Past
 * `limitBytes` lines are left out, but what Hangar itself says and the last lines of the agent are kept: they tell why it
 * ended.
 */
export class JobLog {
  readonly #channel: WorkerChannel;
  readonly #masker: Masker;
  readonly #limit: number;
  #pending: WorkerLine[] = [];
  #pendingBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #handedAt = Number.NEGATIVE_INFINITY;
  #handing: Promise<void> = Promise.resolve();
  #inFlight = 0;
  #broken: unknown = null;
  #taken = 0;
  #leftOut = 0;
  #tail: WorkerLine[] = [];
  #tailBytes = 0;

  constructor(channel: WorkerChannel, masker: Masker, limitBytes: number) {
    this.#channel = channel;
    this.#masker = masker;
    this.#limit = limitBytes;
  }

  /** What Hangar itself says. Never waits. */
  system(text: string): void {
    const at = new Date().toISOString();
    for (const line of this.#masker.mask(text).split('\n')) this.#append({ at, stream: 'system', text: line });
  }

  /** Lines of the agent, already masked by LineReader. Resolves when there is room for more. */
  async add(stream: LogStream, texts: readonly string[]): Promise<void> {
    const at = new Date().toISOString();
    for (const text of texts) {
      const line = { at, stream, text };
      if (this.#leftOut === 0 && this.#taken + text.length <= this.#limit) {
        this.#taken += text.length + 1;
        this.#append(line);
        if (this.#pendingBytes >= BATCH_BYTES) await this.#hand();
      } else this.#leaveOut(line);
    }
    if (this.#inFlight > MAX_IN_FLIGHT) await this.#handing;
  }

  /** Hands over everything, and the kept tail of what was left out. */
  async drain(): Promise<void> {
    const skipped = this.#leftOut - this.#tail.length;
    if (skipped > 0) this.system(`${skipped} lines are left out here`);
    for (const line of this.#tail) this.#append(line);
    this.#tail = [];
    await this.#hand();
    if (this.#broken) throw this.#broken;
  }

  #leaveOut(line: WorkerLine): void {
    if (this.#leftOut === 0)
      this.system(`The log has reached its limit of ${this.#limit} bytes. From here only the last lines are kept.`);
    this.#leftOut++;
    this.#tail.push(line);
    this.#tailBytes += line.text.length;
    while (this.#tail.length > TAIL_LINES || (this.#tailBytes > TAIL_BYTES && this.#tail.length > 1))
      this.#tailBytes -= this.#tail.shift()?.text.length ?? 0;
  }

  #append(line: WorkerLine): void {
    this.#pending.push(line);
    this.#pendingBytes += line.text.length + 64;
    if (this.#pending.length >= BATCH_LINES) void this.#hand();
    else
      this.#timer ??= setTimeout(() => void this.#hand(), Math.max(0, this.#handedAt + FLUSH_MS - performance.now()));
  }

  #hand(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.length === 0) return this.#handing;
    const lines = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#handedAt = performance.now();
    this.#inFlight++;
    this.#handing = this.#handing
      .then(() => this.#channel.log(lines))
      .catch((error: unknown) => {
        this.#broken ??= error;
      })
      .finally(() => {
        this.#inFlight--;
      });
    return this.#handing;
  }
}
