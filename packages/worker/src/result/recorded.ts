import { createHash } from 'node:crypto';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AgentGit,
  attempt,
  borrowing,
  LOOK_MS,
  MAX_INDEX,
  type Reading,
  readPlain,
  textOf,
} from '../agent/agent-git.ts';
import { allEnded } from '../deadline.ts';
import type { GitCall } from '../git/git.ts';
import { ALL, type Change, changesIn, type Entry, fieldsOf, isSubmodule } from '../git/paths.ts';

const INDEX_HEAD = 12;
const OLDEST_INDEX = 2;

/** What the agent committed or staged, against the base. */
export interface Recorded {
  /** In its index or its last commit and not in the base: ignored or not, such a file counts. */
  readonly added: ReadonlyMap<string, Entry>;
  /** In the base and no longer in its index. */
  readonly removed: ReadonlySet<string>;
  /** References to commits of submodules, where they are not those of the base. */
  readonly submodules: ReadonlyMap<string, string>;
  /** Left out of the work tree on purpose (sparse checkout, skip-worktree): not being there does not delete them. */
  hidden(): Promise<ReadonlyMap<string, Entry>>;
  /** Its index is there and cannot be read. */
  readonly isBroken: boolean;
}

export const NOTHING_RECORDED: Recorded = {
  added: new Map(),
  removed: new Set(),
  submodules: new Map(),
  hidden: async () => new Map(),
  isBroken: false,
};

/**
 * Git parses a copy of the index with our own repository and configuration, and borrows the agent's objects for it.
 * @param scratch where the copy goes
 * @param ours where the agent's index is the same still, its differences are known
 */
export async function readRecorded(
  o: Reading,
  found: AgentGit,
  baseTree: string,
  scratch: string,
  ours: OurIndex,
): Promise<Recorded> {
  const env = { GIT_DIR: o.store, GIT_INDEX_FILE: scratch, ...borrowing(found) };
  const call: GitCall = { signal: o.signal, timeoutMs: LOOK_MS, env };
  const trees = [...ALL, '--raw', '-z', '--no-renames', '--abbrev=64'];
  const readHead = async () =>
    found.head === null
      ? null
      : attempt(o.signal, () =>
          o.git.run(['diff-tree', '-r', '--diff-filter=A', ...trees, baseTree, `${found.head}^{tree}`], call),
        );
  const readIndex = async () => {
    const copied = await copyIndex(o, found, scratch, ours.file);
    if (copied === 'same') return { copied, changes: await ours.changes };
    const staged =
      typeof copied === 'object'
        ? await attempt(o.signal, () => o.git.run(['diff-index', '--cached', ...trees, baseTree, '--'], call))
        : null;
    return { copied, changes: staged && changesIn(staged) };
  };
  const [committed, { copied, changes }] = await allEnded([readHead(), readIndex()]);
  // The agent took nothing out of a repository that it made afresh.
  const lenders = await textOf(join(found.commonDir, 'objects', 'info', 'alternates'));
  const isOurs = lenders?.includes(join(o.store, 'objects')) === true;
  const added = new Map<string, Entry>();
  const removed = new Set<string>();
  const submodules = new Map<string, string>();
  for (const { path, to } of committed === null ? [] : changesIn(committed))
    if (isSubmodule(to)) submodules.set(path, to.id);
    else added.set(path, to);
  for (const { path, from, to, status } of changes ?? []) {
    if (status === 'D' && isOurs) removed.add(path);
    else if (status === 'D') continue;
    else if (isSubmodule(to)) submodules.set(path, to.id);
    else if (/^0+$/.test(from.mode)) added.set(path, to);
  }
  // A path with a conflict is listed as removed and as unmerged.
  for (const { path, status } of changes ?? []) if (status === 'U') removed.delete(path);
  return {
    ...{ added, removed, submodules },
    hidden: async () => {
      const all =
        changes === null || typeof copied !== 'object' || !copied.mayHide
          ? null
          : await attempt(o.signal, () => o.git.run(['ls-files', '-t', '--stage', '-z'], call));
      return all === null ? new Map() : hiddenIn(all);
    },
    isBroken: copied !== 'none' && changes === null,
  };
}

function hiddenIn(out: Buffer): Map<string, Entry> {
  const hidden = new Map<string, Entry>();
  for (const field of fieldsOf(out)) {
    const [, mode, id, path] = /^S (\d+) ([0-9a-f]+) 0\t([\s\S]+)$/.exec(field) ?? [];
    if (mode && id && path) hidden.set(path, { mode, id });
  }
  return hidden;
}

interface OurIndex {
  /** It began as a copy of the agent's. */
  readonly file: string;
  /** From the base. */
  readonly changes: Promise<readonly Change[]>;
}

interface Copied {
  /** It can say that files are left out of the work tree on purpose. */
  readonly mayHide: boolean;
}

/** @returns `same`, without a copy, when it is the same as ours and hides nothing */
async function copyIndex(
  o: Reading,
  { gitDir }: AgentGit,
  to: string,
  ours: string,
): Promise<Copied | 'none' | 'same' | 'broken'> {
  if (!(await stat(join(gitDir, 'index')).catch(() => null))) return 'none';
  const index = await readPlain(join(gitDir, 'index'), MAX_INDEX);
  if (index === null || index.length < INDEX_HEAD) return 'broken';
  // The oldest format has no flag for what is left out. In a large repository this saves a list of all its files.
  const isOldest = index.readUInt32BE(4) === OLDEST_INDEX;
  if (isOldest && (await readPlain(ours, MAX_INDEX))?.equals(index)) return 'same';
  if (!isWhole(index)) return 'broken';
  let isSplit = false;
  await writeFile(to, index, { mode: 0o600 });
  // The larger half of a split index is looked for beside the repository that is asked, which is ours.
  for (const name of await readdir(gitDir).catch(() => []))
    if (/^sharedindex\.([0-9a-f]{40}|[0-9a-f]{64})$/.test(name)) {
      isSplit = true;
      const half = await readPlain(join(gitDir, name), MAX_INDEX);
      if (half !== null && isWhole(half)) await writeFile(join(o.store, name), half, { mode: 0o600 });
    }
  return { mayHide: isSplit || !isOldest };
}

/** Git takes an index that was cut for one with fewer files. Its hash may be left out (index.skipHash). */
function isWhole(index: Buffer): boolean {
  return (
    [
      ['sha1', 20],
      ['sha256', 32],
    ] as const
  ).some(([name, size]) => {
    const [content, told] = [index.subarray(0, -size), index.subarray(-size)];
    return told.every((byte) => byte === 0) || createHash(name).update(content).digest().equals(told);
  });
}

/** Removes what reading left behind. */
export async function forgetRecorded(o: Reading, scratch: string): Promise<void> {
  await rm(scratch, { force: true });
  for (const name of await readdir(o.store).catch(() => []))
    if (name.startsWith('sharedindex.')) await rm(join(o.store, name), { force: true });
}
