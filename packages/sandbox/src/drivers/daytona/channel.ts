import { Readable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { Exit } from '../../port/machine.ts';

/** The SDK hands out what it gets and cannot be told to wait: more than this unread is not kept. */
const MOST_UNREAD = 16 * 1024 * 1024;

/** The two streams of a channel and its end, which comes once. */
export interface Ending {
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<Exit>;
  readonly isOver: boolean;
  print(stream: 'stdout' | 'stderr', bytes: Uint8Array | string): void;
  exited(exit: Exit): void;
  lost(error: unknown): void;
}

/** @param onOver what is let go then */
export function createEnding(onOver: () => void): Ending {
  const streams = { stdout: new Readable({ read() {} }), stderr: new Readable({ read() {} }) };
  const { promise, resolve, reject } = Promise.withResolvers<Exit>();
  // Nobody may be waiting for it.
  promise.catch(() => {});
  let isOver = false;
  const over = (settle: () => void) => {
    if (isOver) return;
    isOver = true;
    streams.stdout.push(null);
    streams.stderr.push(null);
    settle();
    onOver();
  };
  const lost = (error: unknown) => over(() => reject(error));
  return {
    ...streams,
    exit: promise,
    get isOver() {
      return isOver;
    },
    print(name, bytes) {
      const stream = streams[name];
      if (isOver || stream.destroyed || bytes.length === 0) return;
      stream.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
      if (stream.readableLength > MOST_UNREAD) {
        lost(
          new HangarError('connection_lost', {
            message: `More than ${MOST_UNREAD / 1024 / 1024} MiB of output waited to be read, and Daytona cannot be told to wait.`,
            wayOut: 'Read faster, or let the command write into a file.',
          }),
        );
      }
    },
    exited: (exit) => over(() => resolve(exit)),
    lost,
  };
}
