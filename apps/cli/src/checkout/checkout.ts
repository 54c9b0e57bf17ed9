import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RepoUrl } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { decodePath } from '@hangar/contract/path-bytes';
import { type Git, type GitResult, type GitSurroundings, openGit, splitNull } from './git.ts';
import { GitFailed, isNoRepository } from './refusal.ts';

/** A git work tree, found from any folder in it. */
export interface Checkout {
  /** Git at the top of the work tree. */
  readonly git: Git;
  readonly root: string;
  /** The git folder of this work tree alone; another one's pulls and undos are not ours. */
  readonly gitDir: string;
  /** The git folder that all work trees of the repository share. */
  readonly commonDir: string;
  /** null when there is no commit yet. */
  readonly head: string | null;
  /** Branch name; null when HEAD is detached. */
  readonly branch: string | null;
}

/**
 * The checkout around a folder; null when there is none.
 * @throws HangarError checkout_not_trusted, git_refused: there is one, and git does not work with it
 */
export async function findCheckout(dir: string, around: GitSurroundings): Promise<Checkout | null> {
  const there = await stat(dir).catch(() => null);
  if (!there?.isDirectory()) return null;
  const asked = openGit(dir, around);
  const ask = (...args: string[]) => asked.attempt(['rev-parse', '--path-format=absolute', ...args]);
  const [folders, head, branch] = await Promise.all([
    ask(...FOLDERS),
    asked.attempt(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']),
    asked.attempt(['symbolic-ref', '--quiet', '--short', 'HEAD']),
  ]);
  if (folders.code !== 0) {
    if (hasNoWorkTree(folders.stderr)) return null;
    throw new GitFailed(['rev-parse'], folders, dir);
  }
  let lines = textOf(folders).split('\n');
  // A folder may have a line end in its name: then each is asked for alone.
  if (lines.length !== FOLDERS.length) lines = (await Promise.all(FOLDERS.map((one) => ask(one)))).map(textOf);
  const [top = '', gitDir = '', commonDir = ''] = lines;
  return {
    git: openGit(top, around),
    root: top,
    gitDir,
    commonDir,
    head: head.code === 0 ? textOf(head) : null,
    branch: branch.code === 0 ? textOf(branch) : null,
  };
}

const FOLDERS = ['--show-toplevel', '--absolute-git-dir', '--git-common-dir'] as const;

const textOf = ({ stdout }: GitResult): string => stdout.toString('utf8').replace(/\n$/, '');

/** Also inside a git folder, and in a bare repository that git does not open without being asked to. */
const hasNoWorkTree = (stderr: string): boolean =>
  isNoRepository(stderr) || /must be run in a work tree|cannot use bare repository/.test(stderr);

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

/** All remotes by which this repository may be known: as written and as this machine spells them out. */
export async function remoteUrls({ git }: Checkout): Promise<string[]> {
  const written = await git.attempt(['config', '--null', '--get-regexp', '^remote\\..*\\.url$']);
  const names = (await git.line(['remote'])).split('\n').filter(Boolean);
  const expanded = await Promise.all(names.map((name) => git.attempt(['remote', 'get-url', '--all', name])));
  return [
    ...splitNull(written.stdout).map((entry) => entry.slice(entry.indexOf('\n') + 1)),
    ...expanded.flatMap(({ stdout }) => decodePath(stdout).split('\n').filter(Boolean)),
  ];
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
  const url = await urlOf(git, name);
  return url === null ? null : { name, ...cloneable(url) };
}

/**
 * As it is written in the configuration where a worker can clone that: what url.*.insteadOf makes of it (ssh in place of a public
 * https, a mirror) is for this machine alone. A short form that only this machine understands is spelled out.
 */
async function urlOf(git: Git, name: string): Promise<string | null> {
  const written = splitNull((await git.attempt(['config', '--null', '--get-all', `remote.${name}.url`])).stdout);
  const [first] = written;
  if (first !== undefined && RepoUrl.safeParse(first).success) return first;
  const expanded = await git.attempt(['remote', 'get-url', name]);
  return expanded.code === 0 ? textOf(expanded) : null;
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

/** The same in each of its work trees. */
export const nameOf = async (checkout: Checkout, remote?: Remote | null): Promise<string> => {
  const { url } = (remote === undefined ? await findRemote(checkout) : remote) ?? { url: null };
  const { root, commonDir } = checkout;
  return repoName(url, basename(commonDir) === '.git' ? dirname(commonDir) : root);
};

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
  /** New files, ignored ones left out; a repository inside the work tree ends with a slash. */
  readonly untracked: readonly string[];
  /** Submodules that are not as the commit says. */
  readonly submodules: readonly SubmoduleState[];
  /** Folders that git could not look into. */
  readonly closedFolders: readonly string[];
  /** Tracked files with conflicts that are not resolved. */
  readonly unmerged: readonly string[];
}

export interface SubmoduleState {
  readonly path: string;
  /** Another commit is checked out in it than HEAD or index name. */
  readonly hasOtherCommit: boolean;
  readonly hasChangedFiles: boolean;
  readonly hasNewFiles: boolean;
}

/** @param index a copy of the index to look into; git brings its dates up to date */
export async function treeState({ git }: Checkout, index?: string): Promise<TreeState> {
  const command = ['status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignore-submodules=none'];
  const status = await git.attempt(
    command,
    index === undefined ? {} : { env: { GIT_INDEX_FILE: index, GIT_OPTIONAL_LOCKS: '1' } },
  );
  if (status.code !== 0) throw new GitFailed(command, status, git.dir);
  const unmerged: string[] = [];
  const changed: string[] = [];
  const untracked: string[] = [];
  const submodules: SubmoduleState[] = [];
  const parts = splitNull(status.stdout);
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] ?? '';
    const kind = part[0];
    if (kind === '?') untracked.push(part.slice(2));
    const fields = FIELDS[kind ?? ''];
    if (fields === undefined) continue;
    const { path, before } = behind(part, fields);
    if (kind === 'u') unmerged.push(path);
    const [, xy = '', sub = 'N...'] = before;
    if (sub.startsWith('S'))
      submodules.push({
        path,
        hasOtherCommit: sub[1] === 'C' || xy[0] !== '.',
        hasChangedFiles: sub[2] === 'M',
        hasNewFiles: sub[3] === 'U',
      });
    // What is changed inside a submodule alone is no change of this repository.
    if (!sub.startsWith('S') || sub[1] === 'C' || xy !== '.M') changed.push(path);
    // A rename is followed by the name it had.
    if (kind === '2') changed.push(parts[++index] ?? path);
  }
  const closed = [...status.stderr.matchAll(/^warning: could not open directory '([\s\S]+?)\/?': /gm)];
  return { changed, untracked, unmerged, submodules, closedFolders: closed.map(([, path = '']) => path) };
}

/** How many fields stand before the path: of a change, a rename, a conflict. */
const FIELDS: Readonly<Record<string, number>> = { '1': 8, '2': 9, u: 10 };

function behind(part: string, fields: number): { path: string; before: string[] } {
  let at = 0;
  for (let n = 0; n < fields; n++) at = part.indexOf(' ', at) + 1;
  return { path: part.slice(at), before: part.slice(0, at).split(' ') };
}

/** Our own folder inside the git folder: pulls that can be undone, local runs. */
export const ownFolder = ({ gitDir }: Checkout): string => join(gitDir, 'hangar');
