import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { CallOptions } from '../../port/unit.ts';
import { isStatus, reading } from './errors.ts';
import type { MachineParts } from './parts.ts';

/** Longest transfer of one file. */
const TRANSFER_S = 2 * 60 * 60;
/** How long an upload that was given up may take to be answered. */
const SETTLE_MS = 10_000;

export interface Files {
  write(path: string, body: Readable, o: CallOptions): Promise<void>;
  read(path: string, o: CallOptions): Promise<Readable>;
}

/** @param run runs a program in the sandbox and gives its exit code and what it said on stderr */
export function createFiles(
  parts: MachineParts,
  run: (argv: readonly [string, ...string[]], o: CallOptions) => Promise<{ code: number; said: string }>,
): Files {
  const { sandbox, log } = parts;
  const { fs } = sandbox;

  /** @param making what may still make it */
  const forget = (path: string, making: Promise<unknown> = Promise.resolve()) =>
    parts.background(
      making
        .catch(() => {})
        .then(() => fs.deleteFile(path))
        .catch((error: unknown) => {
          if (!isStatus(error, 404)) log.debug({ err: error, path }, 'A file could not be removed from a sandbox');
        }),
    );

  async function must(argv: readonly [string, ...string[]], path: string, o: CallOptions): Promise<void> {
    const { code, said } = await run(argv, o);
    if (code === 0) return;
    if (/no such file or directory/i.test(said)) {
      throw new HangarError('file_not_found', { message: `There is no ${path} in the sandbox, or no folder for it.` });
    }
    throw new HangarError('launch_failed', {
      message: `${argv[0]} could not put ${path} into its place: ${parts.told(said)}`,
      wayOut: 'Check the path and the rights of the account in the sandbox.',
    });
  }

  function transferred(error: unknown, path: string): unknown {
    const { text, code } = reading(error);
    if (code === 'FILE_NOT_FOUND' || isStatus(error, 404) || /not found|no such file/i.test(text)) {
      return new HangarError('file_not_found', { message: `There is no ${path} in the sandbox.`, cause: error });
    }
    return error;
  }

  return {
    async write(path, body, { signal }) {
      const temporary = posix.join(fitsAForm(path) ? posix.dirname(path) : '/tmp', `.hangar-${randomUUID()}`);
      const source: { error: Error | null } = { error: null };
      // Its own copy: the SDK destroys what it is given, with errors of its own.
      const copy = new PassThrough();
      pipeline(body, copy, (error) => {
        source.error = error ?? null;
      });
      // A request that is cut when all of the file is there still makes it, after it was removed here. So its body is cut: then its
      // answer tells when the file can be removed.
      const away = new AbortController();
      const stop = () => {
        copy.destroy(new Error('The write was given up.'));
        setTimeout(() => away.abort(), SETTLE_MS).unref();
      };
      let upload: Promise<unknown> = Promise.resolve();
      signal.addEventListener('abort', stop, { once: true });
      try {
        await parts.ask({ signal, doing: `write ${path}`, deadlineMs: TRANSFER_S * 1000 }, () => {
          const made = fs.uploadFileStream(copy, temporary, { signal: away.signal, timeout: TRANSFER_S });
          upload = made;
          return made;
        });
        if (source.error) throw source.error;
        await place(temporary, path, { signal });
      } catch (error) {
        forget(temporary, upload);
        if (!body.destroyed) body.destroy();
        throw signal.aborted ? signal.reason : (sourceOf(source, error) ?? transferred(error, path));
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },

    async read(path, { signal }) {
      let from = path;
      if (!fitsAForm(path)) {
        from = `/tmp/.hangar-${randomUUID()}`;
        await must(['ln', '-s', '--', path, from], path, { signal });
      }
      const away = new AbortController();
      const both = AbortSignal.any([signal, away.signal]);
      try {
        const stream = await parts.ask({ signal, doing: `read ${path}` }, () =>
          fs.downloadFileStream(from, { signal: both, timeout: TRANSFER_S }),
        );
        return handedOn(stream, {
          // A cut in the middle is no end of the file.
          lost: (cause) => {
            const reason: unknown = signal.reason;
            if (signal.aborted && reason instanceof Error) return reason;
            return new HangarError('connection_lost', { message: `${path} was not read to its end.`, cause });
          },
          onClose: () => {
            away.abort();
            if (from !== path) forget(from);
          },
        });
      } catch (error) {
        if (from !== path) forget(from);
        throw transferred(error, path);
      }
    },
  };

  /** Daytona moves onto nothing that is there. */
  async function place(from: string, to: string, { signal }: CallOptions): Promise<void> {
    if (posix.dirname(from) === posix.dirname(to)) {
      try {
        return await parts.ask({ signal, doing: `write ${to}` }, () => fs.moveFiles(from, to));
      } catch (error) {
        if (!isStatus(error, 409)) throw error;
      }
    }
    await must(['mv', '-fT', '--', from, to], to, { signal });
  }
}

/** Every byte of a stream, and its true end: the SDK's ends alike when it was cut. */
function handedOn(from: Readable, o: { lost: (cause: unknown) => Error; onClose: () => void }): Readable {
  const out = new PassThrough();
  from.pipe(out);
  from.on('error', (error) => {
    if (!from.readableEnded) out.destroy(o.lost(error));
  });
  from.on('close', () => {
    if (!from.readableEnded) out.destroy(o.lost(null));
  });
  out.on('close', () => {
    from.destroy();
    o.onClose();
  });
  return out;
}

const sourceOf = (source: { error: Error | null }, thrown: unknown): unknown =>
  source.error !== null &&
  !(thrown instanceof HangarError && thrown.code === 'sandbox_gone') &&
  !isPremature(source.error)
    ? source.error
    : null;

/** What the SDK does to its copy when the upload fails. */
const isPremature = (error: Error): boolean => 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';

/** Paths travel in forms: trimmed, and in quotes that nobody escapes. */
const fitsAForm = (path: string): boolean =>
  /^[\x20-\x7e\u00a0-\uffff]+$/.test(path) && !/["\\%]|^\s|\s$|\s\//.test(path);
