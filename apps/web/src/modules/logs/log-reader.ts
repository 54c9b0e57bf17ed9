import { BackOff } from '@hangar/client/back-off';
import { jsonOf, type StreamEvent } from '@hangar/client/frame';
import { fromWire, HangarError, isPassingStatus, LogEnd, LogLine, LogPage } from '@hangar/contract';
import { asHangarError } from '../../api/errors.ts';
import type { Streams } from '../../api/streams/streams.tsx';
import { LogBuffer } from '../../components/log/log-buffer.ts';
import type { RemoteSearch } from '../../components/log/log-search.ts';

export interface LogReading {
  readonly status: 'loading' | 'live' | 'reconnecting' | 'ended' | 'failed';
  readonly error: HangarError | null;
  /** When the last line or sign of life came, while reconnecting. */
  readonly freshAt: string | null;
}

export interface LogReaderOptions {
  /** `/api/jobs/j_…/logs` */
  readonly url: string;
  readonly streams: Streams;
  readonly fetcher?: typeof fetch;
  /** Lines of the end that are loaded first. */
  readonly tail?: number;
  readonly pauses?: readonly number[];
}

/** A page that has not come after so long never will. */
const ANSWER_MS = 45_000;
const AROUND = 400;
const PAGE = 1000;
const SEARCH_PAGES = 20;

const LogLines = LogLine.array();

/**
 * Reads the log of one unit: first its tail, then what is added, over a connection that resumes after the last line it has.
 * What is looked at and not here is asked for by page. Ends by itself when the log has ended.
 */
export class LogReader {
  readonly buffer = new LogBuffer({ canReload: true });
  state: LogReading = { status: 'loading', error: null, freshAt: null };
  private readonly options: Required<Omit<LogReaderOptions, 'pauses'>> & Pick<LogReaderOptions, 'pauses'>;
  private readonly listeners = new Set<() => void>();
  private run: AbortController | null = null;
  private wanted: { from: number; to: number } | null = null;
  private isPaging = false;
  private loading: BackOff | null = null;

  constructor(options: LogReaderOptions) {
    this.options = {
      fetcher: (input, init) => fetch(input, init),
      tail: 1000,
      ...options,
    };
  }

  /** Begins, or goes on after stop. Returns the function that stops it. */
  start(): () => void {
    this.run?.abort();
    const run = new AbortController();
    this.run = run;
    void this.read(run.signal);
    return () => {
      run.abort();
      if (this.run === run) this.run = null;
    };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): LogReading => this.state;

  /** Try at once, not after the pause: the browser is online again, or a person asks. */
  retry = (): void => {
    if (this.state.status === 'failed') this.start();
    else this.loading?.retry();
    this.options.streams.retry();
  };

  /** Loads lines that are looked at. Of many calls while scrolling only the last counts. */
  need = (from: number, to: number): void => {
    this.wanted = { from, to };
    if (!this.isPaging && this.run !== null) void this.page(this.run.signal);
  };

  /** Asks the server which lines hold a text. */
  search: RemoteSearch = async (text, found, signal) => {
    let after: number | null = 0;
    for (let page = 0; page < SEARCH_PAGES && after !== null; page += 1) {
      const answer = await this.get({ grep: text, after: String(after), limit: '10000' }, signal);
      found(answer.lines.map((line) => line.n));
      after = answer.nextAfter;
    }
    if (after !== null) throw new HangarError('internal', { message: 'Too many matches.' });
  };

  private async read(signal: AbortSignal): Promise<void> {
    try {
      const hasEnded = this.buffer.total === 0 && (await this.loadTail(signal));
      if (signal.aborted) return;
      if (hasEnded) this.tell({ status: 'ended', error: null });
      else this.follow(signal);
    } catch (error) {
      if (!signal.aborted) this.tell({ status: 'failed', error: asHangarError(error) });
    }
  }

  /** Asks until there is an answer; whether the log has ended. */
  private loadTail(signal: AbortSignal): Promise<boolean> {
    const { tail, pauses } = this.options;
    this.loading = new BackOff({
      ...{ signal, pauses },
      isPassing: (error) => isPassingStatus(asHangarError(error).status),
      onLost: (error, before) => {
        if (before >= 3) this.tell({ status: 'loading', error: asHangarError(error) });
      },
    });
    return this.loading.through(async () => {
      const page = await this.get({ tail: String(tail), limit: String(Math.max(1, tail)) }, signal);
      this.take(page.lines, page.total);
      return page.ended;
    });
  }

  private follow(signal: AbortSignal): void {
    const stop = this.options.streams.follow(
      `${this.options.url}?follow=true`,
      'log',
      {
        open: () => {
          this.freshAt = Date.now();
          this.tell({ status: 'live', error: null });
        },
        frame: (frame) => {
          this.freshAt = Date.now();
          if (frame.event === 'end') stop();
          this.hear(frame);
        },
        lost: ({ heardAt }) => {
          this.freshAt = heardAt ?? this.freshAt;
          this.tell({ status: 'reconnecting', error: null });
        },
        failed: (error) => this.tell({ status: 'failed', error }),
      },
      String(this.buffer.total),
    );
    signal.addEventListener('abort', stop, { once: true });
  }

  private hear(frame: StreamEvent): void {
    const { event } = frame;
    if (event === 'end') {
      const end = LogEnd.safeParse(jsonOf(frame));
      if (end.success) this.buffer.grow(end.data.total);
      this.tell({ status: 'ended', error: null });
    }
    const lines = event === 'message' ? LogLines.safeParse(jsonOf(frame)) : null;
    if (lines?.success) this.buffer.put(lines.data);
  }

  private freshAt: number | null = null;

  private async page(signal: AbortSignal): Promise<void> {
    this.isPaging = true;
    try {
      // A moment's patience: while somebody drags the scroll bar, every place is passed but none is wanted.
      for (await delay(40, signal); this.wanted !== null && !signal.aborted; ) {
        const { from, to } = this.wanted;
        this.wanted = null;
        const span = this.buffer.missing(from, to);
        if (span === null) continue;
        const around =
          this.buffer.missing(Math.max(1, from - AROUND), Math.max(to + AROUND, from + PAGE - AROUND)) ?? span;
        try {
          const page = await this.get(
            { after: String(around.from - 1), limit: String(around.to - around.from + 1) },
            signal,
          );
          this.take(page.lines, page.total);
        } catch {
          await delay(2000, signal);
          this.wanted ??= { from, to };
        }
      }
    } finally {
      this.isPaging = false;
    }
  }

  private take(lines: readonly LogLine[], total: number): void {
    this.buffer.put(lines);
    this.buffer.grow(total);
    this.freshAt = Date.now();
  }

  private async get(query: Record<string, string>, signal: AbortSignal): Promise<LogPage> {
    const late = AbortSignal.timeout(ANSWER_MS);
    const url = `${this.options.url}?${new URLSearchParams(query)}`;
    const response = await this.request(url, AbortSignal.any([signal, late]));
    return LogPage.parse(await response.json());
  }

  private async request(url: string, signal: AbortSignal): Promise<Response> {
    const response = await this.options.fetcher(url, {
      headers: { accept: 'application/json' },
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
    });
    if (response.ok) return response;
    throw fromWire(await response.json().catch(() => null)) ?? asHangarError({ status: response.status });
  }

  private tell(next: Omit<LogReading, 'freshAt'>): void {
    if (next.status === this.state.status && next.error === this.state.error) return;
    this.state = { ...next, freshAt: this.freshAt === null ? null : new Date(this.freshAt).toISOString() };
    for (const listener of this.listeners) listener();
  }
}

/** Ends early, and without an error, when the signal aborts. */
const delay = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
