import { fromWire, HangarError, LogEnd, LogLine, LogPage } from '@hangar/contract';
import { asHangarError } from '../../api/errors.ts';
import { LogBuffer } from '../../components/log/log-buffer.ts';
import type { RemoteSearch } from '../../components/log/log-search.ts';
import { EventStreamParser } from './event-stream.ts';

export interface LogReading {
  readonly status: 'loading' | 'live' | 'reconnecting' | 'ended' | 'failed';
  readonly error: HangarError | null;
  /** When the last line or sign of life came, while reconnecting. */
  readonly freshAt: string | null;
}

export interface LogReaderOptions {
  /** `/api/jobs/j_…/logs` */
  readonly url: string;
  readonly fetcher?: typeof fetch;
  /** Lines of the end that are loaded first. */
  readonly tail?: number;
  readonly reconnectMs?: readonly number[];
  /** Without a byte for so long (the server sends a comment each 15 s) the connection is taken for dead. */
  readonly silenceMs?: number;
}

const RECONNECT_MS = [300, 1000, 2000, 4000, 8000, 15_000];
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
  private readonly options: Required<LogReaderOptions>;
  private readonly listeners = new Set<() => void>();
  private run: AbortController | null = null;
  private wanted: { from: number; to: number } | null = null;
  private isPaging = false;
  private wake: (() => void) | null = null;

  constructor(options: LogReaderOptions) {
    this.options = {
      fetcher: (input, init) => fetch(input, init),
      tail: 1000,
      reconnectMs: RECONNECT_MS,
      silenceMs: 45_000,
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
    else this.wake?.();
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
    let failures = 0;
    let isFirst = this.buffer.total === 0;
    while (!signal.aborted) {
      try {
        if (isFirst) {
          const page = await this.get(
            { tail: String(this.options.tail), limit: String(Math.max(1, this.options.tail)) },
            signal,
          );
          this.take(page.lines, page.total);
          isFirst = false;
          if (page.ended) return this.tell({ status: 'ended', error: null });
        }
        const hasEnded = await this.follow(signal, () => {
          failures = 0;
        });
        if (hasEnded) return this.tell({ status: 'ended', error: null });
      } catch (error) {
        if (signal.aborted) return;
        const problem = asHangarError(error);
        if (problem.kind !== 'unavailable' && problem.kind !== 'internal' && problem.kind !== 'limit')
          return this.tell({ status: 'failed', error: problem });
        if (isFirst && failures >= 3) this.tell({ status: 'loading', error: problem });
      }
      if (signal.aborted) return;
      if (!isFirst) this.tell({ status: 'reconnecting', error: null });
      await this.pause(failures, signal);
      failures += 1;
    }
  }

  /** Whether the log has ended; false when the connection was cut. */
  private async follow(signal: AbortSignal, onLife: () => void): Promise<boolean> {
    const silence = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), this.options.silenceMs);
    };
    try {
      watch();
      return await this.stream(AbortSignal.any([signal, silence.signal]), () => {
        watch();
        onLife();
      });
    } finally {
      clearTimeout(timer);
    }
  }

  private async stream(signal: AbortSignal, onLife: () => void): Promise<boolean> {
    const url = `${this.options.url}?${new URLSearchParams({ follow: 'true', after: String(this.buffer.total) })}`;
    const response = await this.request(url, signal, {
      accept: 'text/event-stream',
      'last-event-id': String(this.buffer.total),
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) return false;
    const parser = new EventStreamParser();
    try {
      this.freshAt = Date.now();
      this.tell({ status: 'live', error: null });
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return false;
        this.freshAt = Date.now();
        onLife();
        for (const event of parser.push(value)) {
          if (event.event === 'end') {
            const end = LogEnd.safeParse(parseJson(event.data));
            if (end.success) this.buffer.grow(end.data.total);
            return true;
          }
          const lines = event.event === 'message' ? LogLines.safeParse(parseJson(event.data)) : null;
          if (lines?.success) this.buffer.put(lines.data);
        }
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
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
    const late = AbortSignal.timeout(this.options.silenceMs);
    const url = `${this.options.url}?${new URLSearchParams(query)}`;
    const response = await this.request(url, AbortSignal.any([signal, late]), { accept: 'application/json' });
    return LogPage.parse(await response.json());
  }

  private async request(url: string, signal: AbortSignal, headers: Record<string, string>): Promise<Response> {
    const response = await this.options.fetcher(url, {
      headers,
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
    });
    if (response.ok) return response;
    throw fromWire(await response.json().catch(() => null)) ?? asHangarError({ status: response.status });
  }

  private pause(failures: number, signal: AbortSignal): Promise<void> {
    const steps = this.options.reconnectMs;
    const ms = steps[Math.min(failures, steps.length - 1)] ?? 1000;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener('abort', this.wake, { once: true });
    });
  }

  private tell(next: Omit<LogReading, 'freshAt'>): void {
    if (next.status === this.state.status && next.error === this.state.error) return;
    this.state = { ...next, freshAt: this.freshAt === null ? null : new Date(this.freshAt).toISOString() };
    for (const listener of this.listeners) listener();
  }
}

/** Ends early, and without an error, when the signal aborts. */
export const delay = (ms: number, signal: AbortSignal): Promise<void> =>
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

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
