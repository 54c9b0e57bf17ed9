import { constants } from 'node:fs';
import { access, lstat } from 'node:fs/promises';
import { type GitCall, GitError, type GitResult, isDiskFull } from '../git/git.ts';
import { fieldsFor, onDisk } from '../git/paths.ts';
import type { Place, Taking } from './taking.ts';

const MAX_TRIES = 500;

export type Kind = 'file' | 'link' | 'folder' | 'special';

/** null when nothing is there, or nobody may look. */
export async function kindOf(tree: string, path: string): Promise<Kind | null> {
  const found = await lstat(onDisk(tree, path)).catch(() => null);
  if (!found) return null;
  return found.isFile() ? 'file' : found.isSymbolicLink() ? 'link' : found.isDirectory() ? 'folder' : 'special';
}

/** Whether a path lies in folders alone; what is beyond a link is not of the work tree. Remembers what it has seen. */
export function inRealFolder(tree: string): (path: string) => Promise<boolean> {
  const seen = new Map<string, boolean>([['', true]]);
  const isReal = async (folder: string): Promise<boolean> => {
    const known = seen.get(folder);
    if (known !== undefined) return known;
    const real = (await isReal(parentOf(folder))) && (await kindOf(tree, folder)) === 'folder';
    seen.set(folder, real);
    return real;
  };
  return (path) => isReal(parentOf(path));
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/**
 * Reads files into the index. Any of them may be unreadable, change or vanish meanwhile: it is left out and named, and costs nothing
 * else, however many there are.
 */
export async function readFiles(o: Taking, call: GitCall, place: Place, paths: readonly string[]): Promise<void> {
  const leaveOut = (path: string) => o.notes.unreadable.add(`${place.prefix}${path}`);
  const waiting: (readonly string[])[] = [paths];
  let isLookedAt = false;
  for (let tries = 0; waiting.length > 0; tries++) {
    const some = waiting.pop() ?? [];
    if (some.length === 0) continue;
    const result = await o.git.try(['update-index', '--add', '--remove', '--replace', '-z', '--stdin'], {
      ...call,
      input: fieldsFor(some),
    });
    for (const [, path] of result.errors.matchAll(/^Ignoring path (.+)$/gm))
      o.notes.refused.add(`${place.prefix}${path}`);
    if (result.code === 0) continue;
    if (tries === MAX_TRIES || isDiskFull(result.errors)) throw new GitError('update-index', result);
    const bad = isLookedAt
      ? namedBy(result, some)
      : new Set([...(await unreadable(place, some)), ...namedBy(result, some)]);
    isLookedAt = true;
    if (bad.size === 0 && some.length > 1) {
      // Git did not say which: halves of halves find it.
      const middle = some.length >> 1;
      waiting.push(some.slice(middle), some.slice(0, middle));
      continue;
    }
    for (const path of bad.size === 0 ? some : bad) leaveOut(path);
    if (bad.size > 0) waiting.push(some.filter((path) => !bad.has(path)));
  }
}

function namedBy({ errors }: GitResult, paths: readonly string[]): Set<string> {
  const name = /^fatal: Unable to process path ([\s\S]+)\n$/m.exec(errors)?.[1];
  return new Set(name !== undefined && paths.includes(name) ? [name] : []);
}

/** What nobody can read is found at once, not with a new start for each. */
async function unreadable({ tree }: Place, paths: readonly string[]): Promise<string[]> {
  const bad: string[] = [];
  for (const path of paths) {
    const kind = await kindOf(tree, path);
    if (kind === 'special') bad.push(path);
    else if (kind === 'file' && !(await canRead(tree, path))) bad.push(path);
    else if (kind === null && (await isLocked(tree, path))) bad.push(path);
  }
  return bad;
}

const canRead = (tree: string, path: string): Promise<boolean> =>
  access(onDisk(tree, path), constants.R_OK).then(
    () => true,
    () => false,
  );

/** In a folder nobody may enter: that is no proof that the file is gone. */
const isLocked = (tree: string, path: string): Promise<boolean> =>
  lstat(onDisk(tree, path)).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  );
