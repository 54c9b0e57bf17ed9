import { relative } from 'node:path';
import { type AgentGit, commitsBeyond, findAgentGit, hasStash, otherWorkTrees, refsBelow } from '../agent/agent-git.ts';
import { listed, readable } from '../git/paths.ts';
import { changedInside } from '../source/submodules.ts';
import { MAX_DEPTH, type Place, type TakeWorkTree, type Taking } from './taking.ts';

const BRANCHES_MOST = 20;
const TREES_MOST = 5;

/**
 * Says what the agent made in its repository and did not leave in the work tree, index or HEAD: other branches, stashes, further work
 * trees. Which of them are meant to stay, nobody can know.
 */
export async function noteLeftBehind(
  o: Taking,
  takeWorkTree: TakeWorkTree,
  { tree, index: scratch }: Pick<Place, 'tree' | 'index'>,
): Promise<void> {
  const found = await findAgentGit(tree);
  if (!found) return;
  const branches = await refsBelow(found, 'refs/heads');
  const told = await commitsOf(
    o,
    found,
    [...branches].filter(([name]) => name !== found.branch).map(([name, id]) => [name.slice('refs/heads/'.length), id]),
    scratch,
  );
  if (told.length > 0) o.notes.add(`Commits on branches that are not checked out are not in the diff: ${listed(told)}`);
  if (await hasStash(found)) o.notes.add('What the agent stashed is not in the diff');
  for (const other of (await otherWorkTrees(found)).slice(0, TREES_MOST)) {
    const shown = readable(relative(tree, other.tree) || '.');
    const { branch, head } = other.git;
    const detached = branch === null && head !== null ? await commitsOf(o, found, [[shown, head]], scratch) : [];
    const place = { tree: other.tree, index: `${scratch}-other`, depth: MAX_DEPTH };
    const files = head === null ? null : await changedInside(o, takeWorkTree, other.git, head, place);
    const parts = [...detached, ...(files === null || files.length === 0 ? [] : [listed(files)])];
    if (parts.length > 0)
      o.notes.add(`What was done in the work tree ${shown} is not in the diff: ${parts.join('; ')}`);
  }
}

/** Names with how many commits each has that neither the base nor HEAD has. */
async function commitsOf(
  o: Taking,
  found: AgentGit,
  tips: readonly (readonly [name: string, id: string])[],
  scratch: string,
): Promise<string[]> {
  if (tips.length === 0) return [];
  const call = { signal: o.signal, env: { GIT_DIR: o.store } };
  const input = `${tips.map(([, id]) => id).join('\n')}\n`;
  // What our own repository has was there before the agent.
  const known = (await o.git.run(['cat-file', '--batch-check'], { ...call, input })).toString().split('\n');
  const told: string[] = [];
  for (const [name, id] of tips.filter((_, n) => known[n]?.endsWith(' missing')).slice(0, BRANCHES_MOST)) {
    const count = await commitsBeyond(o, found, id, found.head === null ? [] : [found.head], `${scratch}-shallow`);
    if (count !== null && count > 0) told.push(`${name} (${count === 1 ? '1 commit' : `${count} commits`})`);
  }
  return told;
}
