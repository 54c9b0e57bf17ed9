import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { Blobs, StoredBlob } from '../../platform/blobs/blobs.ts';
import { checkedKey, checkedPrefix, chunksOf } from '../../platform/blobs/blobs.ts';

/** No segment of a key begins with a dot, so nothing here can be named by a key. */
const TEMP = '.tmp';
/** A temporary file that nobody has written to for so long belongs to a server that died. */
const LEFTOVER_MS = 60 * 60 * 1000;

/**
 * Blobs as files below one directory: written aside, synced, then renamed into place.
 * @throws HangarError data_dir_unusable
 */
export async function openBlobsOnDisk(dir: string): Promise<Blobs> {
  const temp = path.join(dir, TEMP);
  try {
    await mkdir(temp, { recursive: true, mode: 0o700 });
    await sweep(temp, new Date(Date.now() - LEFTOVER_MS));
  } catch (cause) {
    throw new HangarError('data_dir_unusable', {
      message: `The folder for blobs ${dir} cannot be used: ${cause instanceof Error ? cause.message : cause}.`,
      cause,
    });
  }

  return {
    async put(key, body, o) {
      const target = path.join(dir, checkedKey(key));
      const fresh = path.join(temp, `${process.pid}-${randomBytes(8).toString('hex')}`);
      try {
        const stored = await writeAside(fresh, body, o);
        await moveIntoPlace(dir, fresh, target);
        return stored;
      } catch (cause) {
        await rm(fresh, { force: true }).catch(() => undefined);
        throw unusable(dir, cause);
      }
    },

    async get(key, o = {}) {
      const handle = await openOrNull(path.join(dir, checkedKey(key))).catch((cause: unknown) => {
        throw unusable(dir, cause);
      });
      if (!handle) return null;
      try {
        const found = await handle.stat();
        if (!found.isFile()) {
          await handle.close();
          return null;
        }
        const body = handle.createReadStream({ ...o.range, ...(o.signal ? { signal: o.signal } : {}) });
        return { body, sizeBytes: found.size };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },

    async remove(key) {
      await unlink(path.join(dir, checkedKey(key))).catch(ignoreMissing);
    },

    async removeAll(prefix) {
      await rm(path.join(dir, checkedPrefix(prefix)), { recursive: true, force: true, maxRetries: 3 });
    },

    async *list(prefix, { before } = {}) {
      for await (const key of walk(dir, prefix === '' ? '' : `${checkedPrefix(prefix)}/`)) {
        const found = before && (await stat(path.join(dir, key)).catch(ignoreMissing));
        if (!before || (found && found.mtimeMs < before.getTime())) yield key;
      }
    },

    removeUnfinished: (before) => sweep(temp, before),
  };
}

/** The limit is checked before a byte over it is written. Leaves the body open: it may be a request to be answered. */
async function writeAside(
  file: string,
  body: Readable,
  o: { maxBytes: number; signal?: AbortSignal },
): Promise<StoredBlob> {
  const hash = createHash('sha256');
  const handle = await open(file, 'wx', 0o600);
  const stop = () => body.destroy(o.signal?.reason instanceof Error ? o.signal.reason : new Error('aborted'));
  o.signal?.addEventListener('abort', stop, { once: true });
  try {
    if (o.signal?.aborted) stop();
    let sizeBytes = 0;
    for await (const chunk of chunksOf(body)) {
      const bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      sizeBytes += bytes.byteLength;
      if (sizeBytes > o.maxBytes) {
        throw new HangarError('body_too_large', { message: `The body is larger than ${o.maxBytes} bytes.` });
      }
      hash.update(bytes);
      await handle.appendFile(bytes);
    }
    o.signal?.throwIfAborted();
    await handle.sync();
    return { sizeBytes, sha256: hash.digest('hex') };
  } finally {
    o.signal?.removeEventListener('abort', stop);
    await handle.close();
  }
}

/** A folder that was just emptied and removed by somebody else is made again. */
async function moveIntoPlace(root: string, from: string, target: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const made = await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    try {
      await rename(from, target);
    } catch (error) {
      if (attempt < 5 && codeOf(error) === 'ENOENT') continue;
      throw error;
    }
    // What names the file has to reach the disk too: its folder, and every folder that is new.
    const top = made ? path.dirname(made) : path.dirname(target);
    for (let at = path.dirname(target); at.startsWith(root); at = path.dirname(at)) {
      await syncFolder(at);
      if (at === top) break;
    }
    return;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await openOrNull(folder);
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}

async function* walk(root: string, prefix: string): AsyncIterable<string> {
  const entries = await readdir(path.join(root, prefix), { withFileTypes: true }).catch(ignoreMissing);
  for (const entry of (entries ?? []).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) yield* walk(root, `${prefix}${entry.name}/`);
    else if (entry.isFile()) yield `${prefix}${entry.name}`;
  }
}

async function sweep(temp: string, before: Date): Promise<number> {
  let removed = 0;
  for (const name of await readdir(temp)) {
    const file = path.join(temp, name);
    const found = await stat(file).catch(ignoreMissing);
    if (!found || found.mtimeMs >= before.getTime()) continue;
    await rm(file, { force: true, recursive: true });
    removed += 1;
  }
  return removed;
}

async function openOrNull(file: string): Promise<FileHandle | null> {
  return open(file, 'r').catch((error: unknown) => {
    if (codeOf(error) === 'ENOTDIR') return null;
    ignoreMissing(error);
    return null;
  });
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

/** What the disk refused, as an error that passes once a person has seen to it; anything else as it is. */
function unusable(dir: string, cause: unknown): unknown {
  const code = codeOf(cause) ?? '';
  if (['ENOSPC', 'EDQUOT'].includes(code)) return new HangarError('disk_full', { cause });
  const why = REFUSED[code];
  if (why === undefined) return cause;
  return new HangarError('data_dir_unusable', {
    message: `The folder for logs and artifacts ${dir} cannot be used: ${why}.`,
    wayOut: 'Make it usable again on the machine of the server; workers send again by themselves.',
    cause,
  });
}

const REFUSED: Readonly<Record<string, string>> = {
  EROFS: 'it is read-only',
  EACCES: 'this user may not write to it',
  EPERM: 'this user may not write to it',
  ENOENT: 'it is gone',
  ENOTDIR: 'something else is in its place',
  EEXIST: 'something else is in its place',
  EIO: 'the disk fails',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
};

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
