import { fromWire, type HangarError, PodLogLine } from '@hangar/contract';
import { asHangarError } from '../../api/errors.ts';
import { LogBuffer } from '../../components/log/log-buffer.ts';
import { EventStreamParser } from '../logs/event-stream.ts';
import { delay, parseJson } from '../logs/log-reader.ts';

export interface PodLogReading {
  readonly status: 'loading' | 'live' | 'reconnecting' | 'ended' | 'failed';
  readonly error: HangarError | null;
}

const RECONNECT_MS = [300, 1000, 2000, 4000, 8000, 15_000];
/** Without a byte for so long (the server says each 15 s that it is alive) the connection is taken for dead. */
const SILENCE_MS = 45_000;

const Lines = PodLogLine.array();

/** Follows the log of a container: its last lines, then what is added, and after a cut from where it was. */
export class PodLogReader {
  readonly buffer = new LogBuffer();
  state: PodLogReading = { status: 'loading', error: null };
  private readonly url: string;
  private readonly fetcher: typeof fetch;
  private readonly listeners = new Set<() => void>();
  private run: AbortController | null = null;
  private lastId: string | null = null;

  constructor(url: string, fetcher: typeof fetch = (input, init) => fetch(input, init)) {
    this.url = url;
    this.fetcher = fetcher;
  }

  /** Begins, or goes on after stop. Returns the function that stops it. */
  start = (): (() => void) => {
    this.run?.abort();
    const run = new AbortController();
    this.run = run;
    void this.read(run.signal);
    return () => run.abort();
  };

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): PodLogReading => this.state;

  private async read(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        const hasEnded = await this.stream(signal, () => {
          failures = 0;
        });
        if (hasEnded) return this.tell({ status: 'ended', error: null });
      } catch (error) {
        if (signal.aborted) return;
        const problem = asHangarError(error);
        if (problem.kind !== 'unavailable' && problem.kind !== 'internal')
          return this.tell({ status: 'failed', error: problem });
      }
      if (signal.aborted) return;
      this.tell({ status: this.lastId === null ? 'loading' : 'reconnecting', error: null });
      await delay(RECONNECT_MS[Math.min(failures, RECONNECT_MS.length - 1)] ?? 1000, signal);
    }
  }

  /** Whether the log has ended; false when the connection was cut. */
  private async stream(outer: AbortSignal, onLife: () => void): Promise<boolean> {
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), SILENCE_MS);
    const signal = AbortSignal.any([outer, silent.signal]);
    try {
      const response = await this.fetcher(this.url, {
        headers: {
          accept: 'text/event-stream',
          ...(this.lastId === null ? {} : { 'last-event-id': this.lastId }),
        },
        signal,
        credentials: 'same-origin',
        cache: 'no-store',
      });
      if (!response.ok)
        throw fromWire(await response.json().catch(() => null)) ?? asHangarError({ status: response.status });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      if (reader === undefined) return false;
      this.tell({ status: 'live', error: null });
      const parser = new EventStreamParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return false;
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE_MS);
        onLife();
        for (const { event, data, id } of parser.push(value)) {
          if (event === 'end') return true;
          const lines = event === 'message' ? Lines.safeParse(parseJson(data)) : null;
          if (!lines?.success) continue;
          this.buffer.put(lines.data.map((line) => ({ ...line, stream: 'stdout' as const })));
          this.lastId = id ?? this.lastId;
        }
      }
    } finally {
      clearTimeout(timer);
      silent.abort();
    }
  }

  private tell(next: PodLogReading): void {
    if (next.status === this.state.status && next.error === this.state.error) return;
    this.state = next;
    for (const listener of this.listeners) listener();
  }
}
