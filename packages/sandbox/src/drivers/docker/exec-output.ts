import type { Readable } from 'node:stream';
import { createOutlets } from '../../machine/outlets.ts';
import { createFrames } from './frames.ts';

/**
 * Taken over that once the process has ended. The Engine keeps 1 MB of each stream and two full pipes, and lets go two
 * seconds after the end whatever a slow reader has left there.
 */
const SPARE_BYTES = 8 * 1024 * 1024;
/** Longer than any sentence of the Engine about a program that it could not start. */
const LONGEST_REFUSAL = 16 * 1024;

export interface ExecOutput {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** How the connection ended, once it has: at the end of a frame, or in the middle of something. */
  readonly over: Promise<'whole' | 'cut'>;
  /** Since when a reader holds it back, as `performance.now()` says it; null when none does. */
  readonly heldSince: number | null;
  /** What the Engine said in place of a process that never began. It stands in stderr, too. */
  readonly refusal: string | null;
  /** The process has ended: takes what is left whether somebody reads it or not, up to a bound. */
  drain(): void;
  /** Ends both streams; with an error what nobody has read yet is lost. */
  finish(error?: Error): void;
}

/**
 * The two streams of a process, out of the one connection that the Engine gives. When a reader of one of them is slow,
 * nothing more is taken from the connection, so the process waits and memory stays as it is.
 *
 * @param isLocal whether the Engine is at the other end of a Unix socket
 * @param isRefusal whether the process never began; asked at most once, never rejects
 */
export function createExecOutput(
  connection: Readable,
  o: { readonly terminal: boolean; readonly isLocal: boolean; readonly isRefusal: () => Promise<boolean> },
): ExecOutput {
  let spare = 0;
  let heldSince: number | null = null;
  let asked: Promise<void> | null = null;
  let isAsking = false;
  let refusal: string | null = null;

  const flow = () => {
    const isHeld = outlets.isFull && spare <= 0;
    heldSince = isHeld ? (heldSince ?? performance.now()) : null;
    if (isHeld || isAsking) connection.pause();
    else connection.resume();
  };
  const outlets = createOutlets({ terminal: o.terminal, onRoom: flow });
  const { stdout, stderr } = outlets;

  const give = (stream: Readable, bytes: Buffer) => {
    spare -= bytes.length;
    outlets.give(stream, bytes);
  };

  // The Engine says on stdout, in one frame that ends like this, why a program did not start.
  let first: Buffer[] | null = o.terminal ? null : [];
  let firstLength = 0;
  const behind: [Readable, Buffer][] = [];

  const letFirstGo = () => {
    for (const piece of first ?? []) give(stdout, piece);
    first = null;
  };
  async function ask(text: Buffer): Promise<void> {
    isAsking = true;
    const isEngines = await o.isRefusal();
    isAsking = false;
    if (isEngines) refusal = text.toString('utf8').trim();
    give(isEngines ? stderr : stdout, text);
    for (const [stream, bytes] of behind.splice(0)) give(stream, bytes);
    flow();
  }
  const frames = createFrames((kind, piece, isLast) => {
    const stream = kind === 'stdout' ? stdout : stderr;
    if (isAsking) {
      behind.push([stream, piece]);
      return;
    }
    if (first === null || kind !== 'stdout' || firstLength + piece.length > LONGEST_REFUSAL) {
      letFirstGo();
      give(stream, piece);
      return;
    }
    first.push(piece);
    firstLength += piece.length;
    if (!isLast) return;
    const text = Buffer.concat(first);
    if (!text.subarray(-2).equals(Buffer.from('\r\n'))) {
      letFirstGo();
      return;
    }
    first = null;
    asked = ask(text);
  });

  const ended = Promise.withResolvers<'whole' | 'cut'>();
  connection.on('data', (chunk: Buffer) => {
    try {
      if (o.terminal) give(stdout, chunk);
      else frames.push(chunk);
    } catch (error) {
      connection.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    flow();
  });
  connection.once('end', () => ended.resolve(frames.isWhole ? 'whole' : 'cut'));
  connection.once('error', (error: NodeJS.ErrnoException) => {
    // An Engine that closes before it has read all input: on this machine all that it said is read before that is told.
    const isReset = error.code === 'ECONNRESET' && error.syscall === 'read' && o.isLocal;
    const isAll = isReset && frames.isWhole && connection.readableLength === 0 && !isAsking;
    ended.resolve(isAll ? 'whole' : 'cut');
  });
  connection.once('close', () => ended.resolve('cut'));

  return {
    stdout,
    stderr,
    over: ended.promise.then(async (how) => {
      await asked;
      letFirstGo();
      return how;
    }),
    get heldSince() {
      return heldSince;
    },
    get refusal() {
      return refusal;
    },
    drain() {
      spare = SPARE_BYTES;
      flow();
    },
    finish: outlets.finish,
  };
}
