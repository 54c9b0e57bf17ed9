import { BackOff } from '@hangar/client/back-off';
import { type ConnectStream, readStream } from '@hangar/client/event-stream';
import type { StreamEvent } from '@hangar/client/frame';
import { isPassingStatus } from '@hangar/contract/errors';
import type { Refusal, StreamMode } from './stream-messages.ts';
import type { Turns } from './turns.ts';

export interface StreamTiming {
  /** Before the next try; those of the back-off when left out. */
  readonly pauses?: readonly number[];
  readonly connectMs: number;
  readonly silenceMs: number;
}

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
  private readonly backOff: BackOff;

  constructor(options: StreamOptions) {
    this.options = options;
    this.url = options.url;
    this.mode = options.mode;
    this.place = options.after;
    this.keptFrom = options.after;
    this.backOff = new BackOff({
      ...{ signal: this.end.signal, pauses: options.timing.pauses },
      isPassing: (error) => !(error instanceof Refused) || isPassingStatus(error.refusal.status),
      onLost: (error) => this.lost(error),
    });
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
    this.backOff.retry();
  }

  private after(after: string | null): readonly StreamEvent[] {
    if (this.mode !== 'log' || after === this.keptFrom) return [...this.kept];
    const asked = counted(after);
    if (asked !== null) return this.kept.filter(({ id }) => (counted(id) ?? 0) > asked);
    return this.kept.slice(this.kept.findIndex(({ id }) => id === after) + 1);
  }

  private async run(signal: AbortSignal): Promise<void> {
    const { after, timing } = this.options;
    const { connect, backOff } = this;
    const frames = readStream({
      ...{ connect, backOff, signal, after, silenceMs: timing.silenceMs },
      onOpen: () => this.opened(),
    });
    try {
      for await (const some of frames) {
        this.isOver ||= this.mode === 'log' && some.some(({ event }) => event === 'end');
        this.take(some);
        if (this.isOver) break;
      }
    } catch (thrown) {
      if (!signal.aborted && thrown instanceof Refused) {
        this.isOver = true;
        for (const listener of this.listeners) listener.failed(thrown.refusal);
      }
    }
    this.options.onOver(this);
  }

  private readonly connect: ConnectStream = async (place, signal) => {
    // Changes that are missed cannot be had again: their stream never waits for a turn.
    const turn = this.mode === 'changes' ? null : await this.options.turns.take(signal);
    const cut = new AbortController();
    this.cut = cut;
    const late = setTimeout(() => cut.abort(), this.options.timing.connectMs);
    try {
      const { body } = await this.request(place, AbortSignal.any([signal, cut.signal]));
      turn?.begin();
      return { body: this.pieces(body), leave: turn?.over, close: () => turn?.release() };
    } catch (error) {
      turn?.release();
      throw error;
    } finally {
      clearTimeout(late);
    }
  };

  private async request(place: string | null, signal: AbortSignal): Promise<Response> {
    const response = await this.options.fetcher(this.url, {
      headers: {
        accept: 'text/event-stream',
        ...(this.mode === 'log' && place !== null ? { 'last-event-id': place } : {}),
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

  /** Not every browser lets a body be iterated. */
  private async *pieces(body: Response['body']): AsyncGenerator<Uint8Array, void> {
    const reader = body?.getReader();
    for (;;) {
      this.heardAt = Date.now();
      const piece = await reader?.read();
      if (piece?.value === undefined) return;
      yield piece.value;
    }
  }

  private opened(): void {
    // Back after a turn of others: nobody was told that it was away.
    if (this.isOpen) return;
    this.isOpen = true;
    for (const listener of this.listeners) listener.open();
  }

  private lost(error: unknown): void {
    this.isOpen = false;
    const refusal = error instanceof Refused ? error.refusal : null;
    for (const listener of this.listeners) listener.lost(this.heardAt, refusal);
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
}

class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(`answered ${refusal.status}`);
    this.refusal = refusal;
  }
}

/** Ids that are numbers have an order. */
const counted = (id: string | null): number | null => (id !== null && /^\d{1,15}$/.test(id) ? Number(id) : null);
