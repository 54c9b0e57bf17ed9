import { LOG_LINE_BYTES, type LogStream, sizeInWords, type WorkerLine } from '@hangar/contract';
import type { Masker } from '../mask/mask.ts';
import type { WorkerChannel } from '../server/channel.ts';

const FLUSH_MS = 50;
const BATCH_BYTES = 256 * 1024;
const BATCH_LINES = 5000;
const MAX_IN_FLIGHT = 4;
const TAIL_LINES = 200;
const TAIL_BYTES = 64 * 1024;
/** What Hangar itself may say past the limit. With the tail it stays within LOG_HEADROOM_BYTES, where the server cuts. */
const SAID_BYTES = 512 * 1024;

/**
 * The log of one run. Hands lines to the channel in order, at most every 50 ms or 256 KB: a line after silence goes at
 * once. Waits when the channel has no room, which stops the reading of the agent's pipes and so the agent. Past
 * `limitBytes`, counted as the server counts, lines are left out, but what Hangar itself says and the last lines are kept: they
 * tell why the agent ended.
 */
export class JobLog {
  readonly #channel: Pick<WorkerChannel, 'log'>;
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
  /** What Hangar said past the limit. */
  #saidPast = 0;
  #leftOut = 0;
  #tail: WorkerLine[] = [];
  #tailBytes = 0;

  constructor(channel: Pick<WorkerChannel, 'log'>, masker: Masker, limitBytes: number) {
    this.#channel = channel;
    this.#masker = masker;
    this.#limit = limitBytes;
  }

  /** What Hangar itself says. Never waits. */
  system(text: string): void {
    const at = new Date().toISOString();
    for (const said of this.#masker.mask(text).split('\n')) {
      const line: WorkerLine = { at, stream: 'system', text: said };
      const cost = costOf(said);
      if (this.#fits(cost)) this.#append(line);
      else if (this.#saidPast + cost <= SAID_BYTES) {
        this.#saidPast += cost;
        this.#append(line);
      } else {
        // Nor does a shorter one after it overtake it.
        this.#saidPast = SAID_BYTES;
        this.#leaveOut(line);
      }
    }
  }

  /** Lines of the agent, already masked by LineReader. Resolves when there is room for more. */
  async add(stream: LogStream, texts: readonly string[]): Promise<void> {
    const at = new Date().toISOString();
    for (const text of texts) {
      const line = { at, stream, text };
      if (this.#fits(costOf(text))) {
        this.#append(line);
        if (this.#pendingBytes >= BATCH_BYTES) await this.#hand();
      } else this.#leaveOut(line);
    }
    if (this.#inFlight > MAX_IN_FLIGHT) await this.#handing;
  }

  /** Hands over everything, and the kept tail of what was left out. */
  async drain(): Promise<void> {
    const skipped = this.#leftOut - this.#tail.length;
    if (skipped > 0) this.#say(`${skipped} lines are left out here`);
    for (const line of this.#tail) this.#append(line);
    this.#tail = [];
    await this.#hand();
    if (this.#broken) throw this.#broken;
  }

  #leaveOut(line: WorkerLine): void {
    if (this.#leftOut === 0)
      this.#say(
        `The log has reached its limit of ${sizeInWords(this.#limit)}. From here only the last lines are kept.`,
      );
    this.#leftOut++;
    this.#tail.push(line);
    this.#tailBytes += costOf(line.text);
    const most = Math.min(TAIL_BYTES, this.#limit);
    while (this.#tail.length > TAIL_LINES || (this.#tailBytes > most && this.#tail.length > 1))
      this.#tailBytes -= costOf(this.#tail.shift()?.text ?? '');
  }

  /** Whether it comes before the limit; then it is counted. Once lines are left out, none does. */
  #fits(cost: number): boolean {
    if (this.#leftOut > 0 || this.#taken + cost > this.#limit) return false;
    this.#taken += cost;
    return true;
  }

  /** About the log itself, so at any rate. */
  #say(text: string): void {
    this.#append({ at: new Date().toISOString(), stream: 'system', text });
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

const costOf = (text: string): number => Buffer.byteLength(text) + LOG_LINE_BYTES;
