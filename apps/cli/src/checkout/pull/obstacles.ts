import { constants } from 'node:fs';
import { access, lstat, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { decodePath, showPath } from '@hangar/contract/path-bytes';
import type { Checkout } from '../checkout.ts';
import type { Change } from './changes.ts';
import { behindLinks, lookAt, onDisk, unreadable } from './snapshot.ts';

/** Folders above a path, the nearest first. */
export function* above(path: string): Generator<string> {
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) yield folder;
}

/** Which of these paths are where a diff has work to do: at the same place, above or below it. */
export function meeting(paths: readonly string[], changes: readonly Change[]): string[] {
  const touched = new Set(changes.map(({ path }) => path));
  const folders = new Set(changes.flatMap(({ path }) => [...above(path)]));
  return paths.filter(
    (path) => touched.has(path) || folders.has(path) || [...above(path)].some((folder) => touched.has(folder)),
  );
}

/**
 * Refuses what git does not know of and would overwrite, or would find out when it is too late.
 * @throws HangarError diff_does_not_apply
 */
export async function refuseObstacles({ root }: Checkout, changes: readonly Change[]): Promise<void> {
  const astray = await behindLinks(
    root,
    changes.map(({ path }) => path),
  );
  if (astray.length > 0)
    throw new HangarError('diff_does_not_apply', {
      message: `${showPath(astray[0] ?? '')} is beyond a symbolic link.`,
      wayOut: 'Move the link away, or use --branch NAME.',
      details: { files: astray.map(showPath) },
    });
  const here = new Set(changes.filter(({ before }) => before !== null).map(({ path }) => path));
  const inTheWay = new Set<string>();
  const inner = new Set<string>();
  const seen = new Map<string, boolean>();
  const isInner = async (folder: string): Promise<boolean> => {
    const known = seen.get(folder);
    if (known !== undefined) return known;
    const found = (await lstat(onDisk(root, `${folder}/.git`)).catch(() => null)) !== null;
    seen.set(folder, found);
    return found;
  };
  for (const { path, before, after } of changes) {
    if (after === null || after.mode === '160000') continue;
    for (const folder of above(path)) {
      const found = await lstat(onDisk(root, folder)).catch(() => null);
      // A file that the diff removes makes room for a folder.
      if (found !== null && !found.isDirectory() && !here.has(folder)) inTheWay.add(folder);
      if (before === null && found?.isDirectory() && (await isInner(folder))) inner.add(folder);
    }
    if (before !== null) continue;
    const { kind } = await lookAt(root, path);
    if (kind === 'file' || kind === 'link') inTheWay.add(path);
    else if (kind === 'folder' && !(await isEmptied(root, path, here))) inTheWay.add(path);
  }
  if (inner.size > 0)
    throw new HangarError('diff_does_not_apply', {
      message: 'The diff makes files inside a repository of its own that is in this work tree.',
      wayOut: 'Move that repository away, or use --branch NAME.',
      details: { files: [...inner].map(showPath) },
    });
  if (inTheWay.size > 0)
    throw new HangarError('diff_does_not_apply', {
      message: 'Files that git does not track are where the diff makes new ones.',
      wayOut: 'Move them away, or use --branch NAME.',
      details: { files: [...inTheWay].map(showPath) },
    });
}

/** Whether nothing is left of a folder once the diff has removed what it removes. */
async function isEmptied(root: string, folder: string, removed: ReadonlySet<string>): Promise<boolean> {
  const entries = await readdir(onDisk(root, folder), { withFileTypes: true, encoding: 'buffer' }).catch(() => null);
  // No folder but something odd (a socket, a device), or nobody may look.
  if (entries === null) return false;
  for (const entry of entries) {
    const path = `${folder}/${decodePath(Buffer.from(entry.name))}`;
    if (entry.isDirectory() ? !(await isEmptied(root, path, removed)) : !removed.has(path)) return false;
  }
  return true;
}

/** Files that could not be read, or not be replaced. @throws HangarError file_unreadable */
export async function refuseUnreadable({ root, gitDir }: Checkout, changes: readonly Change[]): Promise<void> {
  const may = (target: Buffer | string, mode: number, named: string) =>
    access(target, mode).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EACCES' || error.code === 'EPERM') throw unreadable(named, error);
    });
  await may(gitDir, constants.W_OK | constants.X_OK, gitDir);
  for (const { path } of changes) {
    if ((await lstat(onDisk(root, path)).catch(() => null))?.isFile())
      await may(onDisk(root, path), constants.R_OK, path);
    for (const folder of [...above(path), '.']) {
      if (!(await lstat(onDisk(root, folder)).catch(() => null))?.isDirectory()) continue;
      await may(onDisk(root, folder), constants.W_OK | constants.X_OK, folder);
      break;
    }
  }
}
