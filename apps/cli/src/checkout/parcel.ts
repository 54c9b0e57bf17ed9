import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { type Checkout, needHead, ownFolder, treeState } from './checkout.ts';
import { type Git, joinNull, splitNull } from './git.ts';
import { copyIndex } from './snapshot.ts';
import { inTurn } from './turn.ts';

/** Work of a checkout packed for a journey: commits as a git bundle, uncommitted work as a binary patch on top. */
export interface Parcel {
  /** The commit the patch is against and the bundle holds. */
  readonly commit: string;
  /** Tree of commit and patch together: what the diff of the job will be against. */
  readonly baseTree: string;
  readonly bundleFile: string;
  /** null when everything is committed. */
  readonly patchFile: string | null;
  readonly changedFiles: number;
  /** The clone has no history to send, so the bundle holds the files of HEAD alone. */
  readonly withoutHistory: boolean;
  /** Repositories inside the work tree that are not submodules; they stay behind. */
  readonly leftOut: readonly string[];
  dispose(): Promise<void>;
}

/**
 * Packs HEAD and everything uncommitted, untracked files included, ignored ones not. The index of the checkout is not touched.
 * The files' contents stay in the object store (git removes them after some weeks), so that the diff can be merged three-way later.
 * @throws HangarError no_commits, bundle_invalid when HEAD moves meanwhile
 */
export async function packCheckout(checkout: Checkout): Promise<Parcel> {
  const { git } = checkout;
  const head = needHead(checkout);
  const dir = await mkdtemp(join(tmpdir(), 'hangar-parcel-'));
  const dispose = () => rm(dir, { recursive: true, force: true });
  try {
    const work = await packChanges(checkout, head, dir);
    const withoutHistory = (await git.line(['rev-parse', '--is-shallow-repository'])) === 'true';
    const bundleFile = join(dir, 'work.bundle');
    const commit = withoutHistory ? await bundleFiles(git, head, dir, bundleFile) : head;
    if (!withoutHistory) await git.read(['bundle', 'create', '--quiet', bundleFile, 'HEAD']);
    if ((await git.line(['rev-parse', 'HEAD'])) !== head)
      throw new HangarError('bundle_invalid', { message: 'HEAD moved while the checkout was packed.' });
    return { commit, bundleFile, withoutHistory, dispose, ...work };
  } catch (error) {
    await dispose();
    throw error;
  }
}

interface Changes {
  readonly baseTree: string;
  readonly patchFile: string | null;
  readonly changedFiles: number;
  readonly leftOut: readonly string[];
}

/** Uncommitted work as a patch against a commit, made through an index of our own. */
export const packChanges = (checkout: Checkout, head: string, dir: string): Promise<Changes> =>
  inTurn(checkout, () => packInTurn(checkout, head, dir));

async function packInTurn(checkout: Checkout, head: string, dir: string): Promise<Changes> {
  const { git } = checkout;
  const { changed, untracked } = await treeState(checkout);
  if (changed.length + untracked.length === 0)
    return { baseTree: await git.line(['rev-parse', `${head}^{tree}`]), patchFile: null, changedFiles: 0, leftOut: [] };
  const { index, leftOut } = await indexOfWorkTree(checkout, head, dir);
  const env = { GIT_INDEX_FILE: index };
  const baseTree = await git.line(['write-tree'], { env });
  const patchFile = join(dir, 'work.patch');
  const result = await git.attempt(['diff-tree', ...DIFF_FORM, '-p', head, baseTree], { toFile: patchFile });
  if (result.code !== 0) throw new HangarError('bundle_invalid', { message: result.stderr.trim() });
  const names = splitNull(await git.bytes(['diff-tree', '-r', '--no-renames', '--name-only', '-z', head, baseTree]));
  if ((await stat(patchFile)).size === 0) return { baseTree, patchFile: null, changedFiles: 0, leftOut };
  return { baseTree, patchFile, changedFiles: names.length, leftOut };
}

/** A diff in the one form `git apply --3way` can always use. */
export const DIFF_FORM = [
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

/** A private index that holds the work tree as it is now. */
export async function indexOfWorkTree(
  { git, gitDir }: Checkout,
  head: string,
  dir: string,
): Promise<{ index: string; leftOut: string[] }> {
  const index = join(dir, 'index');
  const env = { GIT_INDEX_FILE: index };
  // Starting from the real one saves reading files that did not change.
  await copyIndex(join(gitDir, 'index'), index).catch(() => {});
  await git.read(['add', '--all', '--', '.'], { env });
  // A repository inside this one would become a link to a commit nobody else has.
  const raw = splitNull(await git.bytes(['diff-index', '--cached', '--raw', '--no-renames', '-z', head], { env }));
  const leftOut: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2)
    if (/^:000000 160000 /.test(raw[at] ?? '')) leftOut.push(raw[at + 1] ?? '');
  if (leftOut.length > 0)
    await git.read(['update-index', '--force-remove', '-z', '--stdin'], { env, input: joinNull(leftOut) });
  return { index, leftOut };
}

/** A commit without parents that holds the files of HEAD: a shallow clone cannot send history it does not have. */
async function bundleFiles(git: Git, head: string, dir: string, bundleFile: string): Promise<string> {
  const who = {
    GIT_AUTHOR_NAME: 'Hangar',
    GIT_AUTHOR_EMAIL: 'hangar@localhost',
    GIT_AUTHOR_DATE: '2000-01-01T00:00:00Z',
  };
  const env = {
    ...who,
    GIT_COMMITTER_NAME: 'Hangar',
    GIT_COMMITTER_EMAIL: 'hangar@localhost',
    GIT_COMMITTER_DATE: '2000-01-01T00:00:00Z',
  };
  const commit = await git.line(['commit-tree', `${head}^{tree}`, '-m', `Files of ${head}`], { env });
  // A bundle names refs, and ours must not appear in the user's repository: a ref store of our own lends the objects.
  const lender = join(dir, 'lender');
  await git.read([
    'init',
    '--quiet',
    '--bare',
    '--template=',
    `--object-format=${head.length === 64 ? 'sha256' : 'sha1'}`,
    lender,
  ]);
  const objects = await git.line(['rev-parse', '--path-format=absolute', '--git-path', 'objects']);
  await writeFile(join(lender, 'objects', 'info', 'alternates'), `${objects}\n`).catch(async () => {
    await mkdir(join(lender, 'objects', 'info'), { recursive: true });
    await writeFile(join(lender, 'objects', 'info', 'alternates'), `${objects}\n`);
  });
  const there = { env: { GIT_DIR: lender } };
  await git.read(['update-ref', 'refs/heads/base', commit], there);
  await git.read(['bundle', 'create', '--quiet', bundleFile, 'refs/heads/base'], there);
  return commit;
}

/** What was sent with a job, kept in the git folder: pull applies to exactly this when it is still there. */
export interface Sent {
  readonly commit: string;
  readonly baseTree: string;
}

const KEPT_MS = 30 * 24 * 3600 * 1000;

export async function rememberSent(checkout: Checkout, jobId: string, sent: Sent): Promise<void> {
  const folder = join(ownFolder(checkout), 'sent');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${jobId}.json`), JSON.stringify(sent));
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const found = await stat(file).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > KEPT_MS) await rm(file, { force: true });
  }
}

export async function recallSent(checkout: Checkout, jobId: string): Promise<Sent | null> {
  const text = await readFile(join(ownFolder(checkout), 'sent', `${jobId}.json`), 'utf8').catch(() => null);
  if (text === null) return null;
  const { commit, baseTree } = JSON.parse(text) as Partial<Sent>;
  return typeof commit === 'string' && typeof baseTree === 'string' ? { commit, baseTree } : null;
}
