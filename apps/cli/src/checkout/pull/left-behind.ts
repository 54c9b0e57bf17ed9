import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { showPath } from '@hangar/contract/path-bytes';
import { type Checkout, findCheckout, type TreeState, treeState } from '../checkout.ts';
import { splitNull } from '../git.ts';
import { type LeftOut, NOTHING_LEFT_OUT } from '../work-tree-index.ts';

const SHOWN = 20;
const DEPTH = 5;

/** What of a checkout does not go with a job, each in a sentence that names its path. */
export async function leftBehind(
  checkout: Checkout,
  state: TreeState,
  { repositories, unreadable }: LeftOut = NOTHING_LEFT_OUT,
): Promise<string[]> {
  return [
    ...each(repositories, (path) => `${path} is a repository of its own and stays behind.`),
    ...each(unreadable, (path) => `${path} cannot be read and stays behind.`),
    ...each(state.closedFolders, (path) => `${path} cannot be looked into; what is in it stays behind.`),
    ...(await submodules(checkout, state, '', DEPTH)),
  ];
}

const each = (paths: readonly string[], say: (path: string) => string): string[] => [
  ...paths.slice(0, SHOWN).map((path) => say(showPath(path))),
  ...(paths.length > SHOWN ? [`And ${paths.length - SHOWN} more like it.`] : []),
];

/** A job has the pointer to a commit of a submodule, and nothing that is in it. */
async function submodules(checkout: Checkout, state: TreeState, above: string, depth: number): Promise<string[]> {
  if (state.submodules.length === 0 && !(await exists(checkout.root, '.gitmodules'))) return [];
  const said: string[] = [];
  for (const path of await gitlinks(checkout)) {
    if (!(await exists(checkout.root, path, '.git'))) continue;
    const here = state.submodules.find((submodule) => submodule.path === path);
    const name = showPath(above + path);
    const inner = await findCheckout(join(checkout.root, path), checkout.git.around).catch(() => null);
    if (inner === null || inner.gitDir === checkout.gitDir) {
      said.push(`${name} is a submodule that git does not open; what is in it stays behind.`);
      continue;
    }
    const inside = await treeState(inner);
    const own = inside.changed.filter((one) => !inside.submodules.some((submodule) => submodule.path === one));
    const work = [quantity(own.length, 'changed file'), quantity(inside.untracked.length, 'new file')].filter(Boolean);
    if (work.length > 0) said.push(`${name} is a submodule; work in it stays behind: ${work.join(' and ')}.`);
    const commit = inner.head?.slice(0, 12);
    if (inner.head !== null && !(await isOnAnyRemote(inner)))
      said.push(
        `${name} is a submodule at commit ${commit}, which is on none of its remotes: the commit stays behind.`,
      );
    else if (here?.hasOtherCommit)
      said.push(`${name} is a submodule at commit ${commit}, which HEAD does not name: only the pointer goes along.`);
    if (depth > 1) said.push(...(await submodules(inner, inside, `${above}${path}/`, depth - 1)));
  }
  return said;
}

async function gitlinks({ git }: Checkout): Promise<string[]> {
  const staged = splitNull(await git.bytes(['ls-files', '--stage', '-z']));
  const links = staged
    .filter((entry) => entry.startsWith('160000 '))
    .map((entry) => entry.slice(entry.indexOf('\t') + 1));
  return [...new Set(links)];
}

async function isOnAnyRemote({ git, head }: Checkout): Promise<boolean> {
  const refs = await git.attempt(['for-each-ref', '--count=1', `--contains=${head}`, 'refs/remotes']);
  return refs.code !== 0 || refs.stdout.length > 0;
}

const exists = (...parts: [string, ...string[]]): Promise<boolean> =>
  lstat(join(...parts)).then(
    () => true,
    () => false,
  );

const quantity = (n: number, noun: string): string => (n === 0 ? '' : `${n} ${noun}${n === 1 ? '' : 's'}`);
