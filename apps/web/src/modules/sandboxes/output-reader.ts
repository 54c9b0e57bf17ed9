import { createOutputDecoder, type OutputDecoder } from '@hangar/client/execution-output';
import { jsonOf, type StreamEvent } from '@hangar/client/frame';
import type { HangarError, LogLine } from '@hangar/contract';
import type { Streams } from '../../api/streams/streams.tsx';
import { LogBuffer } from '../../components/log/log-buffer.ts';

export interface OutputReading {
  readonly status: 'loading' | 'live' | 'reconnecting' | 'ended' | 'failed';
  readonly error: HangarError | null;
}

type Stream = LogLine['stream'];

/** What stands at the end of a stream without a line end is shown when nothing follows it for so long. */
const QUIET_MS = 400;
/** A longer line is shown in parts. */
const LINE_MOST = 64 * 1024;

/** Follows what an execution prints, as lines, and after a cut from where it was. */
export class OutputReader {
  readonly buffer = new LogBuffer();
  state: OutputReading = { status: 'loading', error: null };
  private readonly streams: Streams;
  private readonly url: string;
  private readonly decoder: OutputDecoder = createOutputDecoder();
  private readonly texts = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  private readonly rest = { stdout: '', stderr: '' };
  private readonly listeners = new Set<() => void>();
  private stop: () => void = () => {};
  private lastId: string | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(streams: Streams, execution: string) {
    this.streams = streams;
    this.url = `/api/drivers/status?execution=${encodeURIComponent(execution)}`;
  }

  /** Begins, or goes on after stop. Returns the function that stops it. */
  start = (): (() => void) => {
    this.stop();
    const unfollow = this.streams.follow(
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
    this.stop = () => {
      clearTimeout(this.timer);
      unfollow();
    };
    return this.stop;
  };

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): OutputReading => this.state;

  private take(frame: StreamEvent): void {
    clearTimeout(this.timer);
    if (frame.event === 'end') {
      this.stop();
      this.flush();
      this.tell({ status: 'ended', error: null });
      return;
    }
    const pieces = frame.event === 'message' ? jsonOf(frame) : null;
    if (!Array.isArray(pieces)) return;
    for (const piece of pieces as readonly LogLine[]) this.add(piece);
    this.lastId = frame.id ?? this.lastId;
    this.timer = setTimeout(() => this.flush(), QUIET_MS);
  }

  private add(piece: LogLine): void {
    const printed = this.decoder.next(piece);
    if (printed === null) return;
    if (printed.stream === 'system') {
      this.put('system', [printed.text], piece.at);
      return;
    }
    const { stream } = printed;
    const text = this.rest[stream] + this.texts[stream].decode(printed.bytes, { stream: true });
    const lines = text.split('\n');
    const last = lines.pop() ?? '';
    this.rest[stream] = last.length > LINE_MOST ? '' : last;
    this.put(stream, last.length > LINE_MOST ? [...lines, last] : lines, piece.at);
  }

  /** What a program asks without a line end, such as a prompt, is not kept back. */
  private flush(): void {
    const at = new Date().toISOString();
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.rest[stream] === '') continue;
      this.put(stream, [this.rest[stream]], at);
      this.rest[stream] = '';
    }
  }

  private put(stream: Stream, texts: readonly string[], at: string): void {
    const first = this.buffer.total + 1;
    this.buffer.put(texts.map((text, index) => ({ n: first + index, at, stream, text: text.replace(/\r$/, '') })));
  }

  private tell(next: OutputReading): void {
    if (next.status === this.state.status && next.error === this.state.error) return;
    this.state = next;
    for (const listener of this.listeners) listener();
  }
}
