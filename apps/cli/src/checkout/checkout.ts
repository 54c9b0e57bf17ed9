import { basename, join } from 'node:path';
import { RepoUrl } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { type Git, type GitSurroundings, openGit, splitNull } from './git.ts';

/** A git work tree, found from any folder in it. */
export interface Checkout {
  /** Git at the top of the work tree. */
  readonly git: Git;
  readonly root: string;
  /** The git folder of this work tree alone; another one's pulls and undos are not ours. */
  readonly gitDir: string;
  /** null when there is no commit yet. */
  readonly head: string | null;
  /** Branch name; null when HEAD is detached. */
  readonly branch: string | null;
}

/** The checkout around a folder; null when there is none. */
export async function findCheckout(dir: string, around: GitSurroundings): Promise<Checkout | null> {
  const ask = async (...what: string[]) => {
    const asked = await openGit(dir, around).attempt(['rev-parse', '--path-format=absolute', ...what]);
    return asked.code === 0 ? asked.stdout.toString('utf8').replace(/\n$/, '') : null;
  };
  const both = (await ask('--show-toplevel', '--absolute-git-dir'))?.split('\n');
  if (both === undefined) return null;
  // A folder may have a line end in its name.
  const [root, gitDir] = both.length === 2 ? both : [await ask('--show-toplevel'), await ask('--absolute-git-dir')];
  if (!root || !gitDir) return null;
  const git = openGit(root, around);
  const [head, branch] = await Promise.all([
    git.attempt(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']),
    git.attempt(['symbolic-ref', '--quiet', '--short', 'HEAD']),
  ]);
  return {
    git,
    root,
    gitDir,
    head: head.code === 0 ? head.stdout.toString().trim() : null,
    branch: branch.code === 0 ? branch.stdout.toString().trim() : null,
  };
}

/** @throws HangarError not_a_checkout */
export function needCheckout(checkout: Checkout | null): Checkout {
  if (checkout === null) throw new HangarError('not_a_checkout');
  return checkout;
}

/** @throws HangarError no_commits */
export function needHead(checkout: Checkout): string {
  if (checkout.head === null) throw new HangarError('no_commits');
  return checkout.head;
}

export interface Remote {
  readonly name: string;
  /** As the worker would clone it: without a password in it; null for a path or anything else it cannot reach. */
  readonly url: string | null;
  /** There was a user or password in the URL, which was left out. */
  readonly hadPassword: boolean;
}

/** The remote the branch follows, else origin, else the only one. */
export async function findRemote({ git, branch }: Checkout): Promise<Remote | null> {
  const names = (await git.line(['remote'])).split('\n').filter(Boolean);
  const followed =
    branch === null ? '' : (await git.attempt(['config', '--get', `branch.${branch}.remote`])).stdout.toString().trim();
  const name =
    names.find((one) => one === followed) ??
    names.find((one) => one === 'origin') ??
    (names.length === 1 ? names[0] : undefined);
  if (name === undefined) return null;
  const found = await git.attempt(['remote', 'get-url', name]);
  if (found.code !== 0) return null;
  return { name, ...cloneable(found.stdout.toString().trim()) };
}

/** A URL that can be given away, or null when only this machine understands it. */
export function cloneable(text: string): { url: string | null; hadPassword: boolean } {
  if (!RepoUrl.safeParse(text).success) return { url: null, hadPassword: false };
  if (!/^(https?|ssh):/.test(text)) return { url: text, hadPassword: false };
  const url = new URL(text);
  const web = url.protocol !== 'ssh:';
  const hadPassword = url.password !== '' || (web && url.username !== '');
  if (!hadPassword) return { url: text, hadPassword };
  url.password = '';
  if (web) url.username = '';
  return { url: url.href, hadPassword };
}

/** What people call the repository: owner/name of the remote, else the name of the folder. */
export function repoName(url: string | null, root: string): string {
  const path = url === null ? null : /^(?:[a-z]+:\/\/[^/]+\/|[^/]*:)(.+?)(?:\.git)?\/*$/.exec(url)?.[1];
  return (path ?? basename(root)).split('/').filter(Boolean).slice(-2).join('/').slice(0, 200) || 'repository';
}

export const nameOf = async (checkout: Checkout): Promise<string> =>
  repoName((await findRemote(checkout))?.url ?? null, checkout.root);

/** Whether a remote is known to have this commit, by what was last fetched from or pushed to it. */
export async function isOnRemote({ git }: Checkout, remote: string, commit: string): Promise<boolean> {
  const refs = await git.line([
    'for-each-ref',
    '--count=1',
    `--contains=${commit}`,
    '--format=%(refname)',
    `refs/remotes/${remote}`,
  ]);
  return refs !== '';
}

export interface TreeState {
  /** Tracked files with changes, staged or not. */
  readonly changed: readonly string[];
  /** New files, ignored ones left out. */
  readonly untracked: readonly string[];
  /** Tracked files with conflicts that are not resolved. */
  readonly unmerged: readonly string[];
}

/** @param index a copy of the index to look into; git brings its dates up to date */
export async function treeState({ git }: Checkout, index?: string): Promise<TreeState> {
  const output = await git.bytes(
    ['status', '--porcelain=v1', '-z', '--untracked-files=all', '--ignore-submodules=dirty'],
    index === undefined ? {} : { env: { GIT_INDEX_FILE: index, GIT_OPTIONAL_LOCKS: '1' } },
  );
  const unmerged: string[] = [];
  const changed: string[] = [];
  const untracked: string[] = [];
  const parts = splitNull(output);
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] ?? '';
    const code = part.slice(0, 2);
    const name = part.slice(3);
    if (code === '??') untracked.push(name);
    else {
      if (/U|AA|DD/.test(code)) unmerged.push(name);
      changed.push(name);
      // A rename is followed by the name it had.
      if (/[RC]/.test(code)) changed.push(parts[++index] ?? name);
    }
  }
  return { changed, untracked, unmerged };
}

/** Our own folder inside the git folder: pulls that can be undone, local runs. */
export const ownFolder = ({ gitDir }: Checkout): string => join(gitDir, 'hangar');
