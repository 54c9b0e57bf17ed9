import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { decodePath, encodePath, showPath } from '@hangar/contract/path-bytes';

/** What is at a path of the work tree. A folder is only noted: git keeps none. */
export interface Here {
  readonly kind: 'none' | 'file' | 'link' | 'folder';
  /** Permission bits of a file. */
  readonly mode: number;
  /** SHA-256 of the content, or the target of a link. */
  readonly content: string;
}

export interface Kept {
  readonly path: string;
  readonly before: Here;
  /** Name of the copy in the folder of the snapshot. */
  readonly copy: string | null;
  /** Folders above the path that were not there. */
  readonly missingFolders: readonly string[];
}

/** A path of the work tree as the file system takes it, byte for byte. */
export const onDisk = (root: string, path: string): Buffer => Buffer.from(encodePath(`${root}/${path}`));

/** @throws HangarError file_unreadable */
export async function lookAt(root: string, path: string): Promise<Here> {
  const full = onDisk(root, path);
  const found = await lstat(full).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw unreadable(path, error);
  });
  if (found === null) return { kind: 'none', mode: 0, content: '' };
  if (found.isSymbolicLink()) return { kind: 'link', mode: 0, content: decodePath(await readlink(full, 'buffer')) };
  if (!found.isFile()) return { kind: 'folder', mode: 0, content: '' };
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(full)) hash.update(chunk as Buffer);
  } catch (error) {
    throw unreadable(path, error as NodeJS.ErrnoException);
  }
  return { kind: 'file', mode: found.mode & 0o777, content: hash.digest('hex') };
}

/** What the file system does not let us read, by its name; anything else as it is. */
export function unreadable(path: string, error: NodeJS.ErrnoException): Error {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') return error;
  return new HangarError('file_unreadable', {
    message: `${showPath(path)} cannot be read or written: permission denied.`,
    details: { files: [showPath(path)] },
  });
}

/**
 * Paths that lie behind a symbolic link which is not itself among them. With --index, git only looks at links it tracks and would
 * write through any other, out of the checkout.
 */
export async function behindLinks(root: string, paths: readonly string[]): Promise<string[]> {
  const own = new Set(paths);
  const known = new Map<string, boolean>();
  const found: string[] = [];
  for (const path of paths)
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
      let link = known.get(folder);
      if (link === undefined) {
        link = (await lstat(onDisk(root, folder)).catch(() => null))?.isSymbolicLink() ?? false;
        known.set(folder, link);
      }
      if (link && !own.has(folder)) {
        found.push(path);
        break;
      }
    }
  return found;
}

export const isSame = (one: Here, other: Here): boolean =>
  one.kind === other.kind && one.mode === other.mode && one.content === other.content;

/** Copies what is at these paths, byte for byte. */
export async function keep(root: string, paths: readonly string[], folder: string): Promise<Kept[]> {
  await mkdir(folder, { recursive: true });
  const kept: Kept[] = [];
  for (const [number, path] of paths.entries()) {
    const before = await lookAt(root, path);
    const copy = before.kind === 'file' ? String(number) : null;
    if (copy !== null)
      await copyFile(onDisk(root, path), join(folder, copy)).catch((error) => Promise.reject(unreadable(path, error)));
    kept.push({ path, before, copy, missingFolders: await missingAbove(root, path) });
  }
  return kept;
}

async function missingAbove(root: string, path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    const there = await lstat(onDisk(root, folder)).catch(() => null);
    if (there?.isDirectory()) break;
    missing.push(folder);
  }
  return missing;
}

/** Puts everything back as it was kept. What is there now is overwritten: look before. @throws HangarError file_unreadable */
export async function putBack(root: string, kept: readonly Kept[], folder: string): Promise<void> {
  const deepFirst = [...kept].sort((one, other) => other.path.split('/').length - one.path.split('/').length);
  for (const { path, before } of deepFirst) {
    const now = await lookAt(root, path);
    if (now.kind !== 'none' && now.kind !== 'folder' && !isSame(now, before))
      await unlink(onDisk(root, path)).catch((error) => Promise.reject(unreadable(path, error)));
  }
  const gone = new Set(kept.flatMap(({ missingFolders }) => missingFolders));
  for (const missing of [...gone].sort((one, other) => other.length - one.length))
    await rmdir(onDisk(root, missing)).catch(() => {});
  for (const one of kept)
    await putBackOne(root, one, folder).catch((error) => Promise.reject(unreadable(one.path, error)));
}

async function putBackOne(root: string, { path, before, copy }: Kept, folder: string): Promise<void> {
  if (before.kind === 'none' || before.kind === 'folder' || isSame(await lookAt(root, path), before)) return;
  const full = onDisk(root, path);
  await mkdir(onDisk(root, dirname(path)), { recursive: true });
  if (before.kind === 'link') await symlink(Buffer.from(encodePath(before.content)), full);
  else if (copy !== null) {
    await copyFile(join(folder, copy), full);
    await chmod(full, before.mode);
  }
}

/**
 * Copies an index with its date: git trusts an entry without reading the file when the index is younger than it, so a younger copy
 * would hide a change of the same second and size.
 */
export async function copyIndex(from: string, to: string): Promise<void> {
  const { atime, mtime } = await stat(from);
  await copyFile(from, to);
  await utimes(to, atime, mtime);
}

/** Replaces the index the way git does: through its lock, whole or not at all. */
export async function putBackIndex(gitDir: string, copy: string): Promise<void> {
  const lock = join(gitDir, 'index.lock');
  try {
    await writeFile(lock, '', { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new HangarError('undo_blocked', {
      message: 'Another git command is at work in this checkout.',
      wayOut: `Wait for it to end; if none runs, remove ${lock}`,
    });
  }
  try {
    await copyIndex(copy, lock);
    await rename(lock, join(gitDir, 'index'));
  } catch (error) {
    // Ours: nobody else would ever remove it, and git would refuse to work.
    await rm(lock, { force: true });
    throw error;
  }
}
