import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import type { DiffStat } from '@hangar/contract';
import { HangarError } from '@hangar/contract';
import { allEnded } from '../deadline.ts';
import { type Git, GitError, isDiskFull } from '../git/git.ts';
import { ALL, changesIn, type Entry, indexInfo, isSubmodule } from '../git/paths.ts';
import { openStuckPipes } from '../process/stuck-pipes.ts';
import { takeWorkTree } from '../source/work-tree.ts';
import { noteLeftBehind } from './left-behind.ts';
import { Notes } from './notes.ts';
import { COLLECT_MS } from './taking.ts';

export interface Collecting {
  readonly git: Git;
  /** Bare repository that holds the base; the diff's objects go there. */
  readonly store: string;
  readonly tree: string;
  /** Private index outside the work tree; kept between calls, so that only changed files are read again. */
  readonly index: string;
  readonly baseTree: string;
  /** A file of gitignore patterns besides those of the tree. */
  readonly excludesFile: string;
  /** Files larger than this are left out. */
  readonly maxFileBytes: number;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  /** One of many: nobody is told yet what is not in it. */
  readonly isCheckpoint?: boolean;
}

export interface Collected {
  /** Tree id of what was found: the same again means nothing changed. */
  readonly tree: string;
  readonly file: string;
  readonly sha256: string;
  readonly stat: Omit<DiffStat, 'partial'>;
}

const NOTES_MOST = 20;
const NOTE_MOST = 500;

/**
 * The diff of what the agent made against the base; see `takeWorkTree`. Only plumbing with our own repository and index is used, so
 * nothing the agent wrote (configuration, hooks, attributes) runs.
 * @param known when the tree is this one again and there is nothing to tell, no diff is written and null is returned
 * @throws HangarError worktree_gone, disk_full
 */
export async function collectDiff(o: Collecting, file: string, known: string | null = null): Promise<Collected | null> {
  const there = await lstat(o.tree).catch(() => null);
  if (!there?.isDirectory()) throw new HangarError('worktree_gone');
  const notes = new Notes(o.maxFileBytes);
  const read = openStuckPipes(o.tree);
  try {
    const taking = { ...o, notes, thorough: o.isCheckpoint !== true };
    const tree = await takeWorkTree(taking, { ...o, base: o.baseTree, prefix: '', depth: 0 });
    if (taking.thorough) await noteLeftBehind(taking, takeWorkTree, o);
    if (tree === known && notes.all.length === 0) return null;
    const written = await writeDiff(o, await withoutLarge(o, tree, notes), file);
    for (const note of notes.all) o.say(note);
    const leftOut = notes.all.slice(0, NOTES_MOST).map((note) => note.slice(0, NOTE_MOST));
    return {
      tree,
      file,
      sha256: written.sha256,
      stat: { ...written.stat, ...(leftOut.length > 0 ? { leftOut } : {}) },
    };
  } catch (error) {
    if (error instanceof GitError && isDiskFull(error.errors)) throw new HangarError('disk_full');
    if (!(await lstat(o.tree).catch(() => null))?.isDirectory()) throw new HangarError('worktree_gone');
    throw error;
  } finally {
    await read();
  }
}

async function writeDiff(o: Collecting, tree: string, file: string) {
  const call = { signal: o.signal, timeoutMs: COLLECT_MS, env: { GIT_DIR: o.store } };
  const trees = [...ALL, '-M', o.baseTree, tree];
  const patch = [
    'diff-tree',
    '-r',
    '--patch',
    '--binary',
    '--full-index',
    '--no-color',
    '--no-ext-diff',
    '--no-textconv',
    '--src-prefix=a/',
    '--dst-prefix=b/',
    ...trees,
  ];
  const [, counted] = await allEnded([
    o.git.run(patch, { ...call, toFile: file }),
    o.git.run(['diff-tree', '-r', '--numstat', '-z', ...trees], call),
  ]);
  const { sha256, sizeBytes } = await digest(file);
  return { sha256, stat: { ...countLines(counted), sizeBytes } };
}

/** The tree with each file that is too large as it was in the base. */
async function withoutLarge(o: Collecting, tree: string, notes: Notes): Promise<string> {
  const index = `${o.index}-small`;
  const call = { signal: o.signal, timeoutMs: COLLECT_MS, env: { GIT_DIR: o.store, GIT_INDEX_FILE: index } };
  const raw = [
    'diff-tree',
    ...ALL,
    '-r',
    '--raw',
    '-z',
    '--no-renames',
    '--diff-filter=d',
    '--abbrev=64',
    o.baseTree,
    tree,
  ];
  const written = changesIn(await o.git.run(raw, call)).filter(({ to }) => !isSubmodule(to));
  if (written.length === 0) return tree;
  const sizes = await o.git.run(['cat-file', '--batch-check=%(objectsize)'], {
    ...call,
    input: `${written.map(({ to }) => to.id).join('\n')}\n`,
  });
  const lines = sizes.toString().split('\n');
  const large = written.filter((_, n) => Number(lines[n]) > o.maxFileBytes);
  if (large.length === 0) return tree;
  for (const { path } of large) notes.tooLarge.add(path);
  try {
    await o.git.run(['read-tree', tree], call);
    await o.git.run(['update-index', '--add', '--replace', '-z', '--index-info'], {
      ...call,
      input: indexInfo(large.map(({ path, from }): [string, Entry] => [path, from])),
    });
    return (await o.git.run(['write-tree', '--missing-ok'], call)).toString().trim();
  } finally {
    await rm(index, { force: true });
  }
}

/** Reads `--numstat -z`: counts, tab, path; of a rename an empty path and then two more fields. */
export function countLines(out: Buffer): Pick<DiffStat, 'filesChanged' | 'insertions' | 'deletions'> {
  const fields = out.toString('latin1').split('\0');
  let filesChanged = 0;
  let insertions = 0;
  let deletions = 0;
  for (let n = 0; n < fields.length; n++) {
    const match = /^(\d+|-)\t(\d+|-)\t([\s\S]*)$/.exec(fields[n] ?? '');
    if (!match) continue;
    filesChanged++;
    insertions += Number(match[1]) || 0;
    deletions += Number(match[2]) || 0;
    if (match[3] === '') n += 2;
  }
  return { filesChanged, insertions, deletions };
}

export async function digest(file: string): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const part of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(part);
    sizeBytes += part.length;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}
