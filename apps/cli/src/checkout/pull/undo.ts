import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { decodePath, encodePath, showPath } from '@hangar/contract/path-bytes';
import { type Checkout, ownFolder } from '../checkout.ts';
import { splitNull } from '../git.ts';
import { inTurn } from '../turn.ts';
import { ALL } from './changes.ts';
import { type BranchRecord, markAtWork, newestRecord, type TreeRecord, UNSTOPPABLE } from './pull-record.ts';
import { behindLinks, copyIndex, isSame, lookAt, onDisk, putBack, putBackIndex } from './snapshot.ts';

export interface Undone {
  readonly jobId: string;
  readonly files: readonly string[];
  /** The branch that was removed. */
  readonly branch: string | null;
  /** What --stash had put aside is back. */
  readonly unstashed: boolean;
  /** The pull had been cut off: a folder with what was in its files until now, because nobody knows whose work that is. */
  readonly aside: string | null;
}

/**
 * Takes the last pull of this checkout back: files, index and stash are as they were before.
 * @throws HangarError nothing_to_undo, undo_blocked
 */
export const undoPull = (checkout: Checkout): Promise<Undone> => inTurn(checkout, () => undoNewest(checkout));

async function undoNewest(checkout: Checkout): Promise<Undone> {
  for (;;) {
    const newest = await newestRecord(checkout);
    if (newest === null) throw new HangarError('nothing_to_undo');
    const { record, found } = newest;
    const undone = { jobId: found.jobId, files: [], branch: null, unstashed: false, aside: null };
    if (found.kind === 'branch') {
      await removeBranch(checkout, found);
      await rm(record, { recursive: true, force: true });
      return { ...undone, branch: found.branch };
    }
    let aside: string | null = null;
    let left: ReadonlySet<string> = new Set();
    if (found.after !== null) {
      left = await takenFromStash(checkout, found);
      await restore(checkout, record, found, await checkUndo(checkout, found, left), left);
    } else {
      const { changed, onlyThese } = await changedBy(checkout, record, found);
      if (changed.length === 0) {
        // Cut off before it had changed anything, or somebody has put it right by hand: the pull before it is meant.
        await rm(record, { recursive: true, force: true });
        continue;
      }
      await refuseCutOff(checkout, record, found, changed);
      aside = await setAside(checkout, record, found);
      await restore(checkout, record, found, onlyThese);
    }
    const files = found.kept.filter(({ path }) => !left.has(path)).map(({ path }) => showPath(path));
    return { ...undone, files, unstashed: found.stash !== null && left.size === 0, aside };
  }
}

/** After a pull that failed on its way: everything as it was, and nothing left to undo. */
export async function takeBack(checkout: Checkout, record: string, found: TreeRecord): Promise<void> {
  const { changed, onlyThese } = await changedBy(checkout, record, found);
  // Git can refuse before it writes, because another one holds the index: then there is nothing to put back, and no lock to get.
  if (changed.length === 0 && found.stash === null) await rm(record, { recursive: true, force: true });
  else await restore(checkout, record, found, onlyThese);
}

/** Paths that are not as they were kept, in files or index, and whether the rest of the index is. */
async function changedBy(
  checkout: Checkout,
  record: string,
  { kept }: TreeRecord,
): Promise<{ changed: string[]; onlyThese: boolean }> {
  const before = byPath(await entries(checkout, { GIT_INDEX_FILE: join(record, 'index') }));
  const now = byPath(await entries(checkout));
  const changed: string[] = [];
  for (const { path, before: file } of kept)
    if (before.get(path) !== now.get(path) || !isSame(await lookAt(checkout.root, path), file)) changed.push(path);
  const own = new Set(kept.map(({ path }) => path));
  const others = [...new Set([...before.keys(), ...now.keys()])].filter((path) => !own.has(path));
  return { changed, onlyThese: others.every((path) => before.get(path) === now.get(path)) };
}

/** @throws HangarError undo_blocked */
async function refuseCutOff({ root, head }: Checkout, record: string, found: TreeRecord, changed: readonly string[]) {
  const astray = await behindLinks(
    root,
    found.kept.map(({ path }) => path),
  );
  if (head === found.head && astray.length === 0) return;
  throw new HangarError('undo_blocked', {
    message: `The pull of ${found.jobId} was cut off, and ${head === found.head ? 'its files are behind a symbolic link now' : 'HEAD has moved since'}.`,
    wayOut: `Put its files right with git, then forget the pull: rm -r '${record}'`,
    details: { files: (astray.length > 0 ? astray : changed).map(showPath) },
  });
}

/** Copies what undo is about to overwrite, files under their own names, and the index; null when there is no file to lose. */
async function setAside(checkout: Checkout, record: string, { kept }: TreeRecord): Promise<string | null> {
  const { root, gitDir } = checkout;
  const folder = join(ownFolder(checkout), 'aside', `${basename(record)}-${Date.now().toString(36)}`);
  let copied = 0;
  for (const { path, before } of kept) {
    const now = await lookAt(root, path);
    if (now.kind === 'none' || now.kind === 'folder' || isSame(now, before)) continue;
    const copies = join(folder, 'files');
    await mkdir(onDisk(copies, dirname(path)), { recursive: true });
    if (now.kind === 'link') await symlink(Buffer.from(encodePath(now.content)), onDisk(copies, path));
    else await copyFile(onDisk(root, path), onDisk(copies, path));
    copied++;
  }
  if (copied === 0) return null;
  await copyIndex(join(gitDir, 'index'), join(folder, 'index'));
  return folder;
}

async function removeBranch({ git }: Checkout, { branch, commit }: BranchRecord): Promise<void> {
  const ref = `refs/heads/${branch}`;
  const now = await git.attempt(['rev-parse', '--verify', '--quiet', ref]);
  if (now.code !== 0) return;
  if (now.stdout.toString().trim() !== commit)
    throw new HangarError('undo_blocked', {
      message: `Branch ${branch} has moved since.`,
      wayOut: `Look at it, then: git branch -D ${branch}`,
    });
  const worktrees = await git.read(['worktree', 'list', '--porcelain', '-z']);
  if (splitLines(worktrees).includes(`branch ${ref}`))
    throw new HangarError('undo_blocked', {
      message: `Branch ${branch} is checked out.`,
      wayOut: 'Switch to another branch, then undo.',
    });
  await git.read(['update-ref', '-d', ref, commit], UNSTOPPABLE);
}

const splitLines = (text: string): string[] => text.split(/[\0\n]/);

/**
 * Files that --stash had put aside and the person has taken back since (git stash pop): they are theirs again, and the pull itself did
 * not touch them.
 */
async function takenFromStash(checkout: Checkout, record: TreeRecord): Promise<ReadonlySet<string>> {
  const stashed = new Set(record.stashed ?? []);
  if (record.stash === null || stashed.size === 0 || (await stashes(checkout)).includes(record.stash)) return new Set();
  const [mine, theirs] = [byPath(record.indexAfter ?? ''), byPath(await entries(checkout))];
  for (const [number, { path }] of record.kept.entries()) {
    const after = record.after?.[number];
    if (!stashed.has(path) || after === undefined) continue;
    if (mine.get(path) !== theirs.get(path) || !isSame(await lookAt(checkout.root, path), after)) return stashed;
  }
  return new Set();
}

/** Whether everything is still as the pull left it. Answers if that holds for the whole index, not only for its files. */
async function checkUndo(checkout: Checkout, record: TreeRecord, left: ReadonlySet<string>): Promise<boolean> {
  const { git, root, head } = checkout;
  if (head !== record.head) {
    const committed = new Set(
      splitNull(await git.bytes(['diff-tree', ...ALL, '-r', '--no-renames', '--name-only', '-z', record.head, 'HEAD'])),
    );
    const files = record.kept.filter(({ path }) => committed.has(path)).map(({ path }) => path);
    if (files.length > 0)
      throw new HangarError('undo_blocked', {
        message: 'The pull was committed since.',
        wayOut: 'Take the commit back: git revert, or git reset.',
        details: { files: files.map(showPath) },
      });
  }
  const changed: string[] = [];
  for (const [number, { path }] of record.kept.entries()) {
    const after = record.after?.[number];
    if (left.has(path)) continue;
    if (after !== undefined && !isSame(await lookAt(root, path), after)) changed.push(path);
  }
  const now = await entries(checkout);
  const whole = now === record.indexAfter;
  if (!whole) {
    const [mine, theirs] = [byPath(record.indexAfter ?? ''), byPath(now)];
    for (const { path } of record.kept) if (!left.has(path) && mine.get(path) !== theirs.get(path)) changed.push(path);
  }
  if (changed.length > 0)
    throw new HangarError('undo_blocked', { details: { files: [...new Set(changed)].map(showPath) } });
  return whole && left.size === 0;
}

async function restore(
  checkout: Checkout,
  record: string,
  found: TreeRecord,
  wholeIndex: boolean,
  left: ReadonlySet<string> = new Set(),
): Promise<void> {
  const { git, root, gitDir } = checkout;
  const kept = found.kept.filter(({ path }) => !left.has(path));
  await markAtWork(record);
  if (wholeIndex) await putBackIndex(gitDir, join(record, 'index'));
  else {
    const before = byPath(await entries(checkout, { GIT_INDEX_FILE: join(record, 'index') }));
    const lines = kept.map(({ path }) => {
      const none = `0 ${'0'.repeat(found.head.length)}\t${path}\0`;
      return none + (before.get(path) ?? '');
    });
    await git.read(['update-index', '-z', '--index-info'], {
      ...UNSTOPPABLE,
      input: encodePath(lines.join('')),
    });
  }
  await putBack(root, kept, join(record, 'files'));
  await git.attempt(['update-index', '-q', '--refresh'], UNSTOPPABLE);
  if (found.stash !== null) await dropStash(checkout, found.stash);
  await rm(record, { recursive: true, force: true });
}

/** Index entries as text, sorted by git; paths in it as `decodePath` has them. */
export const entries = async ({ git }: Checkout, env: Readonly<Record<string, string>> = {}): Promise<string> =>
  decodePath(await git.bytes(['ls-files', '--stage', '-z'], { ...UNSTOPPABLE, env }));

/** Entries of each path, all stages of it together. */
function byPath(listing: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of listing.split('\0')) {
    const at = entry.indexOf('\t');
    if (at < 0) continue;
    const path = entry.slice(at + 1);
    found.set(path, `${found.get(path) ?? ''}${entry}\0`);
  }
  return found;
}

/** Commits of the stash, the newest first. */
const stashes = async ({ git }: Checkout): Promise<string[]> =>
  (await git.attempt(['reflog', 'show', '--format=%H', 'refs/stash', '--'], UNSTOPPABLE)).stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '');

async function dropStash(checkout: Checkout, commit: string): Promise<void> {
  const at = (await stashes(checkout)).indexOf(commit);
  if (at >= 0) await checkout.git.attempt(['stash', 'drop', '--quiet', `stash@{${at}}`], UNSTOPPABLE);
}
