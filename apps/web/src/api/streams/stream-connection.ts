import { EventStreamParser, type StreamEvent } from './event-stream.ts';
import type { Refusal, StreamMode } from './stream-messages.ts';
import type { Turn, Turns } from './turns.ts';

export interface StreamTiming {
  /** Pauses before the next try, the last of them again and again. */
  readonly pauses: readonly number[];
  readonly connectMs: number;
  /** The server says at least each 15 s that it is alive; longer silence is a loss that no error tells of. */
  readonly silenceMs: number;
}

export const PAUSES_MS: readonly number[] = [300, 1000, 2000, 4000, 8000, 15_000];
export const pauseAfter = (failures: number, pauses = PAUSES_MS): number =>
  pauses[Math.min(failures, pauses.length - 1)] ?? 1000;

export interface StreamListener {
  open(): void;
  frames(frames: readonly StreamEvent[]): void;
  lost(heardAt: number | null, refusal: Refusal | null): void;
  /** It is of no use to try again; nothing is said after this. */
  failed(refusal: Refusal): void;
}

interface StreamOptions {
  readonly url: string;
  readonly mode: StreamMode;
  readonly after: string | null;
  readonly fetcher: typeof fetch;
  readonly timing: StreamTiming;
  readonly turns: Turns;
  /** Frames have come; the place has moved. */
  readonly onMoved: (connection: StreamConnection) => void;
  readonly onOver: (connection: StreamConnection) => void;
}

/** So much of a log is kept for whoever joins a little behind. */
const KEPT_CHARS = 1_000_000;

/** One stream of the server, held open for all who listen: comes back by itself, and goes on where it was. */
export class StreamConnection {
  readonly url: string;
  readonly mode: StreamMode;
  readonly listeners = new Set<StreamListener>();
  /** Id of the last frame. */
  place: string | null;
  private readonly options: StreamOptions;
  private readonly end = new AbortController();
  private kept: StreamEvent[] = [];
  private keptChars = 0;
  /** The place before the first frame that is kept. */
  private keptFrom: string | null;
  private isOpen = false;
  private isOver = false;
  private heardAt: number | null = null;
  private cut: AbortController | null = null;
  private wake: (() => void) | null = null;

  constructor(options: StreamOptions) {
    this.options = options;
    this.url = options.url;
    this.mode = options.mode;
    this.place = options.after;
    this.keptFrom = options.after;
    void this.run(this.end.signal);
  }

  /** Whether who has everything up to `after` misses nothing by joining. */
  covers(after: string | null): boolean {
    if (this.isOver) return false;
    if (this.mode !== 'log' || after === this.keptFrom) return true;
    if (after === null) return false;
    const [asked, from] = [counted(after), counted(this.keptFrom)];
    return asked !== null && from !== null ? asked >= from : this.kept.some(({ id }) => id === after);
  }

  /** Listens from now on; what is here and comes after `after` is told at once. */
  join(listener: StreamListener, after: string | null): void {
    this.listeners.add(listener);
    if (this.isOpen) listener.open();
    const missed = this.after(after);
    if (missed.length > 0) listener.frames(missed);
  }

  close(): void {
    this.isOver = true;
    this.end.abort();
  }

  /** The network has gone. */
  lose(): void {
    this.cut?.abort();
  }

  /** The next try is now. */
  retry(): void {
    this.wake?.();
  }

  private after(after: string | null): readonly StreamEvent[] {
    if (this.mode !== 'log' || after === this.keptFrom) return [...this.kept];
    const asked = counted(after);
    if (asked !== null) return this.kept.filter(({ id }) => (counted(id) ?? 0) > asked);
    return this.kept.slice(this.kept.findIndex(({ id }) => id === after) + 1);
  }

  private async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    const onLife = () => {
      failures = 0;
    };
    while (!signal.aborted) {
      let refusal: Refusal | null = null;
      // Changes that are missed cannot be had again: their stream never waits for a turn.
      const turn = this.mode === 'changes' ? null : await this.options.turns.take(signal).catch(() => null);
      try {
        if (signal.aborted) break;
        const how = await this.read(signal, turn, onLife);
        if (how === 'ended') break;
        if (how === 'turn') continue;
      } catch (thrown) {
        if (signal.aborted) break;
        if (thrown instanceof Refused) {
          refusal = thrown.refusal;
          if (!thrown.isPassing) {
            this.isOver = true;
            for (const listener of this.listeners) listener.failed(refusal);
            break;
          }
        }
      } finally {
        turn?.release();
      }
      if (signal.aborted) break;
      this.lost(refusal);
      await this.pause(pauseAfter(failures, this.options.timing.pauses), signal);
      failures += 1;
    }
    this.options.onOver(this);
  }

  private lost(refusal: Refusal | null): void {
    this.isOpen = false;
    for (const listener of this.listeners) listener.lost(this.heardAt, refusal);
  }

  private async read(outer: AbortSignal, turn: Turn | null, onLife: () => void): Promise<'ended' | 'turn' | 'cut'> {
    const { connectMs, silenceMs } = this.options.timing;
    const cut = new AbortController();
    this.cut = cut;
    let timer = setTimeout(() => cut.abort(), connectMs);
    const parser = new EventStreamParser();
    const yieldTurn = () => {
      if (parser.isBetween) cut.abort();
    };
    turn?.over.addEventListener('abort', yieldTurn);
    try {
      const response = await this.request(AbortSignal.any([outer, cut.signal]));
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      if (reader === undefined) return 'cut';
      turn?.begin();
      this.opened();
      for (;;) {
        clearTimeout(timer);
        timer = setTimeout(() => cut.abort(), silenceMs);
        this.heardAt = Date.now();
        const { done, value } = await reader.read();
        if (done) return 'cut';
        onLife();
        const frames = parser.push(value).filter(({ event }) => event !== 'alive');
        this.isOver ||= this.mode === 'log' && frames.some(({ event }) => event === 'end');
        if (frames.length > 0) this.take(frames);
        if (this.isOver) return 'ended';
        if (turn?.over.aborted) yieldTurn();
      }
    } catch (error) {
      if (turn?.over.aborted && !outer.aborted) return 'turn';
      throw error;
    } finally {
      clearTimeout(timer);
      turn?.over.removeEventListener('abort', yieldTurn);
      this.cut = null;
      cut.abort();
    }
  }

  private async request(signal: AbortSignal): Promise<Response> {
    const response = await this.options.fetcher(this.url, {
      headers: {
        accept: 'text/event-stream',
        ...(this.mode === 'log' && this.place !== null ? { 'last-event-id': this.place } : {}),
      },
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
    });
    if (response.ok && response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
    // A page of a proxy or of a network that wants a sign-in is no answer of ours.
    const status = response.ok ? 502 : response.status;
    throw new Refused({ status, body: await response.json().catch(() => null) });
  }

  private opened(): void {
    // Back after a turn of others: nobody was told that it was away.
    if (this.isOpen) return;
    this.isOpen = true;
    for (const listener of this.listeners) listener.open();
  }

  private take(frames: readonly StreamEvent[]): void {
    if (this.mode === 'log') this.keep(frames);
    else if (this.mode === 'state')
      for (const frame of frames) this.kept = [...this.kept.filter(({ event }) => event !== frame.event), frame];
    for (const listener of this.listeners) listener.frames(frames);
    this.options.onMoved(this);
  }

  private keep(frames: readonly StreamEvent[]): void {
    for (const frame of frames) {
      this.place = frame.id ?? this.place;
      this.kept.push(frame);
      this.keptChars += frame.data.length;
    }
    let dropped = 0;
    for (; this.keptChars > KEPT_CHARS && dropped < this.kept.length; dropped += 1) {
      this.keptChars -= this.kept[dropped]?.data.length ?? 0;
      this.keptFrom = this.kept[dropped]?.id ?? this.keptFrom;
    }
    if (dropped > 0) this.kept = this.kept.slice(dropped);
  }

  private pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = done;
      signal.addEventListener('abort', done);
    });
  }
}

class Refused extends Error {
  readonly refusal: Refusal;
  /** Whether it may be well by itself after a while. */
  readonly isPassing: boolean;
  constructor(refusal: Refusal) {
    super(`answered ${refusal.status}`);
    this.refusal = refusal;
    this.isPassing = refusal.status >= 500 || refusal.status === 429 || refusal.status === 408;
  }
}

/** Ids that are numbers have an order. */
const counted = (id: string | null): number | null => (id !== null && /^\d{1,15}$/.test(id) ? Number(id) : null);
