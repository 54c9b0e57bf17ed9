import { Readable } from 'node:stream';

/** How much of each stream waits for its reader. */
const HIGH_WATER = 64 * 1024;

/** The output of a process that comes through one connection, for its readers. */
export interface Outlets {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** A reader of one of them has enough for now: who feeds them takes nothing more from the connection. */
  readonly isFull: boolean;
  give(stream: Readable, bytes: Buffer): void;
  /** Ends both streams; with an error what nobody has read yet is lost. */
  finish(error?: Error): void;
}

/** @param onRoom a reader that had enough wants more, or nothing at all */
export function createOutlets(o: { readonly terminal: boolean; readonly onRoom: () => void }): Outlets {
  const full = new Set<Readable>();
  const outlet = (): Readable => {
    const release = () => {
      if (full.delete(stream)) o.onRoom();
    };
    const stream: Readable = new Readable({
      highWaterMark: HIGH_WATER,
      read: release,
      // Nobody wants it any more: what still comes is dropped, and the other stream goes on.
      destroy(error, done) {
        release();
        done(error);
      },
    });
    // Told to whoever reads it; that nobody does is no reason to end the program.
    stream.on('error', () => {});
    return stream;
  };
  const stdout = outlet();
  const stderr = outlet();
  if (o.terminal) stderr.push(null);
  return {
    stdout,
    stderr,
    get isFull() {
      return full.size > 0;
    },
    give(stream, bytes) {
      if (!stream.destroyed && !stream.push(bytes)) full.add(stream);
    },
    finish(error) {
      for (const stream of [stdout, stderr]) {
        if (error) stream.destroy(error);
        else if (!stream.destroyed && !stream.readableEnded) stream.push(null);
      }
    },
  };
}
