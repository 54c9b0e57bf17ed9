import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { type Checkout, needHead, type TreeState, treeState } from '../checkout.ts';
import { splitNull } from '../git.ts';
import { ALL } from '../pull/changes.ts';
import { GitFailed } from '../refusal.ts';
import { inTurn } from '../turn.ts';
import { indexOfWorkTree, type LeftOut, NOTHING_LEFT_OUT } from '../work-tree-index.ts';
import { NO_REPLACEMENTS, type SharedHistory } from './shared-history.ts';

/** Work of a checkout packed for a journey: commits as a git bundle, uncommitted work as a binary patch on top. */
export interface Parcel {
  /** The commit the patch is against and the bundle leads to. */
  readonly commit: string;
  /** Tree of commit and patch together: what the diff of the job will be against. */
  readonly baseTree: string;
  readonly bundleFile: string;
  /** null when everything is committed. */
  readonly patchFile: string | null;
  readonly changedFiles: number;
  /** The clone has no history to send, so the bundle holds the files of HEAD alone. */
  readonly withoutHistory: boolean;
  readonly leftOut: LeftOut;
  readonly state: TreeState;
  dispose(): Promise<void>;
}

/**
 * Packs HEAD and everything uncommitted, untracked files included, ignored ones not. The index of the checkout is not touched.
 * The files' contents stay in the object store (git removes them after some weeks), so that the diff can be merged three-way later.
 * @param shared what need not be in the bundle; null: all of the history is
 * @throws HangarError no_commits, git_refused, bundle_invalid when HEAD moves meanwhile
 */
export async function packCheckout(checkout: Checkout, shared: SharedHistory | null): Promise<Parcel> {
  const { git } = checkout;
  const head = needHead(checkout);
  const dir = await mkdtemp(join(tmpdir(), 'hangar-parcel-'));
  const dispose = () => rm(dir, { recursive: true, force: true });
  try {
    const work = await packChanges(checkout, head, dir);
    const bundle = await packHistory(checkout, head, shared, dir);
    if ((await git.line(['rev-parse', 'HEAD'])) !== head)
      throw new HangarError('bundle_invalid', { message: 'HEAD moved while the checkout was packed.' });
    return { ...bundle, dispose, ...work };
  } catch (error) {
    await dispose();
    throw error;
  }
}

type Bundle = Pick<Parcel, 'commit' | 'bundleFile' | 'withoutHistory'>;

async function packHistory(
  checkout: Checkout,
  head: string,
  shared: SharedHistory | null,
  dir: string,
): Promise<Bundle> {
  const { git } = checkout;
  const bundleFile = join(dir, 'work.bundle');
  const bundle = (what: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    // A bitmap would let it build on any old object of the remote, and the worker fetches only the newest history.
    git.read(['-c', 'pack.useBitmaps=false', 'bundle', 'create', '--quiet', bundleFile, ...what], {
      env: { ...NO_REPLACEMENTS, ...env },
    });
  if (shared !== null && !shared.commits.includes(head)) {
    await bundle(['HEAD', ...shared.commits.map((id) => `^${id}`)]);
    return { commit: head, bundleFile, withoutHistory: false };
  }
  if (shared !== null) {
    // A bundle cannot be empty: an empty commit on top of HEAD stands for nothing.
    const top = await commitOf(checkout, head, `Nothing on top of ${head}`, [head]);
    await bundle(['refs/heads/base', `^${head}`], await lend(checkout, top, dir));
    return { commit: head, bundleFile, withoutHistory: false };
  }
  if ((await git.line(['rev-parse', '--is-shallow-repository'])) !== 'true') {
    await bundle(['HEAD']);
    return { commit: head, bundleFile, withoutHistory: false };
  }
  // A shallow clone cannot send history it does not have.
  const files = await commitOf(checkout, head, `Files of ${head}`, []);
  await bundle(['refs/heads/base'], await lend(checkout, files, dir));
  return { commit: files, bundleFile, withoutHistory: true };
}

interface Changes {
  readonly baseTree: string;
  readonly patchFile: string | null;
  readonly changedFiles: number;
  readonly leftOut: LeftOut;
  readonly state: TreeState;
}

/** Uncommitted work as a patch against a commit, made through an index of our own. */
export const packChanges = (checkout: Checkout, head: string, dir: string): Promise<Changes> =>
  inTurn(checkout, () => packInTurn(checkout, head, dir));

async function packInTurn(checkout: Checkout, head: string, dir: string): Promise<Changes> {
  const { git } = checkout;
  const state = await treeState(checkout);
  const nothing = { patchFile: null, changedFiles: 0, state };
  if (state.changed.length + state.untracked.length === 0)
    return { ...nothing, baseTree: await git.line(['rev-parse', `${head}^{tree}`]), leftOut: NOTHING_LEFT_OUT };
  const { index, leftOut } = await indexOfWorkTree(checkout, head, dir);
  const env = { GIT_INDEX_FILE: index };
  const baseTree = await git.line(['write-tree'], { env });
  const patchFile = join(dir, 'work.patch');
  const result = await git.attempt(['diff-tree', ...DIFF_FORM, '-p', head, baseTree], { toFile: patchFile });
  if (result.code !== 0) throw new GitFailed(['diff-tree'], result, git.dir);
  const names = splitNull(
    await git.bytes(['diff-tree', ...ALL, '-r', '--no-renames', '--name-only', '-z', head, baseTree]),
  );
  if ((await stat(patchFile)).size === 0) return { ...nothing, baseTree, leftOut };
  return { baseTree, patchFile, changedFiles: names.length, leftOut, state };
}

/** A diff in the one form `git apply --3way` can always use. */
export const DIFF_FORM = [
  ...ALL,
  '-r',
  '--binary',
  '--full-index',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--find-renames',
  '--unified=3',
  '--src-prefix=a/',
  '--dst-prefix=b/',
] as const;

/** A commit with the files of HEAD, the same whenever it is made. */
async function commitOf({ git }: Checkout, head: string, message: string, parents: readonly string[]): Promise<string> {
  const env = {
    GIT_AUTHOR_NAME: 'Hangar',
    GIT_AUTHOR_EMAIL: 'hangar@localhost',
    GIT_AUTHOR_DATE: '2000-01-01T00:00:00Z',
    GIT_COMMITTER_NAME: 'Hangar',
    GIT_COMMITTER_EMAIL: 'hangar@localhost',
    GIT_COMMITTER_DATE: '2000-01-01T00:00:00Z',
  };
  return git.line(['commit-tree', `${head}^{tree}`, ...parents.flatMap((id) => ['-p', id]), '-m', message], { env });
}

/** A bundle names refs, and ours must not appear in the user's repository: a ref store of our own that borrows the objects. */
async function lend({ git, head }: Checkout, commit: string, dir: string): Promise<Record<string, string>> {
  const lender = join(dir, 'lender');
  const format = `--object-format=${head?.length === 64 ? 'sha256' : 'sha1'}`;
  await git.read(['init', '--quiet', '--bare', '--template=', format, lender]);
  const objects = await git.line(['rev-parse', '--path-format=absolute', '--git-path', 'objects']);
  const there = { GIT_DIR: lender, GIT_OBJECT_DIRECTORY: objects };
  await git.read(['update-ref', 'refs/heads/base', commit], { env: there });
  return there;
}
