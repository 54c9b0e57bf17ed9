import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AgentGit,
  attempt,
  commitsBeyond,
  fetchedCommits,
  findAgentGit,
  lookingAt,
  MAX_INDEX,
  readPlain,
  textOf,
} from '../agent/agent-git.ts';
import { ALL, type Change, changesIn, type Entry, fieldsOf, isSubmodule, listed, readable } from '../git/paths.ts';
import { Notes } from '../result/notes.ts';
import { kindOf } from '../result/read-files.ts';
import {
  folderOf,
  indexOf,
  MAX_DEPTH,
  type Place,
  type TakeWorkTree,
  type Taking,
  type Work,
} from '../result/taking.ts';

const MAX_STRAY = 200;
/** 0o160000, as every format of the index has it. */
const MODE_IN_INDEX = Buffer.from([0, 0, 0xe0, 0]);

export interface Settled {
  /** Submodules that are folders of the work tree: nobody else looks at them. */
  readonly folders: ReadonlySet<string>;
  /** Commits they refer to, where it is another one. */
  readonly entries: ReadonlyMap<string, Entry>;
}

/**
 * A submodule is a reference to a commit. The diff takes a new one over only if the submodule's remote has it; of all else that was done
 * inside nothing can travel in the diff, and each submodule is named with what stays behind.
 */
export async function settleSubmodules(work: Work, lost: readonly Change[]): Promise<Settled> {
  const { o, place, call, recorded } = work;
  const mayHave = await mayHaveSubmodules(place.index);
  const here = mayHave ? submodulesIn(await o.git.run(['ls-files', '--stage', '-z'], call)) : new Map<string, string>();
  const back = lost.filter(({ from }) => isSubmodule(from)).map(({ path, from }) => [path, from.id] as const);
  const before = new Map([...here, ...back]);
  const folders = new Set<string>();
  const entries = new Map<string, Entry>();
  const declared = recorded.submodules.size === 0 ? new Set<string>() : await declaredIn(work);
  for (const path of new Set([...before.keys(), ...recorded.submodules.keys()])) {
    if ((await kindOf(place.tree, path)) !== 'folder') continue;
    const old = before.get(path) ?? null;
    const staged = recorded.submodules.get(path) ?? null;
    const found = await findAgentGit(await folderOf(place, path));
    const commit = found
      ? await settleOne(work, path, found, old, staged, declared.has(path))
      : await settleEmpty(work, path, old, staged);
    // Not known before and not to be had elsewhere: its files are taken.
    if (commit === null) continue;
    folders.add(path);
    if (commit !== here.get(path)) entries.set(path, { mode: '160000', id: commit });
  }
  return { folders, entries };
}

/** Whether the mode of one may be in an index: nearly no repository has any, and a list of all files is long. */
async function mayHaveSubmodules(index: string): Promise<boolean> {
  return (await readPlain(index, MAX_INDEX))?.includes(MODE_IN_INDEX) !== false;
}

function submodulesIn(staged: Buffer): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = staged.indexOf('160000 '); at !== -1; at = staged.indexOf('160000 ', at + 1)) {
    if (at > 0 && staged[at - 1] !== 0) continue;
    const end = staged.indexOf(0, at);
    const [field = ''] = fieldsOf(staged.subarray(at, end === -1 ? undefined : end));
    const [, id, path] = /^160000 ([0-9a-f]+) \d\t([\s\S]+)$/.exec(field) ?? [];
    if (id && path) found.set(path, id);
  }
  return found;
}

/** The paths that .gitmodules names, parsed by git from what we read. */
async function declaredIn({ o, place, call }: Work): Promise<Set<string>> {
  const text = await textOf(join(place.tree, '.gitmodules'));
  if (text === null) return new Set();
  const args = ['config', '--file', '-', '--no-includes', '-z', '--get-regexp', '^submodule\\..*\\.path$'];
  const { code, out } = await o.git.try(args, { ...call, input: text });
  return new Set(code === 0 ? fieldsOf(out).map((field) => field.slice(field.indexOf('\n') + 1)) : []);
}

/** @returns the commit the diff refers to; null when it is no submodule */
async function settleOne(
  work: Work,
  path: string,
  found: AgentGit,
  old: string | null,
  staged: string | null,
  isDeclared: boolean,
): Promise<string | null> {
  const { o, place } = work;
  const now = found.head ?? staged ?? old;
  const isElsewhere = now === old || (now !== null && (await isFetched(work, found, now)));
  if (old === null && !(isElsewhere && isDeclared)) return null;
  const commit = isElsewhere ? now : old;
  if (!o.thorough || commit === null) return commit;
  const inside = { tree: await folderOf(place, path), index: indexOf(place, path), depth: place.depth + 1 };
  const against = (one: string) => changedInside(o, work.takeInside, found, one, inside);
  const files = (await against(commit)) ?? (found.head === null ? null : await against(found.head));
  const parts = [
    ...(isElsewhere ? [] : [`commit ${now?.slice(0, 10)}, which its remote does not have`]),
    ...(files === null ? ['its files could not be compared'] : files.length === 0 ? [] : [listed(files)]),
  ];
  if (parts.length > 0)
    o.notes.add(
      `What was done in the submodule ${readable(`${place.prefix}${path}`)} is not in the diff: ${parts.join('; ')}`,
    );
  return commit;
}

/** A submodule that was not fetched: there is no repository for what was put into its folder. */
async function settleEmpty(
  work: Work,
  path: string,
  old: string | null,
  staged: string | null,
): Promise<string | null> {
  const { o, place } = work;
  const shown = readable(`${place.prefix}${path}`);
  if (old === null && staged === null) return null;
  if (o.thorough) {
    const stray = await filesBelow(await folderOf(place, path));
    if (stray.length > 0)
      o.notes.add(`Files in the submodule ${shown}, which was not fetched, are not in the diff: ${listed(stray)}`);
    if (staged !== null && staged !== old)
      o.notes.add(
        `The submodule ${shown} refers to commit ${staged.slice(0, 10)} now; whether others have it is not known`,
      );
  }
  return staged ?? old;
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (dir: string, prefix: string): Promise<void> => {
    for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
      if (found.length >= MAX_STRAY) return;
      if (entry.isDirectory()) await walk(join(dir, entry.name), `${prefix}${entry.name}/`);
      else found.push(`${prefix}${entry.name}`);
    }
  };
  await walk(folder, '');
  return found;
}

/** Whether a commit was fetched from somewhere, by what the repository itself says. */
async function isFetched({ o, place }: Work, found: AgentGit, commit: string): Promise<boolean> {
  const fetched = await fetchedCommits(found);
  if (fetched.has(commit)) return true;
  return fetched.size > 0 && (await commitsBeyond(o, found, commit, fetched, `${place.index}-shallow`)) === 0;
}

/** Files of another repository's work tree that differ from a commit of it; null when nobody can tell. */
export async function changedInside(
  o: Taking,
  takeWorkTree: TakeWorkTree,
  found: AgentGit,
  commit: string,
  { tree, index, depth }: Pick<Place, 'tree' | 'index' | 'depth'>,
): Promise<string[] | null> {
  if (depth > MAX_DEPTH) return null;
  return attempt(o.signal, async () => {
    const call = lookingAt(o, found);
    const base = (await o.git.run(['rev-parse', '--verify', `${commit}^{tree}`], call)).toString().trim();
    await rm(index, { force: true });
    await o.git.run(['read-tree', base], { ...call, env: { ...call.env, GIT_INDEX_FILE: index } });
    const inside: Taking = { ...o, notes: new Notes(0), thorough: false };
    const now = await takeWorkTree(inside, { tree, index, base, depth, prefix: '', lender: found });
    const changes = await o.git.run(['diff-tree', ...ALL, '-r', '--raw', '-z', '--no-renames', base, now], call);
    return changesIn(changes).map(({ path }) => path);
  });
}
