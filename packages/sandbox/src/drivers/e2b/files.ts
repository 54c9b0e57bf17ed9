import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { HangarError } from '@hangar/contract';
import type { Sandbox } from 'e2b';
import { messageOf, nameOf } from './errors.ts';
import { CALL_MS } from './sdk.ts';

/** A file that moves no byte for so long is given up. */
const IDLE_MS = 60_000;
const AGAIN_MS = [500, 5_000];

/** What the file API said of this file, or null when it is about the machine and not about the file. */
function fileError(error: unknown, file: string): HangarError | null {
  const said = { message: `${file}: ${messageOf(error)}` };
  switch (nameOf(error)) {
    case 'FileNotFoundError':
      return new HangarError('file_not_found', said);
    case 'NotEnoughSpaceError':
      return new HangarError('disk_full', {
        message: 'There is no space left on the disk of the sandbox.',
        wayOut: 'Remove files there, or use a template with a larger disk.',
      });
    case 'InvalidArgumentError':
      return new HangarError('file_unreadable', said);
    default:
      return null;
  }
}

type Proved = (error: unknown) => Promise<HangarError>;

/** Whole or not there: what is written gets its name when its last byte has arrived. */
export async function writeFile(
  sandbox: Sandbox,
  file: string,
  body: Readable,
  { signal, proved }: { signal: AbortSignal; proved: Proved },
): Promise<void> {
  signal.throwIfAborted();
  const part = path.posix.join(path.posix.dirname(file), `.hangar-part-${randomBytes(8).toString('hex')}`);
  const idle = new AbortController();
  const all = AbortSignal.any([signal, idle.signal]);
  const timer = setTimeout(() => idle.abort(new Error(`no byte went for ${IDLE_MS / 1000} s`)), IDLE_MS);
  const counted = new Transform({
    transform(chunk, _encoding, done) {
      timer.refresh();
      done(null, chunk);
    },
  });
  let broke: unknown;
  const early = (error: Error) => {
    broke ??= error;
    counted.destroy(error);
  };
  body.once('error', early);
  body.once('close', () => !body.readableEnded && early(new Error('what was to be written ended early')));
  if (body.destroyed) early(body.errored ?? new Error('what was to be written is closed'));
  const stopped = () => counted.destroy(all.reason instanceof Error ? all.reason : new Error('stopped'));
  all.addEventListener('abort', stopped, { once: true });
  // A stream that is destroyed with an error says so; the call that reads it fails with it.
  counted.on('error', () => undefined);
  try {
    // A stream goes as it is; anything else the SDK would wrap into a form, and hold whole.
    const stream = Readable.toWeb(body.pipe(counted));
    await sandbox.files.write(part, stream, { signal: all, useOctetStream: true });
    await sandbox.files.rename(part, file, { signal, requestTimeoutMs: CALL_MS });
  } catch (error) {
    const why = broke;
    body.destroy();
    const removed = removePart(sandbox, part);
    if (signal.aborted) {
      // The service may still be at work with what was cut, and make the file after it was removed.
      for (const ms of AGAIN_MS) setTimeout(() => void removePart(sandbox, part), ms).unref();
      throw signal.reason;
    }
    await removed;
    if (why !== undefined) throw why;
    if (idle.signal.aborted)
      throw new HangarError('connection_lost', { message: `${file}: ${messageOf(idle.signal.reason)}.` });
    throw (
      fileError(error, file) ??
      (nameOf(error) === 'SandboxError' ? await refusedOr(error, file, proved) : await proved(error))
    );
  } finally {
    clearTimeout(timer);
    all.removeEventListener('abort', stopped);
    counted.destroy();
  }
}

const removePart = (sandbox: Sandbox, part: string): Promise<void> =>
  sandbox.files.remove(part, { requestTimeoutMs: CALL_MS }).catch(() => undefined);

/** @throws HangarError file_not_found, file_unreadable, connection_lost, sandbox_gone; the stream fails with the same */
export async function readFile(
  sandbox: Sandbox,
  file: string,
  { signal, proved }: { signal: AbortSignal; proved: Proved },
): Promise<Readable> {
  signal.throwIfAborted();
  const known = async (error: unknown): Promise<unknown> => {
    if (signal.aborted) return signal.reason;
    return (
      fileError(error, file) ?? (nameOf(error) === 'SandboxError' ? refusedOr(error, file, proved) : proved(error))
    );
  };
  let stream: ReadableStream<Uint8Array>;
  try {
    stream = await sandbox.files.read(file, {
      ...{ format: 'stream', signal, requestTimeoutMs: CALL_MS, streamIdleTimeoutMs: IDLE_MS },
    });
  } catch (error) {
    throw await known(error);
  }
  const reader = stream.getReader();
  return new Readable({
    read() {
      reader.read().then(
        ({ done, value }) => this.push(done ? null : value),
        async (error: unknown) => this.destroy((await known(error)) as Error),
      );
    },
    destroy(error, done) {
      reader.cancel().then(
        () => done(error),
        () => done(error),
      );
    },
  });
}

/** An answer with a status is about the file: a folder in its place, a right that is missing. */
async function refusedOr(error: unknown, file: string, proved: Proved): Promise<HangarError> {
  const said = messageOf(error);
  if (/^(500|13): /.test(said)) return new HangarError('file_unreadable', { message: `${file}: ${said}` });
  return proved(error);
}
