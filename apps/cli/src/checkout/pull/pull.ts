import type { Stats } from 'node:fs';
import { rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { showPath } from '@hangar/contract/path-bytes';
import { fileTrouble } from '../../terminal/file-trouble.ts';
import { type Checkout, treeState } from '../checkout.ts';
import { causeOf, joinNull, lastWords } from '../git.ts';
import { inTurn } from '../turn.ts';
import { withFolder } from '../with-folder.ts';
import { indexInfo } from './changes.ts';
import { meeting } from './obstacles.ts';
import { GO, type Incoming, liftMarks, type Plan, planPull, refusal } from './plan.ts';
import { endRecord, openRecord, type TreeRecord, UNSTOPPABLE, writeRecord } from './pull-record.ts';
import { copyIndex, type Kept, keep, lookAt } from './snapshot.ts';
import { entries, takeBack } from './undo.ts';

export type { Incoming } from './plan.ts';
export { pullIntoBranch } from './pull-branch.ts';

export interface Pulled {
  readonly conflicts: readonly string[];
  /** Commit of the stash entry that holds what was uncommitted. */
  readonly stash: string | null;
  /** The diff went on top of the uncommitted work the job had started from. */
  readonly onTop: boolean;
  /** All that the job changed was here before: nothing was done. */
  readonly alreadyHere: boolean;
}

/**
 * What a pull would do to the files as they are; it throws what the pull would throw. Nothing is changed.
 * @throws HangarError tree_dirty, diff_does_not_apply, filter_blocks, file_unreadable
 */
export const checkPull = (checkout: Checkout, incoming: Incoming): Promise<Pick<Pulled, 'conflicts' | 'alreadyHere'>> =>
  inTurn(checkout, () =>
    withFolder(async (dir) => {
      const { conflicts, isHere } = await planPull(checkout, incoming, dir, { stash: false });
      return { conflicts: conflicts.map(({ path }) => path), alreadyHere: isHere };
    }),
  );

/**
 * Applies a diff to the work tree, three-way, files and index. What was there before is kept so that undo gives it back exactly.
 * @throws HangarError tree_dirty, diff_does_not_apply, filter_blocks, file_unreadable
 */
export const pullIntoTree = (checkout: Checkout, incoming: Incoming, o: { stash: boolean }): Promise<Pulled> =>
  inTurn(checkout, () =>
    withFolder(async (dir) => {
      const plan = await planPull(checkout, incoming, dir, o);
      // Nothing to write is nothing to take back: the pull before stays the one that undo means.
      if (plan.isHere) return { conflicts: [], stash: null, onTop: plan.onTop !== null, alreadyHere: true };
      const stashed = o.stash ? plan.changed : [];
      const record = await openRecord(checkout);
      const paths = plan.changes.map(({ path }) => path);
      const kept = await keepAll(checkout, [...new Set([...paths, ...stashed])], record);
      const begun: TreeRecord = {
        ...{ version: 1, kind: 'tree', jobId: incoming.jobId, at: new Date().toISOString(), head: plan.head },
        ...{
          kept,
          after: null,
          indexAfter: null,
          stash: null,
          stashed: stashed.filter((path) => !paths.includes(path)),
        },
      };
      await orNothing(record, writeRecord(record, begun));
      let stash: string | null = null;
      try {
        if (stashed.length > 0) stash = await putAside(checkout, plan, incoming.jobId);
        if (stash !== null) await writeRecord(record, { ...begun, stash });
        await carryOut(checkout, plan);
        await endRecord(record, {
          ...begun,
          stash,
          after: await Promise.all(kept.map(({ path }) => lookAt(checkout.root, path))),
          indexAfter: await entries(checkout),
        });
        const conflicts = plan.conflicts.map(({ path }) => path);
        return { conflicts, stash, onTop: plan.onTop !== null, alreadyHere: false };
      } catch (error) {
        await takeBack(checkout, record, { ...begun, stash }).catch((other: unknown) => {
          throw halfDone(other);
        });
        throw error;
      }
    }),
  );

/** Writes files and index. Nothing that reads configuration comes after the files: the diff may have changed what it includes. */
async function carryOut({ git, gitDir }: Checkout, plan: Plan): Promise<void> {
  const { onTop, changes, conflicts, unwritten, marked } = plan;
  const index = onTop?.index ?? join(gitDir, 'index');
  const env: Record<string, string> = onTop === null ? {} : { GIT_INDEX_FILE: index };
  if (onTop === null) await liftMarks({ git }, marked);
  await git.attempt(['update-index', '-q', '--refresh'], { ...UNSTOPPABLE, env });
  const before = changes.some(({ path }) => isAttributes(path)) ? await makeYounger(index) : null;
  const result = await git.attempt([...GO, plan.from, plan.to], { ...UNSTOPPABLE, env });
  if (result.code !== 0 || /^error: /m.test(result.stderr)) {
    if (before !== null) await utimes(index, before.atime, before.mtime).catch(() => undefined);
    throw refusal(result.stderr);
  }
  if (onTop !== null) return;
  const info = [
    indexInfo(unwritten, plan.to.length),
    indexInfo(
      conflicts.map(({ path }) => ({ path, after: null })),
      plan.to.length,
    ),
    joinNull(
      conflicts.flatMap(({ path, stages }) => stages.map(({ mode, oid, stage }) => `${mode} ${oid} ${stage}\t${path}`)),
    ),
  ];
  if (unwritten.length + conflicts.length > 0)
    await git.read(['update-index', '-z', '--index-info'], { ...UNSTOPPABLE, input: Buffer.concat(info) });
  const gone = new Set([
    ...changes.filter(({ after }) => after === null).map(({ path }) => path),
    ...conflicts.map(({ path }) => path),
  ]);
  for (const [mark, has] of [
    ['--assume-unchanged', 'assumeUnchanged'],
    ['--skip-worktree', 'skipWorktree'],
  ] as const) {
    const again = marked.filter((one) => one[has] && !gone.has(one.path)).map(({ path }) => path);
    if (again.length > 0)
      await git.read(['update-index', mark, '-z', '--stdin'], { ...UNSTOPPABLE, input: joinNull(again) });
  }
}

const isAttributes = (path: string): boolean => path === '.gitattributes' || path.endsWith('/.gitattributes');

/**
 * Files of the same second as the index are read again by git on the way, through the filters of attributes that come. They were just
 * found unchanged: the index is to say that it is younger than all of them.
 */
async function makeYounger(index: string): Promise<Stats | null> {
  const before = await stat(index).catch(() => null);
  const young = (Date.now() + 2_000) / 1000;
  if (before !== null) await utimes(index, young, young);
  return before;
}

async function keepAll({ root, gitDir }: Checkout, paths: readonly string[], record: string): Promise<Kept[]> {
  const kept = await orNothing(record, keep(root, paths, join(record, 'files')));
  await orNothing(record, copyIndex(join(gitDir, 'index'), join(record, 'index')));
  return kept;
}

/** A record that cannot be made whole goes at once: its copies may be what fills the disk. */
const orNothing = <T>(record: string, work: Promise<T>): Promise<T> =>
  work.catch(async (error: unknown) => {
    await rm(record, { recursive: true, force: true }).catch(() => {});
    throw error;
  });

/** The pull failed, and so did taking it back: all that is needed for it is still kept. */
function halfDone(error: unknown): unknown {
  const trouble = error instanceof HangarError ? error : fileTrouble(error);
  if (trouble === null) return error;
  return new HangarError(trouble.code, {
    message: `The pull stopped half-way, and could not be taken back yet: ${trouble.message}`,
    wayOut: `${trouble.wayOut} Then take it back: hangar pull --undo`,
    ...(trouble.details === undefined ? {} : { details: trouble.details }),
    cause: error,
  });
}

/**
 * Puts uncommitted changes into git's stash; null when git has nothing to put there, and what is left is not in the way.
 * @throws HangarError tree_dirty
 */
async function putAside(checkout: Checkout, plan: Plan, jobId: string): Promise<string | null> {
  const { git } = checkout;
  const top = async () =>
    (await git.attempt(['rev-parse', '--verify', '--quiet', 'refs/stash'])).stdout.toString().trim();
  const before = await top();
  const result = await git.attempt(['stash', 'push', '--quiet', '-m', `hangar pull ${jobId}`], UNSTOPPABLE);
  const after = await top();
  if (result.code !== 0 && causeOf(result.stderr) !== null) throw refusal(result.stderr);
  if (result.code !== 0)
    throw new HangarError('tree_dirty', {
      message: `git could not stash your changes: ${lastWords(result.stderr) || 'it gave no reason'}`,
      wayOut: 'Commit them, or use --branch NAME.',
    });
  const left = meeting((await treeState(checkout)).changed, plan.changes);
  if (left.length > 0)
    throw new HangarError('tree_dirty', {
      message: 'git stash leaves these as they are (submodules, for one), and the diff meets them.',
      wayOut: 'Commit them, put a submodule back with: git submodule update, or use --branch NAME.',
      details: { files: left.map(showPath) },
    });
  return after !== '' && after !== before ? after : null;
}
