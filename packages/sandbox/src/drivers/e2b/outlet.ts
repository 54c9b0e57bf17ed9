import { Readable } from 'node:stream';

/** What is held while the mark has not come yet: a profile that prints more is not listened to. */
const MOST_HELD = 64 * 1024;

export interface Outlet {
  readonly stream: Readable;
  /** Resolves when there is room for more: who feeds it waits for the reader. */
  put(chunk: Uint8Array): Promise<void> | undefined;
  /** No more comes. What came in place of the mark is given out, as it says why the program never ran. */
  end(): void;
  fail(error: Error): void;
}

/** A stream of bytes that begins after `mark`. `onMark` is called when it came. */
export function createOutlet(mark: string, onMark?: () => void): Outlet {
  const marker = Buffer.from(mark);
  let held: Buffer | null = Buffer.alloc(0);
  let roomy: (() => void) | null = null;
  const wake = () => {
    roomy?.();
    roomy = null;
  };
  const stream = new Readable({
    read: wake,
    destroy(error, done) {
      wake();
      done(error);
    },
  });
  // Who reads the other stream only must not be ended by this one.
  stream.on('error', () => undefined);

  const push = (chunk: Uint8Array): Promise<void> | undefined => {
    if (stream.destroyed || chunk.length === 0 || stream.push(chunk)) return undefined;
    return new Promise((resolve) => {
      roomy = resolve;
    });
  };

  return {
    stream,
    put(chunk) {
      if (held === null) return push(chunk);
      held = Buffer.concat([held, chunk]);
      const at = held.indexOf(marker);
      if (at < 0) {
        if (held.length > MOST_HELD) held = held.subarray(held.length - MOST_HELD);
        return undefined;
      }
      const rest = held.subarray(at + marker.length);
      held = null;
      onMark?.();
      return push(rest);
    },
    end() {
      if (stream.destroyed) return;
      if (held !== null && held.length > 0) stream.push(held);
      held = null;
      stream.push(null);
    },
    fail: (error) => stream.destroy(error),
  };
}
