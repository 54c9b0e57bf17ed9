import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { type Checkout, needHead, type TreeState, treeState } from './checkout.ts';
import { errorLines, lastWords, type Trial, tryDiff, unmerged } from './diff.ts';
import { openRecord, type TreeRecord, UNSTOPPABLE, writeRecord } from './pull-record.ts';
import type { Sent } from './sent.ts';
import { behindLinks, copyIndex, type Kept, keep, lookAt } from './snapshot.ts';
import { entries, takeBack } from './undo.ts';
import { indexOfWorkTree } from './work-tree-index.ts';

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
      await takeBack(checkout, record, { ...begun, stash });
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

function doesNotApply(reason: string, files: readonly string[]): HangarError {
  return new HangarError('diff_does_not_apply', { details: files.length > 1 ? { files } : { reason } });
}

async function withFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'hangar-pull-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
