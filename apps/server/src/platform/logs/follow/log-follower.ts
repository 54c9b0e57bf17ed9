import type { LogEnd, LogLine } from '@hangar/contract';
import type { LogFilter } from '../read/log-filter.ts';
import { endEvent, type Frame, HEARTBEAT, linesEvent, OPENING, SOON } from './log-frame.ts';

/** Where a follower writes: an HTTP response, or anything that counts what it has not sent yet. */
export interface LogSink {
  readonly writableLength: number;
  write(bytes: Buffer): boolean;
  end(): unknown;
  destroy(): unknown;
  on(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
}

/** What a follower sees of its log. */
export interface FollowedLog {
  readonly head: number;
  /** Known once nothing will be added. */
  readonly end: LogEnd | null;
  /** The frame in memory that holds this line. */
  frameWith(line: number): Frame | undefined;
  /** The next frames after a line, from the table; empty when there is nothing. */
  fetch(after: number): Promise<readonly Frame[]>;
  leave(follower: Follower): void;
}

export interface Follower {
  /** Writes what there is, as far as the reader keeps up. */
  pump(): void;
  beat(): void;
  /** Ends the connection without the end event: the client comes back and goes on where it was. */
  cutOff(): void;
  /** The same in good order: what was written arrives, and the client comes back soon. */
  sendAway(): void;
}

/** More than this unsent, and the follower waits until its reader has caught up. */
const UNSENT_MOST = 1024 * 1024;
/** A reader that takes nothing for so long is gone; one that is alive comes back and resumes. */
const STUCK_MS = 5 * 60 * 1000;

/** A cursor into a log. That is all a follower is: resuming, catching up and live tail are one thing. */
export function createFollower(o: {
  log: FollowedLog;
  sink: LogSink;
  after: number;
  filter: LogFilter | null;
  /** Sent before anything else. */
  opening: readonly LogLine[];
}): Follower {
  const { log, sink, filter } = o;
  let cursor = o.after;
  let fetching = false;
  let closed = false;
  let stuckSince: number | null = null;

  function send(frame: Frame): void {
    if (frame.last <= cursor) return;
    if (!filter) {
      sink.write(frame.first === cursor + 1 ? frame.bytes : linesEvent(after(frame), frame.last));
    } else if (frame.mayHold((chunk) => filter.mayPass(chunk))) {
      const lines = after(frame).filter((line) => filter.test(line));
      if (lines.length > 0) sink.write(linesEvent(lines, frame.last));
    }
    cursor = frame.last;
  }
  const after = (frame: Frame): readonly LogLine[] => frame.lines().filter(({ n }) => n > cursor);

  function pump(): void {
    while (!closed && !fetching) {
      if (sink.writableLength > UNSENT_MOST) {
        stuckSince ??= performance.now();
        return; // until drain
      }
      stuckSince = null;
      if (cursor >= log.head) {
        if (log.end) finish(log.end);
        return;
      }
      const frame = log.frameWith(cursor + 1);
      if (frame) send(frame);
      else void catchUp();
    }
  }

  async function catchUp(): Promise<void> {
    fetching = true;
    const before = cursor;
    try {
      for (const frame of await log.fetch(cursor)) if (!closed) send(frame);
    } catch {
      cutOff();
    }
    fetching = false;
    if (cursor > before) pump();
    else if (log.end === null)
      cutOff(); // lines that are said to be there are not: the client asks again
    else if (!closed) finish(log.end);
  }

  function finish(end: LogEnd): void {
    sink.write(endEvent(end));
    close();
    sink.end();
  }

  function cutOff(): void {
    if (closed) return;
    close();
    sink.destroy();
  }

  function close(): void {
    closed = true;
    log.leave(follower);
  }

  const follower: Follower = {
    pump,
    beat() {
      if (closed) return;
      if (stuckSince !== null && performance.now() - stuckSince > STUCK_MS) cutOff();
      else if (sink.writableLength === 0) sink.write(HEARTBEAT);
    },
    cutOff,
    sendAway() {
      if (closed) return;
      close();
      sink.write(SOON);
      sink.end();
    },
  };
  sink.on('drain', pump);
  sink.on('close', () => {
    if (!closed) close();
  });
  sink.on('error', () => undefined); // followed by close
  sink.write(OPENING);
  if (o.opening.length > 0) sink.write(linesEvent(o.opening, cursor));
  return follower;
}
