import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { showPath } from '@hangar/contract/path-bytes';
import { type Checkout, needHead, type TreeState, treeState } from '../checkout.ts';
import { filterFailed, tryFilters } from '../filters/try-filters.ts';
import { causeOf, errorLines, GitFailed, joinNull, lastWords, splitNull, troubleOf } from '../git.ts';
import type { Sent } from '../send/sent.ts';
import { indexOfWorkTree } from '../work-tree-index.ts';
import { ALL, type Change, type Conflict, indexInfo } from './changes.ts';
import { meeting, refuseObstacles, refuseUnreadable } from './obstacles.ts';
import { copyIndex, onDisk } from './snapshot.ts';
import { tryDiff } from './trial.ts';

/** A diff and where it comes from. */
export interface Incoming {
  readonly jobId: string;
  readonly title: string;
  readonly file: string;
  /** The commit the job started from, when known. */
  readonly baseCommit: string | null;
  /** What this checkout sent, when it did. */
  readonly sent: Sent | null;
}

/** All that a pull will do. Who asks whether it would work and who does it go by the same plan. */
export interface Plan {
  readonly head: string;
  /** The diff goes on top of the uncommitted work the job had started from: files alone, through this index of our own. */
  readonly onTop: { readonly index: string } | null;
  /** Git goes from one tree to the other, as for a checkout. */
  readonly from: string;
  readonly to: string;
  readonly changes: readonly Change[];
  readonly conflicts: readonly Conflict[];
  /** Changes outside a sparse checkout: they are known to the index and written to no file. */
  readonly unwritten: readonly Change[];
  /** Entries with a mark of the person's (assume-unchanged, skip-worktree) that is lifted while git works. */
  readonly marked: readonly Marked[];
  /** Tracked files with uncommitted changes: all, and those that the diff meets. */
  readonly changed: readonly string[];
  readonly met: readonly string[];
  /** Nothing is left to do: all of it is committed, or staged as the diff makes it. */
  readonly isHere: boolean;
}

export interface Marked {
  readonly path: string;
  readonly assumeUnchanged: boolean;
  readonly skipWorktree: boolean;
}

/** As a checkout does it: with filters, never over what is not committed. Sparse patterns are not applied anew to the rest. */
export const GO = ['read-tree', '-m', '-u', '--no-sparse-checkout'];

/**
 * Finds out everything about a pull without changing a file or the index.
 * @throws HangarError diff_does_not_apply, filter_blocks, tree_dirty, file_unreadable
 */
export async function planPull(
  checkout: Checkout,
  incoming: Incoming,
  dir: string,
  o: { stash: boolean },
): Promise<Plan> {
  const { git } = checkout;
  const head = needHead(checkout);
  await refuseUnready(checkout);
  const real = join(dir, 'real-index');
  await copyIndex(join(checkout.gitDir, 'index'), real);
  const state = await treeState(checkout, real);
  const onTop = await sameAsSent(checkout, incoming, state, head, dir);
  const from = onTop?.tree ?? head;
  const look = join(dir, 'look-index');
  const env = { GIT_INDEX_FILE: look };
  await copyIndex(onTop?.index ?? real, look);
  const [trial, tags] = await Promise.all([tryDiff(checkout, incoming.file, from, dir), tagsOf(checkout, env)]);
  if (trial.kind === 'refused') throw doesNotApply(trial.reason, trial.files);
  const { changes, conflicts } = trial;
  const filtered = new Set(trial.filtered);

  const { marked, absent } = await marksOf(checkout, tags, changes, conflicts);
  const unwritten = onTop ? [] : changes.filter(({ path }) => absent.has(path));
  const hidden = await changedBehindMarks(checkout, env, marked);
  const changed = onTop ? [] : [...new Set([...state.changed, ...hidden])];
  const same = await stagedAlike(checkout, env, meeting(changed, changes), changes);
  const met = meeting(changed, changes).filter((path) => !same.has(path));
  const plan: Plan = {
    ...{ head, onTop, from, changes, conflicts, unwritten, marked, changed, met },
    isHere: changes.every(({ path }) => same.has(path)) && conflicts.length === 0,
    to: await withoutUnwritten(checkout, trial.tree, unwritten, dir),
  };
  const written = changes.filter(({ path }) => !absent.has(path));
  await refuseUnreadable(checkout, written);
  refuseDirty(plan, state, hidden, o.stash);
  await refuseObstacles(
    checkout,
    written.filter(({ path }) => !same.has(path)),
  );
  await tryFilters(checkout, plan.to, written, filtered, dir);
  // What git itself says: the same command as in earnest, on a copy of the index. With a stash to come, it would only see what goes there.
  if (met.length === 0 && changes.length > 0) {
    const result = await git.attempt([...GO, '--dry-run', plan.from, plan.to], { env });
    if (result.code !== 0) throw refusal(result.stderr);
  }
  return plan;
}

/** The work tree is what was sent with the job, uncommitted work and all: an index of it. */
async function sameAsSent(
  checkout: Checkout,
  { sent }: Incoming,
  state: TreeState,
  head: string,
  dir: string,
): Promise<{ index: string; tree: string } | null> {
  if (sent === null || sent.commit !== head || state.changed.length + state.untracked.length === 0) return null;
  try {
    const { index } = await indexOfWorkTree(checkout, head, dir);
    const tree = await checkout.git.line(['write-tree'], { env: { GIT_INDEX_FILE: index } });
    return tree === sent.baseTree ? { index, tree } : null;
  } catch (error) {
    // What git cannot read was not sent either.
    if (error instanceof GitFailed && error.code !== 'disk_full') return null;
    throw error;
  }
}

/** A letter for each entry of an index, and its path. */
const tagsOf = async ({ git }: Checkout, env: Readonly<Record<string, string>>): Promise<string[]> =>
  splitNull(await git.bytes(['ls-files', '-v', '-z'], { env }));

/** Entries of the diff that carry marks, and which of them are outside a sparse checkout. */
async function marksOf(
  { root }: Checkout,
  tags: readonly string[],
  changes: readonly Change[],
  conflicts: readonly Conflict[],
): Promise<{ marked: Marked[]; absent: Set<string> }> {
  const touched = new Set(changes.map(({ path }) => path));
  const inConflict = new Set(conflicts.map(({ path }) => path));
  const marked: Marked[] = [];
  const absent = new Set<string>();
  for (const line of tags) {
    const [tag = '', path] = [line[0], line.slice(2)];
    const [skipWorktree, assumeUnchanged] = [tag.toUpperCase() === 'S', tag !== tag.toUpperCase()];
    if (!touched.has(path) || !(skipWorktree || assumeUnchanged)) continue;
    marked.push({ path, assumeUnchanged, skipWorktree });
    if (skipWorktree && !inConflict.has(path) && (await lstat(onDisk(root, path)).catch(() => null)) === null)
      absent.add(path);
  }
  return { marked, absent };
}

/** Files whose changes git was told not to look for. */
async function changedBehindMarks(
  { git, root }: Checkout,
  env: Readonly<Record<string, string>>,
  marked: readonly Marked[],
): Promise<string[]> {
  if (marked.length === 0) return [];
  await liftMarks({ git }, marked, env);
  await git.attempt(['update-index', '-q', '--refresh'], { env });
  const found = new Set(splitNull(await git.bytes(['diff-files', ...ALL, '--name-only', '-z'], { env })));
  const changed: string[] = [];
  for (const { path, skipWorktree } of marked)
    if (found.has(path)) {
      const gone = (await lstat(onDisk(root, path)).catch(() => null)) === null;
      if (!(skipWorktree && gone)) changed.push(path);
    }
  return changed;
}

/** Of these, the files that the person has staged just as the diff makes them: they are neither in its way nor work for it. */
async function stagedAlike(
  { git, root }: Checkout,
  env: Readonly<Record<string, string>>,
  paths: readonly string[],
  changes: readonly Change[],
): Promise<Set<string>> {
  if (paths.length === 0) return new Set();
  const made = new Map(changes.map(({ path, after }) => [path, after && `${after.mode} ${after.oid} 0`]));
  const staged = new Map(
    splitNull(await git.bytes(['ls-files', '--stage', '-z'], { env })).map((entry) => {
      const tab = entry.indexOf('\t');
      return [entry.slice(tab + 1), entry.slice(0, tab)];
    }),
  );
  const unstaged = new Set(splitNull(await git.bytes(['diff-files', ...ALL, '--name-only', '-z'], { env })));
  const isGone = async (path: string) => (await lstat(onDisk(root, path)).catch(() => null)) === null;
  const alike = new Set<string>();
  for (const path of paths) {
    const after = made.get(path);
    if (after === null ? !staged.has(path) && (await isGone(path)) : after !== undefined && staged.get(path) === after)
      if (!unstaged.has(path)) alike.add(path);
  }
  return alike;
}

type HasGit = Pick<Checkout, 'git'>;

export async function liftMarks(
  { git }: HasGit,
  marked: readonly Marked[],
  env: Readonly<Record<string, string>> = {},
) {
  if (marked.length === 0) return;
  const input = joinNull(marked.map(({ path }) => path));
  for (const mark of ['--no-assume-unchanged', '--no-skip-worktree'])
    await git.read(['update-index', mark, '-z', '--stdin'], { env, input });
}

/** A tree that leaves what is outside a sparse checkout as it was. */
async function withoutUnwritten(
  { git }: Checkout,
  tree: string,
  unwritten: readonly Change[],
  dir: string,
): Promise<string> {
  if (unwritten.length === 0) return tree;
  const env = { GIT_INDEX_FILE: join(dir, 'written-index') };
  await git.read(['read-tree', tree], { env });
  const input = indexInfo(
    unwritten.map(({ path, before }) => ({ path, after: before })),
    tree.length,
  );
  await git.read(['update-index', '-z', '--index-info'], { env, input });
  return git.line(['write-tree'], { env });
}

/** @throws HangarError tree_dirty */
function refuseDirty(plan: Plan, state: TreeState, hidden: readonly string[], stash: boolean): void {
  if (state.unmerged.length > 0 && plan.onTop === null)
    throw new HangarError('tree_dirty', {
      message: 'Files have conflicts that are not resolved.',
      wayOut: 'Resolve them and git add the files, or use --branch NAME.',
      details: { files: state.unmerged.map(showPath) },
    });
  const behindMarks = plan.met.filter((path) => hidden.includes(path));
  if (behindMarks.length > 0)
    throw new HangarError('tree_dirty', {
      message: 'The diff meets changes that git was told not to look for (assume-unchanged, skip-worktree).',
      wayOut:
        'Let git see them (git update-index --no-assume-unchanged --no-skip-worktree FILE), then commit or stash them.',
      details: { files: behindMarks.map(showPath) },
    });
  if (plan.met.length > 0 && !stash)
    throw new HangarError('tree_dirty', {
      message: 'The diff meets files with uncommitted changes.',
      details: { files: plan.met.map(showPath) },
    });
}

/** @throws HangarError diff_does_not_apply, tree_dirty */
async function refuseUnready({ gitDir }: Checkout): Promise<void> {
  const there = async (name: string) => (await lstat(join(gitDir, name)).catch(() => null)) !== null;
  const lock = join(gitDir, 'index.lock');
  if (await there('index.lock')) throw refusal(`fatal: Unable to create '${lock}': File exists`);
  if (!(await there('index')))
    throw new HangarError('tree_dirty', {
      message: 'No file of this repository is checked out yet.',
      wayOut: 'Check it out first: git checkout. Or use --branch NAME.',
    });
}

/** Git would not go from one tree to the other. */
export function refusal(stderr: string): HangarError {
  const full = troubleOf(stderr, ['disk_full']);
  if (full !== null) return full;
  const cause = causeOf(stderr);
  if (/(smudge|clean|external) filter|subprocess '/.test(stderr)) return filterFailed(stderr);
  if (cause === null) return doesNotApply(lastWords(stderr), errorLines(stderr));
  return new HangarError(cause.code === 'git_busy' ? 'diff_does_not_apply' : cause.code, {
    message: cause.message,
    wayOut: cause.wayOut,
  });
}

export function doesNotApply(reason: string, files: readonly string[]): HangarError {
  // The last words of `git apply` may be of a file that did apply.
  return new HangarError('diff_does_not_apply', {
    details: files.length > 1 ? { files } : { reason: files[0] ?? reason },
  });
}
