import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { type Checkout, needHead, ownFolder, type TreeState, treeState } from './checkout.ts';
import { errorLines, lastWords, type Trial, tryDiff, unmerged } from './diff.ts';
import { indexOfWorkTree, type Sent } from './parcel.ts';
import {
  behindLinks,
  copyIndex,
  type Here,
  isSame,
  type Kept,
  keep,
  lookAt,
  putBack,
  putBackIndex,
} from './snapshot.ts';

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

export interface Pulled {
  readonly conflicts: readonly string[];
  /** Commit of the stash entry that holds what was uncommitted. */
  readonly stash: string | null;
  /** The diff went on top of the uncommitted work the job had started from. */
  readonly onTop: boolean;
}

interface Common {
  readonly version: 1;
  readonly jobId: string;
  readonly at: string;
  readonly head: string;
}
interface TreeRecord extends Common {
  readonly kind: 'tree';
  readonly kept: readonly Kept[];
  /** Files as the pull left them; null while it is at work: then undo puts everything back without looking. */
  readonly after: readonly Here[] | null;
  /** Index entries as the pull left them. */
  readonly indexAfter: string | null;
  readonly stash: string | null;
}
interface BranchRecord extends Common {
  readonly kind: 'branch';
  readonly branch: string;
  readonly commit: string;
}
type PullRecord = TreeRecord | BranchRecord;

const REMEMBERED = 20;
/** Once files are being written, Ctrl-C waits. */
const UNSTOPPABLE = { signal: new AbortController().signal };

/**
 * What a pull would do to the files as they are, and which changed files would stand in its way. Nothing is changed.
 * @throws HangarError diff_does_not_apply
 */
export async function checkPull(
  checkout: Checkout,
  incoming: Incoming,
): Promise<{ trial: Trial; dirty: readonly string[] }> {
  return withFolder(async (dir) => {
    const planned = await plan(checkout, incoming, dir);
    await refuseObstacles(checkout, planned);
    return { trial: planned.trial, dirty: planned.onTop ? [] : planned.state.changed };
  });
}

interface Plan {
  readonly state: TreeState;
  readonly onTop: boolean;
  readonly trial: Trial;
}

async function plan(checkout: Checkout, incoming: Incoming, dir: string): Promise<Plan> {
  const head = needHead(checkout);
  const state = await treeState(checkout);
  const { sent } = incoming;
  if (sent !== null && sent.commit === head && state.changed.length + state.untracked.length > 0) {
    const { index } = await indexOfWorkTree(checkout, head, dir);
    const now = await checkout.git.line(['write-tree'], { env: { GIT_INDEX_FILE: index } });
    if (now === sent.baseTree)
      return { state, onTop: true, trial: await tryDiff(checkout, incoming.file, sent.baseTree, dir) };
  }
  return { state, onTop: false, trial: await tryDiff(checkout, incoming.file, 'HEAD', dir) };
}

/** What git would find out too late, or not at all. @throws HangarError diff_does_not_apply */
async function refuseObstacles(
  { root }: Checkout,
  { trial, state, onTop }: Plan,
): Promise<Exclude<Trial, { kind: 'refused' }>> {
  if (trial.kind === 'refused') throw doesNotApply(trial.reason, trial.files);
  const untracked = new Set(state.untracked);
  const inTheWay = onTop ? [] : trial.paths.filter((path) => untracked.has(path));
  if (inTheWay.length > 0)
    throw new HangarError('diff_does_not_apply', {
      message: 'Files that git does not track are where the diff makes new ones.',
      wayOut: 'Move them away, or use --branch NAME.',
      details: { files: inTheWay },
    });
  const astray = await behindLinks(root, trial.paths);
  if (astray.length > 0) throw doesNotApply(`${astray[0]} is beyond a symbolic link`, astray);
  return trial;
}

/**
 * Applies a diff to the work tree, three-way, files and index. What was there before is kept so that undo gives it back exactly.
 * @throws HangarError tree_dirty, diff_does_not_apply
 */
export async function pullIntoTree(checkout: Checkout, incoming: Incoming, o: { stash: boolean }): Promise<Pulled> {
  return withFolder(async (dir) => {
    const { git, root } = checkout;
    const head = needHead(checkout);
    const planned = await plan(checkout, incoming, dir);
    const { state, onTop } = planned;
    const dirty = !onTop && state.changed.length > 0;
    if (dirty && !o.stash) throw new HangarError('tree_dirty', { details: { files: state.changed } });
    const applicable = await refuseObstacles(checkout, planned);

    const record = await openRecord(checkout);
    const paths = [...new Set([...applicable.paths, ...(dirty ? state.changed : [])])];
    const kept = await keepAll(checkout, paths, record);
    const begun: TreeRecord = {
      ...{ version: 1, kind: 'tree', jobId: incoming.jobId, at: new Date().toISOString(), head },
      ...{ kept, after: null, indexAfter: null, stash: null },
    };
    await writeRecord(record, begun);

    let stash: string | null = null;
    try {
      if (dirty) stash = await putAside(checkout, incoming.jobId);
      if (stash !== null) await writeRecord(record, { ...begun, stash });
      const how = onTop ? [] : ['--3way', '--index'];
      const result = await git.attempt(['apply', ...how, '--allow-empty', incoming.file], UNSTOPPABLE);
      const conflicts = onTop ? [] : await unmerged(git);
      if (result.code !== 0 && conflicts.length === 0)
        throw doesNotApply(lastWords(result.stderr), errorLines(result.stderr));
      await writeRecord(record, {
        ...begun,
        stash,
        after: await Promise.all(kept.map(({ path }) => lookAt(root, path))),
        indexAfter: await entries(checkout),
      });
      return { conflicts, stash, onTop };
    } catch (error) {
      await restore(checkout, record, { ...begun, stash }, true);
      throw error;
    }
  });
}

async function keepAll({ root, gitDir }: Checkout, paths: readonly string[], record: string): Promise<Kept[]> {
  try {
    const kept = await keep(root, paths, join(record, 'files'));
    await copyIndex(join(gitDir, 'index'), join(record, 'index'));
    return kept;
  } catch (error) {
    await rm(record, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Puts the diff on a new branch as a commit, on top of what the job started from. Files and index stay as they are.
 * @throws HangarError usage when the branch exists, diff_does_not_apply, diff_conflicts
 */
export async function pullIntoBranch(
  checkout: Checkout,
  incoming: Incoming,
  branch: string,
): Promise<{ commit: string }> {
  return withFolder(async (dir) => {
    const { git } = checkout;
    const head = needHead(checkout);
    const ref = `refs/heads/${branch}`;
    if (branch.startsWith('-') || (await git.attempt(['check-ref-format', ref])).code !== 0)
      throw new HangarError('usage', {
        message: `${JSON.stringify(branch)} cannot be the name of a branch.`,
        wayOut: 'Choose another name.',
      });
    if ((await git.attempt(['rev-parse', '--verify', '--quiet', ref])).code === 0)
      throw new HangarError('usage', {
        message: `There is already a branch ${branch}.`,
        wayOut: 'Choose another name.',
      });

    const base = await baseOf(checkout, incoming, head);
    const trial = await tryDiff(checkout, incoming.file, base.tree, dir);
    if (trial.kind === 'refused') throw doesNotApply(trial.reason, trial.files);
    if (trial.kind === 'conflicts')
      throw new HangarError('diff_conflicts', {
        message: 'The diff conflicts with HEAD, and the commit the job started from is not in this checkout.',
        wayOut: 'Fetch that commit first, or pull into the work tree: hangar pull ID',
        details: { files: trial.conflicts },
      });
    let parent = base.commit;
    if (base.uncommitted)
      parent = await commitTree(checkout, base.tree, parent, `Uncommitted work sent with ${incoming.jobId}`);
    const commit = await commitTree(checkout, trial.tree, parent, `${incoming.title}\n\nHangar-Job: ${incoming.jobId}`);
    await git.read(
      ['update-ref', '-m', `hangar pull ${incoming.jobId}`, ref, commit, '0'.repeat(commit.length)],
      UNSTOPPABLE,
    );
    const record = await openRecord(checkout);
    await writeRecord(record, {
      ...{ version: 1, kind: 'branch', jobId: incoming.jobId, at: new Date().toISOString(), head, branch, commit },
    });
    return { commit };
  });
}

async function baseOf({ git }: Checkout, { sent, baseCommit }: Incoming, head: string) {
  const has = async (id: string) => (await git.attempt(['cat-file', '-e', id])).code === 0;
  const treeOf = (id: string) => git.line(['rev-parse', `${id}^{tree}`]);
  if (sent !== null && (await has(sent.commit)) && (await has(sent.baseTree)))
    return { commit: sent.commit, tree: sent.baseTree, uncommitted: (await treeOf(sent.commit)) !== sent.baseTree };
  const commit = baseCommit !== null && (await has(`${baseCommit}^{commit}`)) ? baseCommit : head;
  return { commit, tree: await treeOf(commit), uncommitted: false };
}

async function commitTree({ git }: Checkout, tree: string, parent: string, message: string): Promise<string> {
  const result = await git.attempt(['commit-tree', tree, '-p', parent, '-F', '-'], { input: `${message}\n` });
  if (result.code === 0) return result.stdout.toString().trim();
  throw new HangarError('usage', {
    message: `git could not commit: ${lastWords(result.stderr)}`,
    wayOut: 'Tell git who you are: git config user.name and user.email',
  });
}

export interface Undone {
  readonly jobId: string;
  readonly files: readonly string[];
  /** The branch that was removed. */
  readonly branch: string | null;
  /** What --stash had put aside is back. */
  readonly unstashed: boolean;
}

/**
 * Takes the last pull of this checkout back: files, index and stash are as they were before.
 * @throws HangarError nothing_to_undo, undo_blocked
 */
export async function undoPull(checkout: Checkout): Promise<Undone> {
  const folder = join(ownFolder(checkout), 'pulls');
  const [last] = (await readdir(folder).catch(() => [])).sort().reverse();
  const text = last === undefined ? null : await readFile(join(folder, last, 'record.json'), 'utf8').catch(() => null);
  if (last === undefined || text === null) throw new HangarError('nothing_to_undo');
  const record = join(folder, last);
  const found = JSON.parse(text) as PullRecord;
  if (found.kind === 'branch') {
    await removeBranch(checkout, found);
    await rm(record, { recursive: true, force: true });
    return { jobId: found.jobId, files: [], branch: found.branch, unstashed: false };
  }
  const indexUntouched = found.after === null || (await checkUndo(checkout, found));
  await restore(checkout, record, found, indexUntouched);
  return {
    jobId: found.jobId,
    files: found.kept.map(({ path }) => path),
    branch: null,
    unstashed: found.stash !== null,
  };
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

/** Whether everything is still as the pull left it. Answers if that holds for the whole index, not only for its files. */
async function checkUndo(checkout: Checkout, record: TreeRecord): Promise<boolean> {
  const { git, root, head } = checkout;
  if (head !== record.head) {
    const committed = new Set(
      splitLines(await git.read(['diff-tree', '-r', '--no-renames', '--name-only', '-z', record.head, 'HEAD'])),
    );
    const files = record.kept.filter(({ path }) => committed.has(path)).map(({ path }) => path);
    if (files.length > 0)
      throw new HangarError('undo_blocked', {
        message: 'The pull was committed since.',
        wayOut: 'Take the commit back: git revert, or git reset.',
        details: { files },
      });
  }
  const changed: string[] = [];
  for (const [number, { path }] of record.kept.entries()) {
    const after = record.after?.[number];
    if (after !== undefined && !isSame(await lookAt(root, path), after)) changed.push(path);
  }
  const now = await entries(checkout);
  const whole = now === record.indexAfter;
  if (!whole) {
    const [mine, theirs] = [byPath(record.indexAfter ?? ''), byPath(now)];
    for (const { path } of record.kept) if (mine.get(path) !== theirs.get(path)) changed.push(path);
  }
  if (changed.length > 0) throw new HangarError('undo_blocked', { details: { files: [...new Set(changed)] } });
  return whole;
}

async function restore(checkout: Checkout, record: string, found: TreeRecord, wholeIndex: boolean): Promise<void> {
  const { git, root, gitDir } = checkout;
  if (wholeIndex) await putBackIndex(gitDir, join(record, 'index'));
  else {
    const before = byPath(await entries(checkout, { GIT_INDEX_FILE: join(record, 'index') }));
    const lines = found.kept.map(({ path }) => {
      const none = `0 ${'0'.repeat(found.head.length)}\t${path}\0`;
      return none + (before.get(path) ?? '');
    });
    await git.read(['update-index', '-z', '--index-info'], { ...UNSTOPPABLE, input: lines.join('') });
  }
  await putBack(root, found.kept, join(record, 'files'));
  await git.attempt(['update-index', '-q', '--refresh'], UNSTOPPABLE);
  if (found.stash !== null) await dropStash(checkout, found.stash);
  await rm(record, { recursive: true, force: true });
}

/** Index entries as text, sorted by git. */
const entries = ({ git }: Checkout, env: Readonly<Record<string, string>> = {}): Promise<string> =>
  git.read(['ls-files', '--stage', '-z'], { ...UNSTOPPABLE, env });

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

async function putAside({ git }: Checkout, jobId: string): Promise<string> {
  const top = async () =>
    (await git.attempt(['rev-parse', '--verify', '--quiet', 'refs/stash'])).stdout.toString().trim();
  const before = await top();
  const result = await git.attempt(['stash', 'push', '--quiet', '-m', `hangar pull ${jobId}`], UNSTOPPABLE);
  const after = await top();
  if (result.code === 0 && after !== '' && after !== before) return after;
  throw new HangarError('tree_dirty', {
    message: `git could not stash your changes: ${lastWords(result.stderr) || 'it gave no reason'}`,
    wayOut: 'Commit them, or use --branch NAME.',
  });
}

async function dropStash({ git }: Checkout, commit: string): Promise<void> {
  const list = await git.attempt(['reflog', 'show', '--format=%H', 'refs/stash', '--'], UNSTOPPABLE);
  const at = list.stdout.toString().split('\n').indexOf(commit);
  if (at >= 0) await git.attempt(['stash', 'drop', '--quiet', `stash@{${at}}`], UNSTOPPABLE);
}

function doesNotApply(reason: string, files: readonly string[]): HangarError {
  return new HangarError('diff_does_not_apply', { details: files.length > 1 ? { files } : { reason } });
}

/** A new folder for what undo needs. Old ones beyond the last few are removed. */
async function openRecord(checkout: Checkout): Promise<string> {
  const folder = join(ownFolder(checkout), 'pulls');
  await mkdir(folder, { recursive: true });
  const names = (await readdir(folder)).sort();
  for (const name of names.slice(0, Math.max(0, names.length - REMEMBERED + 1)))
    await rm(join(folder, name), { recursive: true, force: true });
  const number = Number(names.at(-1) ?? 0) + 1;
  const record = join(folder, String(number).padStart(8, '0'));
  await mkdir(record);
  return record;
}

async function writeRecord(folder: string, record: PullRecord): Promise<void> {
  await writeFile(join(folder, 'record.json.part'), JSON.stringify(record));
  await rename(join(folder, 'record.json.part'), join(folder, 'record.json'));
}

async function withFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'hangar-pull-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
