import { access, constants, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { encodePath } from '@hangar/contract/path-bytes';
import type { Checkout } from './checkout.ts';
import { joinNull, splitNull } from './git.ts';
import { ALL } from './pull/changes.ts';
import { copyIndex } from './pull/snapshot.ts';
import { GitFailed } from './refusal.ts';

/** A private index that holds the work tree as it is now, and what could not be taken into it. */
export interface WorkTreeIndex {
  readonly index: string;
  readonly leftOut: LeftOut;
}

export interface LeftOut {
  /** Repositories inside the work tree that are no submodules, without a final slash. */
  readonly repositories: readonly string[];
  /** Files that git could not read. What is tracked is as in HEAD. */
  readonly unreadable: readonly string[];
}

export const NOTHING_LEFT_OUT: LeftOut = { repositories: [], unreadable: [] };

/** Untracked files included, ignored ones not, also outside of a sparse cone. One file that cannot be read costs no other. */
export async function indexOfWorkTree(checkout: Checkout, head: string, dir: string): Promise<WorkTreeIndex> {
  const { gitDir } = checkout;
  const index = join(dir, 'index');
  const env = { GIT_INDEX_FILE: index };
  // Starting from the real one saves reading files that did not change.
  await copyIndex(join(gitDir, 'index'), index).catch(() => {});
  const left = await addAll(checkout, env);
  const links = await linksToRepositories(checkout, head, env);
  return {
    index,
    leftOut: {
      repositories: [...links, ...left.filter(isRepository).map((path) => path.slice(0, -1))],
      unreadable: left.filter((path) => !isRepository(path)),
    },
  };
}

type Env = { readonly GIT_INDEX_FILE: string };

/** As `ls-files --others` shows a folder it does not look into. */
const isRepository = (path: string): boolean => path.endsWith('/');

/** Takes in all that can be read and answers the rest. @throws HangarError git_refused, disk_full … */
async function addAll({ git, root }: Checkout, env: Env): Promise<string[]> {
  const isSparse = (await git.attempt(['config', '--type=bool', '--get', 'core.sparseCheckout'])).stdout.toString();
  const add = ['add', '--all', '--ignore-errors', ...(isSparse.trim() === 'true' ? ['--sparse'] : [])];
  const names = async (...which: string[]) => splitNull(await git.bytes(['ls-files', '-z', ...which], { env }));
  // Work on tracked files is said first.
  const left = async () => [
    ...new Set([...(await names('--modified')), ...(await names('--others', '--exclude-standard'))]),
  ];
  const first = await git.attempt([...add, '--', '.'], { env });
  if (first.code === 0) return [];
  if (!/^fatal: /m.test(first.stderr)) return left();
  if (!/^fatal: .*(Permission denied|No such file or directory)$/m.test(first.stderr))
    throw new GitFailed(add, first, git.dir);
  // It does not get past a folder that it may list and not enter: then it is given by name what can be read.
  const readable: string[] = [];
  for (const path of await left()) if (!isRepository(path) && (await isReadable(join(root, path)))) readable.push(path);
  const second = await git.attempt([...add, '--pathspec-from-file=-', '--pathspec-file-nul'], {
    env,
    input: joinNull(readable),
  });
  if (readable.length > 0 && /^fatal: /m.test(second.stderr)) throw new GitFailed(add, second, git.dir);
  return left();
}

/** A file that is gone counts: taking it out of the index needs no reading. */
async function isReadable(path: string): Promise<boolean> {
  const bytes = Buffer.from(encodePath(path));
  try {
    if ((await lstat(bytes)).isFile()) await access(bytes, constants.R_OK);
    return true;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/** A repository inside this one would become a link to a commit nobody else has: it is taken out of the index again. */
async function linksToRepositories({ git }: Checkout, head: string, env: Env): Promise<string[]> {
  const raw = splitNull(
    await git.bytes(['diff-index', ...ALL, '--cached', '--raw', '--no-renames', '-z', head], { env }),
  );
  const links: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2)
    if (/^:000000 160000 /.test(raw[at] ?? '')) links.push(raw[at + 1] ?? '');
  if (links.length > 0)
    await git.read(['update-index', '--force-remove', '-z', '--stdin'], { env, input: joinNull(links) });
  return links;
}
