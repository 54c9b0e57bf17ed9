import { Readable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { Exit } from '../../port/machine.ts';
import { within } from './client.ts';
import { isStatus } from './errors.ts';

/** The SDK hands out what it gets and cannot be told to wait: more than this unread is not kept. */
const MOST_UNREAD = 16 * 1024 * 1024;

/** Two in a row without an answer: the way is broken, though no connection says so. */
const MOST_MISSED = 2;

/**
 * Asks for what runs again and again: a connection that died in silence tells nobody. Stopped by what it returns.
 * @param look what is wrong, in words, or null
 */
export function beating(o: {
  everyMs: number;
  look: () => Promise<string | null>;
  lost: (message: string) => void;
}): () => void {
  let missed = 0;
  const timer = setInterval(() => {
    within(o.look(), null, o.everyMs).then(
      (wrong) => {
        missed = 0;
        if (wrong !== null) o.lost(wrong);
      },
      (error: unknown) => {
        // To be asked less often is an answer.
        missed = isStatus(error, 429) ? 0 : missed + 1;
        if (isStatus(error, 404)) o.lost('What ran there is not known any more.');
        else if (missed >= MOST_MISSED) o.lost('The sandbox does not answer.');
      },
    );
  }, o.everyMs);
  return () => clearInterval(timer);
}

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
