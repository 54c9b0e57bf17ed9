import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiffStat } from '@hangar/contract';
import { HangarError } from '@hangar/contract';
import { type Git, GitError } from './git.ts';

const MAX_SKIPPED = 50;
const MAX_NESTED = 50;
const MAX_DEPTH = 5;
const COLLECT_MS = 15 * 60_000;

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
}

export interface Collected {
  /** Tree id of what was found: the same again means nothing changed. */
  readonly tree: string;
  readonly file: string;
  readonly sha256: string;
  readonly stat: Omit<DiffStat, 'partial'>;
}

/**
 * The diff of the work tree against the base: untracked files included, ignored ones not. Only plumbing with our own
 * repository and index is used, so nothing the agent wrote (.git, configuration, hooks, attributes) runs or counts.
 * @param known when the tree is this one again, no diff is written and null is returned
 * @throws HangarError worktree_gone, disk_full
 */
export async function collectDiff(o: Collecting, file: string, known: string | null = null): Promise<Collected | null> {
  const there = await lstat(o.tree).catch(() => null);
  if (!there?.isDirectory()) throw new HangarError('worktree_gone');
  try {
    const tree = await snapshot(o, o.tree, o.index, 0);
    if (tree === known) return null;
    return await writeDiff(o, tree, file);
  } catch (error) {
    if (error instanceof GitError && /no space left on device|disk quota exceeded/i.test(error.errors))
      throw new HangarError('disk_full');
    if (!(await lstat(o.tree).catch(() => null))?.isDirectory()) throw new HangarError('worktree_gone');
    throw error;
  }
}

/** Brings the index in line with the files and writes it as a tree. */
async function snapshot(o: Collecting, tree: string, index: string, depth: number): Promise<string> {
  // Left by a git that was killed in an earlier, cancelled call.
  await rm(`${index}.lock`, { force: true });
  const call = {
    signal: o.signal,
    timeoutMs: COLLECT_MS,
    cwd: tree,
    config: [`core.excludesFile=${o.excludesFile}`],
    env: { GIT_DIR: o.store, GIT_WORK_TREE: tree, GIT_INDEX_FILE: index },
  };
  const skipped = new Set<string>();
  const names = async (...args: string[]) => splitNames(await o.git.run(['ls-files', '-z', ...args], call));
  // New files first: a directory that became a link or a file replaces what was below it.
  const others = await names('--others', '--exclude-standard');
  const nested = others.filter((name) => name.endsWith('/'));
  await update(
    o,
    call,
    others.filter((name) => !name.endsWith('/')),
    skipped,
  );
  await update(o, call, await names('--modified'), skipped);
  if (depth < MAX_DEPTH)
    for (const [n, name] of nested.slice(0, MAX_NESTED).entries()) {
      // A repository inside the work tree would become a reference to nowhere: its files are taken instead.
      const inner = `${index}-${depth}-${n}`;
      await rm(inner, { force: true });
      const path = asText(name).replace(/\/$/, '');
      try {
        const id = await snapshot(o, join(tree, path), inner, depth + 1);
        await o.git.run(['read-tree', `--prefix=${path}/`, id], call);
      } catch (error) {
        if (!(error instanceof GitError)) throw error;
        skipped.add(name);
      } finally {
        await rm(inner, { force: true });
      }
    }
  if (skipped.size > 0)
    o.say(
      `Could not be read and are not in the diff: ${[...skipped].slice(0, 5).map(asText).map(readableName).join(', ')}`,
    );
  return (await o.git.run(['write-tree', '--missing-ok'], call)).toString().trim();
}

type Call = Parameters<Git['run']>[1];

async function update(o: Collecting, call: Call, names: readonly string[], skipped: Set<string>): Promise<void> {
  for (;;) {
    const wanted = names.filter((name) => !skipped.has(name));
    if (wanted.length === 0) return;
    const result = await o.git.try(['update-index', '--add', '--remove', '--replace', '-z', '--stdin'], {
      ...call,
      input: Buffer.from(`${wanted.join('\0')}\0`, 'latin1'),
    });
    if (result.code === 0) return;
    // One file that cannot be read, or changes while it is read, must not cost the whole diff.
    const unable = /^fatal: Unable to process path ([\s\S]+)\n$/m.exec(result.errors)?.[1];
    const culprit = wanted.find((name) => asText(name) === unable);
    if (culprit === undefined || skipped.size >= MAX_SKIPPED) throw new GitError('update-index', result);
    skipped.add(culprit);
  }
}

/** File names are bytes: latin1 carries them through unchanged. */
const asText = (name: string): string => Buffer.from(name, 'latin1').toString('utf8');

function splitNames(out: Buffer): string[] {
  const names = out.toString('latin1').split('\0');
  names.pop();
  return [...new Set(names)];
}

async function writeDiff(o: Collecting, tree: string, file: string): Promise<Collected> {
  const call = { signal: o.signal, timeoutMs: COLLECT_MS, env: { GIT_DIR: o.store } };
  const large = await tooLarge(o, tree);
  if (large.length > 0)
    o.say(`Larger than ${o.maxFileBytes} bytes and not in the diff: ${large.slice(0, 5).map(readableName).join(', ')}`);
  const trees = ['-M', o.baseTree, tree];
  const paths = large.length === 0 ? [] : ['--', '.', ...large.map((name) => `:(exclude,literal)${name}`)];
  await o.git.run(
    [
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
      ...paths,
    ],
    { ...call, toFile: file },
  );
  const counted = await o.git.run(['diff-tree', '-r', '--numstat', '-z', ...trees, ...paths], call);
  const { sha256, sizeBytes } = await digest(file);
  return { tree, file, sha256, stat: { ...countLines(counted), sizeBytes } };
}

async function tooLarge(o: Collecting, tree: string): Promise<string[]> {
  const call = { signal: o.signal, timeoutMs: COLLECT_MS, env: { GIT_DIR: o.store } };
  const raw = splitPairs(await o.git.run(['diff-tree', '-r', '-z', '--no-renames', o.baseTree, tree], call));
  const added = raw.filter(({ id, mode }) => mode !== '160000' && !/^0+$/.test(id));
  if (added.length === 0) return [];
  const sizes = await o.git.run(['cat-file', '--batch-check=%(objectsize)'], {
    ...call,
    input: `${added.map(({ id }) => id).join('\n')}\n`,
  });
  const lines = sizes.toString().split('\n');
  // So many paths fit on a command line; a tree with more such files fails on the size of its diff instead.
  return added
    .filter((_, n) => Number(lines[n]) > o.maxFileBytes)
    .map(({ name }) => name)
    .slice(0, 200);
}

function splitPairs(out: Buffer): { mode: string; id: string; name: string }[] {
  const fields = out.toString('utf8').split('\0');
  const pairs: { mode: string; id: string; name: string }[] = [];
  for (let n = 0; n + 1 < fields.length; n += 2) {
    const [, mode = '', , id = ''] = (fields[n] ?? '').split(' ');
    pairs.push({ mode, id, name: fields[n + 1] ?? '' });
  }
  return pairs;
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

const readableName = (name: string): string => JSON.stringify(name).slice(1, -1);

export async function digest(file: string): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const part of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(part);
    sizeBytes += part.length;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}
