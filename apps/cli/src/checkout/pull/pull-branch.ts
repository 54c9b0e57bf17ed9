import { HangarError } from '@hangar/contract/errors';
import { showPath } from '@hangar/contract/path-bytes';
import { type Checkout, needHead } from '../checkout.ts';
import { causeOf, type Git, GitFailed, lastWords } from '../git.ts';
import { inTurn } from '../turn.ts';
import { withFolder } from '../with-folder.ts';
import { doesNotApply, type Incoming } from './plan.ts';
import { openRecord, UNSTOPPABLE, writeRecord } from './pull-record.ts';
import { tryDiff } from './trial.ts';

/**
 * Puts the diff on a new branch as a commit, on top of what the job started from. Files and index stay as they are.
 * @throws HangarError usage when the branch exists, diff_does_not_apply, diff_conflicts
 */
export async function pullIntoBranch(
  checkout: Checkout,
  incoming: Incoming,
  branch: string,
): Promise<{ commit: string }> {
  return inTurn(checkout, () => withFolder((dir) => commitOnBranch(checkout, incoming, branch, dir)));
}

async function commitOnBranch(
  checkout: Checkout,
  incoming: Incoming,
  branch: string,
  dir: string,
): Promise<{ commit: string }> {
  const { git } = checkout;
  const head = needHead(checkout);
  const ref = `refs/heads/${branch}`;
  await refuseName(git, branch);

  const base = await baseOf(checkout, incoming, head);
  const trial = await tryDiff(checkout, incoming.file, base.tree, dir);
  if (trial.kind === 'refused') throw doesNotApply(trial.reason, trial.files);
  if (trial.conflicts.length > 0)
    throw new HangarError('diff_conflicts', {
      message: 'The diff conflicts with HEAD, and the commit the job started from is not in this checkout.',
      wayOut: 'Fetch that commit first, or pull into the work tree: hangar pull ID',
      details: { files: trial.conflicts.map(({ path }) => showPath(path)) },
    });
  let parent = base.commit;
  if (base.uncommitted)
    parent = await commitTree(checkout, base.tree, parent, `Uncommitted work sent with ${incoming.jobId}`);
  const commit = await commitTree(checkout, trial.tree, parent, `${incoming.title}\n\nHangar-Job: ${incoming.jobId}`);
  const made = await git.attempt(
    ['update-ref', '-m', `hangar pull ${incoming.jobId}`, ref, commit, '0'.repeat(commit.length)],
    UNSTOPPABLE,
  );
  if (made.code !== 0) {
    if (causeOf(made.stderr) !== null) throw new GitFailed(['update-ref'], made, git.dir);
    throw cannotBe(branch, lastWords(made.stderr));
  }
  const record = await openRecord(checkout);
  await writeRecord(record, {
    ...{ version: 1, kind: 'branch', jobId: incoming.jobId, at: new Date().toISOString(), head, branch, commit },
  });
  return { commit };
}

/** @throws HangarError usage when git would not take the name, or another branch has it or stands in its way */
async function refuseName(git: Git, branch: string): Promise<void> {
  const asked = await git.attempt(['check-ref-format', '--branch', branch]);
  // It answers another name for @{-1}: that would be a branch there is.
  if (branch.startsWith('-') || asked.code !== 0 || asked.stdout.toString() !== `${branch}\n`)
    throw cannotBe(branch, null);
  const ref = `refs/heads/${branch}`;
  const found = async (...which: string[]) =>
    (await git.read(['for-each-ref', '--format=%(refname)', ...which])).split('\n').filter((line) => line !== '');
  const parts = branch.split('/');
  const shorter = new Set(parts.slice(1).map((_, at) => `refs/heads/${parts.slice(0, at + 1).join('/')}`));
  const [same, below] = [await found(ref), [...shorter].length === 0 ? [] : await found(...shorter)];
  if (same.includes(ref))
    throw new HangarError('usage', { message: `There is already a branch ${branch}.`, wayOut: 'Choose another name.' });
  const other = same[0] ?? below.find((one) => shorter.has(one));
  if (other !== undefined)
    throw cannotBe(branch, `there is a branch ${other.slice('refs/heads/'.length)}, and git keeps only one of the two`);
}

const cannotBe = (branch: string, reason: string | null): HangarError =>
  new HangarError('usage', {
    message: `${JSON.stringify(branch)} cannot be the name of a new branch.`,
    wayOut: 'Choose another name.',
    ...(reason === null ? {} : { details: { reason } }),
  });

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
