import { setTimeout as sleep } from 'node:timers/promises';
import type { LogEnd, LogLine, LogStream } from '@hangar/contract';
import type { FollowFrom, LogSink, Logs } from '../index.ts';

/** A batch of lines with these texts. */
export function batch(seq: number, texts: readonly string[], stream: LogStream = 'stdout') {
  const at = new Date().toISOString();
  return { seq, lines: texts.map((text) => ({ at, stream, text })) };
}

export interface Received {
  readonly lines: LogLine[];
  readonly ids: number[];
  end: LogEnd | null;
  raw: string;
}

/** Reads Server-Sent Events as a client does, event by event. */
export function eventReader(): Received & { take(text: string): void } {
  let rest = '';
  const received: Received & { take(text: string): void } = {
    lines: [],
    ids: [],
    end: null,
    raw: '',
    take(text) {
      received.raw += text;
      rest += text;
      for (let at = rest.indexOf('\n\n'); at >= 0; at = rest.indexOf('\n\n')) {
        const fields = new Map(
          rest
            .slice(0, at)
            .split('\n')
            .map((line): [string, string] => {
              const colon = line.indexOf(':');
              return [line.slice(0, colon), line.slice(colon + 1).trim()];
            }),
        );
        rest = rest.slice(at + 2);
        const data = fields.get('data');
        if (data === undefined) continue;
        if (fields.get('event') === 'end') received.end = JSON.parse(data) as LogEnd;
        else {
          received.lines.push(...(JSON.parse(data) as LogLine[]));
          received.ids.push(Number(fields.get('id')));
        }
      }
    },
  };
  return received;
}

export interface TestFollower extends Received {
  /** What the sink still holds: set it high to play a slow reader, then call drain(). */
  unsent: number;
  writes: number;
  drain(): void;
  disconnect(): void;
  closed: boolean;
}

/** Follows into memory. */
export async function follow(logs: Logs, logId: string, from: FollowFrom = {}): Promise<TestFollower> {
  const reader = eventReader();
  const listeners = new Map<string, () => void>();
  const close = () => {
    if (follower.closed) return;
    follower.closed = true;
    listeners.get('close')?.();
  };
  const follower: TestFollower = Object.assign(reader, {
    unsent: 0,
    writes: 0,
    closed: false,
    drain() {
      follower.unsent = 0;
      listeners.get('drain')?.();
    },
    disconnect: close,
  });
  const sink: LogSink = {
    get writableLength() {
      return follower.unsent;
    },
    write(bytes) {
      if (follower.closed) return false;
      follower.writes += 1;
      reader.take(bytes.toString());
      return true;
    },
    end: close,
    destroy: close,
    on(event, listener) {
      listeners.set(event, listener);
    },
  };
  await logs.follow(logId, from, () => sink);
  return follower;
}

/** Waits until it holds; a test that never gets there fails by its own time limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(5);
}
