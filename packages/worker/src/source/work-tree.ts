import { copyFile, rm } from 'node:fs/promises';
import { attempt, borrowing, findAgentGit, lookingAt } from '../agent/agent-git.ts';
import { allEnded } from '../deadline.ts';
import { type GitCall, GitError } from '../git/git.ts';
import {
  ALL,
  type Change,
  changesIn,
  type Entry,
  fieldsFor,
  fieldsOf,
  indexInfo,
  isInWay,
  isSubmodule,
  readable,
} from '../git/paths.ts';
import { inRealFolder, kindOf, readFiles } from '../result/read-files.ts';
import { forgetRecorded, NOTHING_RECORDED, readRecorded } from '../result/recorded.ts';
import {
  COLLECT_MS,
  emptyTree,
  folderOf,
  indexOf,
  MAX_DEPTH,
  type Place,
  type Taking,
  type Work,
} from '../result/taking.ts';
import { type Settled, settleSubmodules } from './submodules.ts';

const MAX_NESTED = 50;

/**
 * Writes what the agent made as a tree: what `git add --all` in its repository would record, with our repository, index and
 * configuration.
 *
 * - A file in the work tree counts, with the bytes it has there, if it is not ignored or if the agent committed or staged it.
 * - A file of the base that the agent took out of its index is gone if it is ignored as well.
 * - A file that is not in the work tree is gone, unless it was left out on purpose (sparse checkout, skip-worktree).
 *
 * Where the agent's index cannot be read, the base and its last commit stand for it.
 */
export async function takeWorkTree(o: Taking, place: Place): Promise<string> {
  const { tree, index } = place;
  // Left by a git that was killed in an earlier, cancelled call.
  await rm(`${index}.lock`, { force: true });
  const call: GitCall = {
    signal: o.signal,
    timeoutMs: COLLECT_MS,
    ...(place.lender === undefined ? {} : lookingAt(o, place.lender)),
    cwd: tree,
    config: [`core.excludesFile=${o.excludesFile}`],
    env: {
      ...(place.lender === undefined ? {} : borrowing(place.lender)),
      ...{ GIT_DIR: o.store, GIT_WORK_TREE: tree, GIT_INDEX_FILE: index },
    },
  };
  const scratch = `${index}-agent`;
  const found = await findAgentGit(tree);
  try {
    const ours = { file: index, changes: changedBefore(o, place, call) };
    const [recorded, before] = await allEnded([
      found ? readRecorded(o, found, place.base, scratch, ours) : NOTHING_RECORDED,
      ours.changes,
    ]);
    if (recorded.isBroken)
      o.notes.add(`The index of ${readable(place.prefix)}.git cannot be read: what was only staged is not in the diff`);
    return await take({ o, place, call, found, recorded, takeInside: takeWorkTree }, before);
  } finally {
    if (found) await forgetRecorded(o, scratch);
  }
}

async function take(work: Work, before: readonly Change[]): Promise<string> {
  const { o, place, call, recorded } = work;
  await forgetIgnored(work, before);
  // Tracked by the agent and not in our index: deleted, or not tracked at an earlier call.
  const lost = before.filter(({ path, status }) => status === 'D' && !recorded.removed.has(path));
  const settled = await settleSubmodules(work, lost);
  const { others, modified } = await look(work);
  const expected = new Set([...recorded.added.keys(), ...lost.map(({ path }) => path)]);
  const there = await present(place, expected);
  const fresh = [...others.filter((name) => !name.endsWith('/')), ...there];
  const hidden = await hiddenFrom(work, modified, there.length < expected.size);
  const isOwn = (name: string) => !settled.folders.has(name) && !hidden.has(name);
  const read = (paths: readonly string[]) => readFiles(o, call, place, paths);
  if (isInWay(fresh, modified)) {
    // New files first: a directory that became a link or a file replaces what was below it.
    await read(fresh);
    await read((await look(work)).modified.filter(isOwn));
  } else await read([...fresh, ...modified.filter(isOwn)]);
  // What was not read from files, but is known by its id, must not be taken for a file at the next call.
  const more = new Map([...hidden, ...settled.entries, ...(await takeNested(work, others, settled))]);
  return writeTree(work, more);
}

/** What our index does not have, and what is no longer as it has it. */
async function look(work: Work): Promise<{ others: string[]; modified: string[] }> {
  const others: string[] = [];
  const modified: string[] = [];
  for (const name of await names(work, '-t', '--others', '--modified', '--exclude-standard'))
    (name.startsWith('? ') ? others : modified).push(name.slice(2));
  return { others, modified };
}

async function names({ o, place, call }: Work, ...args: readonly string[]): Promise<string[]> {
  const result = await o.git.try(['ls-files', '-z', ...args], call);
  if (result.code !== 0) throw new GitError('ls-files', result);
  for (const [, folder] of result.errors.matchAll(/^warning: could not open directory '(.+)': /gm))
    o.notes.unreadable.add(`${place.prefix}${folder}`);
  return [...new Set(fieldsOf(result.out))];
}

/** How our index differs from the base: by what was read at earlier calls. */
async function changedBefore(o: Taking, place: Place, call: GitCall): Promise<Change[]> {
  const args = ['diff-index', ...ALL, '--cached', '--raw', '-z', '--no-renames', '--abbrev=64', place.base, '--'];
  return changesIn(await o.git.run(args, call));
}

/** Takes out of the index what is the agent's no more; what is not ignored comes back as a new file. */
async function forgetIgnored(work: Work, before: readonly Change[]): Promise<void> {
  const { o, call, recorded } = work;
  const own = before.filter(({ path, status }) => status === 'A' && !recorded.added.has(path)).map(({ path }) => path);
  const gone = [...recorded.removed, ...(await ignoredOf(work, own))];
  if (gone.length > 0)
    await o.git.run(['update-index', '--force-remove', '-z', '--stdin'], { ...call, input: fieldsFor(gone) });
}

async function ignoredOf(work: Work, paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return [];
  const { o, call } = work;
  const args = ['check-ignore', '--no-index', '-z', '--stdin'];
  const { code, out } = await o.git.try(args, { ...call, input: fieldsFor(paths) });
  if (code <= 1) return fieldsOf(out);
  // Not for a path beyond a link, say.
  const among = new Set(paths);
  return (await names(work, '--cached', '--ignored', '--exclude-standard')).filter((path) => among.has(path));
}

/** Those that are files or links in the work tree: a folder would be taken for a submodule. */
async function present(place: Place, paths: Iterable<string>): Promise<string[]> {
  const there: string[] = [];
  const real = inRealFolder(place.tree);
  for (const path of paths) {
    const kind = await kindOf(place.tree, path);
    if (kind !== null && kind !== 'folder' && (await real(path))) there.push(path);
  }
  return there;
}

/** What the agent left out of its work tree on purpose and is really not there. */
async function hiddenFrom(
  { o, place, call, found, recorded }: Work,
  modified: readonly string[],
  isMore: boolean,
): Promise<Map<string, Entry>> {
  const absent = new Map<string, Entry>();
  if (!found || (modified.length === 0 && !isMore)) return absent;
  for (const [path, entry] of await recorded.hidden())
    if ((await kindOf(place.tree, path)) === null) absent.set(path, entry);
  if (absent.size === 0) return absent;
  const ids = [...new Set([...absent.values()].filter((entry) => !isSubmodule(entry)).map(({ id }) => id))];
  const checked = await o.git.run(['cat-file', '--batch-check'], { ...call, input: `${ids.join('\n')}\n` });
  const missing = [...checked.toString().matchAll(/^([0-9a-f]+) missing$/gm)].map(([, id = '']) => id);
  if (missing.length === 0) return absent;
  const packed = await attempt(o.signal, () =>
    o.git.run(['pack-objects', '--quiet', '--stdout'], {
      ...call,
      env: { ...call.env, ...borrowing(found) },
      input: `${missing.join('\n')}\n`,
    }),
  );
  if (packed !== null) await o.git.run(['unpack-objects', '-q'], { ...call, input: packed });
  else
    for (const [path, { id }] of absent)
      if (missing.includes(id)) {
        o.notes.unreadable.add(`${place.prefix}${path}`);
        absent.delete(path);
      }
  return absent;
}

/** A repository inside the work tree would become a reference to nowhere: its files are taken instead. */
async function takeNested(work: Work, others: readonly string[], settled: Settled): Promise<Map<string, Entry>> {
  const { o, place, call, found } = work;
  const entries = new Map<string, Entry>();
  let count = 0;
  for (const name of others.filter((other) => other.endsWith('/'))) {
    const path = name.slice(0, -1);
    if (settled.folders.has(path)) continue;
    const shown = readable(`${place.prefix}${path}`);
    if (place.depth === MAX_DEPTH || ++count > MAX_NESTED) {
      o.notes.add(`${shown} is a repository inside too many others and not in the diff`);
      continue;
    }
    const tree = await folderOf(place, path);
    const inner = await findAgentGit(tree);
    // A second work tree of the agent's repository holds all of it once more; what it alone has is told elsewhere.
    if (inner && found && inner.gitDir !== inner.commonDir && inner.commonDir === found.commonDir) continue;
    const id = await attempt(o.signal, () =>
      takeWorkTree(o, {
        tree,
        index: indexOf(place, path),
        base: emptyTree(place.base),
        prefix: `${place.prefix}${path}/`,
        depth: place.depth + 1,
      }),
    );
    if (id === null) {
      o.notes.unreadable.add(`${place.prefix}${name}`);
      continue;
    }
    if (inner?.head) o.notes.add(`${shown} is a repository of its own: its files are in the diff, its history is not`);
    const all = fieldsOf(await o.git.run(['ls-tree', '-r', '-z', '--full-tree', id], call));
    for (const field of all) {
      const [, mode, entryId, below] = /^(\d+) \w+ ([0-9a-f]+)\t([\s\S]+)$/.exec(field) ?? [];
      if (mode && entryId && below) entries.set(`${path}/${below}`, { mode, id: entryId });
    }
  }
  return entries;
}

async function writeTree({ o, place, call }: Work, more: ReadonlyMap<string, Entry>): Promise<string> {
  const write = async (index: string) =>
    (await o.git.run(['write-tree', '--missing-ok'], { ...call, env: { ...call.env, GIT_INDEX_FILE: index } }))
      .toString()
      .trim();
  if (more.size === 0) return write(place.index);
  const whole = `${place.index}-whole`;
  try {
    await copyFile(place.index, whole).catch((error: NodeJS.ErrnoException) => {
      // There is none for a repository inside that has no file of its own.
      if (error.code !== 'ENOENT') throw error;
    });
    await o.git.run(['update-index', '--add', '--replace', '-z', '--index-info'], {
      ...call,
      env: { ...call.env, GIT_INDEX_FILE: whole },
      input: indexInfo(more),
    });
    return await write(whole);
  } finally {
    await rm(whole, { force: true });
  }
}
