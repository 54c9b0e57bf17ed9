import { jsonOf, type StreamEvent } from '@hangar/client/frame';
import { type HangarError, PodLogLine } from '@hangar/contract';
import type { Streams } from '../../api/streams/streams.tsx';
import { LogBuffer } from '../../components/log/log-buffer.ts';

export interface PodLogReading {
  readonly status: 'loading' | 'live' | 'reconnecting' | 'ended' | 'failed';
  readonly error: HangarError | null;
}

const Lines = PodLogLine.array();

/** Follows the log of a container: its last lines, then what is added, and after a cut from where it was. */
export class PodLogReader {
  readonly buffer = new LogBuffer();
  state: PodLogReading = { status: 'loading', error: null };
  private readonly streams: Streams;
  private readonly url: string;
  private readonly listeners = new Set<() => void>();
  private stop: () => void = () => {};
  private lastId: string | null = null;

  constructor(streams: Streams, url: string) {
    this.streams = streams;
    this.url = url;
  }

  /** Begins, or goes on after stop. Returns the function that stops it. */
  start = (): (() => void) => {
    this.stop();
    const stop = this.streams.follow(
      this.url,
      'log',
      {
        open: () => this.tell({ status: 'live', error: null }),
        frame: (frame) => this.take(frame),
        lost: ({ error }) => this.tell({ status: this.lastId === null ? 'loading' : 'reconnecting', error }),
        failed: (error) => this.tell({ status: 'failed', error }),
      },
      this.lastId,
    );
    this.stop = stop;
    return stop;
  };

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): PodLogReading => this.state;

  private take(frame: StreamEvent): void {
    if (frame.event === 'end') {
      this.stop();
      this.tell({ status: 'ended', error: null });
      return;
    }
    const lines = frame.event === 'message' ? Lines.safeParse(jsonOf(frame)) : null;
    if (!lines?.success) return;
    this.buffer.put(lines.data.map((line) => ({ ...line, stream: 'stdout' as const })));
    this.lastId = frame.id ?? this.lastId;
  }

  private tell(next: PodLogReading): void {
    if (next.status === this.state.status && next.error === this.state.error) return;
    this.state = next;
    for (const listener of this.listeners) listener();
  }
}
