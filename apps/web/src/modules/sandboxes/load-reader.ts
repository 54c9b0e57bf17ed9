import { jsonOf, type StreamEvent } from '@hangar/client/frame';
import { MachineAway, MachineLoad } from '@hangar/contract';
import type { Streams } from '../../api/streams/streams.tsx';
import { type LoadReading, SHOWN_SECONDS } from './load-graphs.tsx';

/** Follows what a machine uses, and keeps the last minutes of it. */
export class LoadReader {
  private state: LoadReading = { status: 'loading', samples: [], away: null, error: null };
  private readonly streams: Streams;
  private readonly url: string;
  private readonly listeners = new Set<() => void>();
  private stop: () => void = () => {};

  constructor(streams: Streams, sandbox: string) {
    this.streams = streams;
    this.url = `/api/drivers/resources?sandbox=${encodeURIComponent(sandbox)}`;
  }

  /** Returns the function that stops it. */
  start = (): (() => void) => {
    this.stop = this.streams.follow(this.url, 'changes', {
      open: () => this.tell({ status: 'live', error: null }),
      frame: (frame) => this.take(frame),
      lost: ({ error }) => this.tell({ status: this.state.samples.length === 0 ? 'loading' : 'reconnecting', error }),
      failed: (error) => this.tell({ status: 'failed', error }),
    });
    return () => this.stop();
  };

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): LoadReading => this.state;

  private take(frame: StreamEvent): void {
    if (frame.event === 'end') {
      this.stop();
      this.tell({ status: 'ended', away: null });
      return;
    }
    if (frame.event === 'away') {
      const away = MachineAway.safeParse(jsonOf(frame));
      if (away.success) this.tell({ away: `${away.data.message} ${away.data.wayOut}` });
    }
    if (frame.event !== 'load') return;
    const load = MachineLoad.safeParse(jsonOf(frame));
    if (load.success) this.tell({ samples: [...this.state.samples, load.data].slice(-SHOWN_SECONDS), away: null });
  }

  private tell(next: Partial<LoadReading>): void {
    this.state = { ...this.state, ...next };
    for (const listener of this.listeners) listener();
  }
}
