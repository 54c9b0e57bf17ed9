import { constants } from 'node:fs';
import { open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { HangarError } from '@hangar/contract';
import type { Git, GitCall } from '../git/git.ts';

const MAX_TEXT = 64 * 1024 * 1024;
export const MAX_INDEX = 256 * 1024 * 1024;
const MAX_REFS = 10_000;
const MAX_LINKS = 5;
export const LOOK_MS = 2 * 60_000;

/** A repository the agent works in. All of it is hostile: it is read as plain data, and nothing it configures counts. */
export interface AgentGit {
  readonly gitDir: string;
  /** Where refs and objects are; another folder than gitDir for a second work tree. */
  readonly commonDir: string;
  /** Branch that is checked out, `refs/heads/x`; null when HEAD is detached or cannot be read. */
  readonly branch: string | null;
  /** Commit that is checked out; null when there is none or it cannot be read. */
  readonly head: string | null;
}

/** The repository a work tree belongs to, by its `.git`; null when there is none. */
export async function findAgentGit(tree: string): Promise<AgentGit | null> {
  const dotGit = join(tree, '.git');
  const there = await stat(dotGit).catch(() => null);
  if (!there) return null;
  const link = there.isDirectory() ? null : await textOf(dotGit);
  const gitDir = there.isDirectory() ? dotGit : pathIn(tree, /^gitdir: ([^\0]+?)[\r\n]*$/.exec(link ?? '')?.[1]);
  if (gitDir === null) return null;
  return openAgentGit(gitDir);
}

export async function openAgentGit(gitDir: string): Promise<AgentGit | null> {
  const commonDir = pathIn(gitDir, (await textOf(join(gitDir, 'commondir')))?.trim()) ?? gitDir;
  const text = await textOf(join(gitDir, 'HEAD'));
  if (text === null) return null;
  const branch = /^ref: (refs\/heads\/[^\0\n]+)\n*$/.exec(text)?.[1] ?? null;
  return { gitDir, commonDir, branch, head: await resolveRef(commonDir, text) };
}

const pathIn = (dir: string, path: string | undefined): string | null => (path ? resolve(dir, path) : null);

const ID = /^([0-9a-f]{40}|[0-9a-f]{64})\s*$/;

/** What a ref's text says, through other refs. */
async function resolveRef(dir: string, text: string | null): Promise<string | null> {
  let said = text;
  for (let links = 0; said !== null && links < MAX_LINKS; links++) {
    const id = ID.exec(said)?.[1];
    if (id) return id;
    const name = /^ref: (refs\/[^\0\n]+)\n*$/.exec(said)?.[1];
    if (name === undefined || name.split('/').includes('..')) return null;
    said = (await textOf(join(dir, name))) ?? (await packedRefs(dir)).get(name) ?? null;
  }
  return null;
}

async function packedRefs(dir: string): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  for (const line of ((await textOf(join(dir, 'packed-refs'))) ?? '').split('\n')) {
    const [, id, name] = /^([0-9a-f]{40}|[0-9a-f]{64}) (refs\/.+)$/.exec(line) ?? [];
    if (id && name && refs.size < MAX_REFS) refs.set(name, id);
  }
  return refs;
}

/** The refs below a name like `refs/heads`, with their commits. */
export async function refsBelow({ commonDir }: AgentGit, prefix: string): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  for (const [name, id] of await packedRefs(commonDir)) if (name.startsWith(`${prefix}/`)) refs.set(name, id);
  const walk = async (name: string, depth: number): Promise<void> => {
    const entries = await readdir(join(commonDir, name), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const inner = `${name}/${entry.name}`;
      if (entry.isDirectory() && depth < 10) await walk(inner, depth + 1);
      else if (entry.isFile() && refs.size < MAX_REFS) {
        const id = ID.exec((await textOf(join(commonDir, inner))) ?? '')?.[1];
        if (id) refs.set(inner, id);
      }
    }
  };
  await walk(prefix, 0);
  return refs;
}

export const hasStash = async ({ commonDir }: AgentGit): Promise<boolean> =>
  (await resolveRef(commonDir, 'ref: refs/stash')) !== null;

/** Commits the repository knows from others: what was fetched, and every remote branch. */
export async function fetchedCommits(found: AgentGit): Promise<Set<string>> {
  const commits = new Set((await refsBelow(found, 'refs/remotes')).values());
  const last = (await textOf(join(found.gitDir, 'FETCH_HEAD'))) ?? '';
  for (const [, id] of last.matchAll(/^([0-9a-f]{40,64})\t/gm)) if (id) commits.add(id);
  return commits;
}

/** Work trees of the same repository besides the one it belongs to. */
export async function otherWorkTrees({ commonDir }: AgentGit): Promise<{ tree: string; git: AgentGit }[]> {
  const found: { tree: string; git: AgentGit }[] = [];
  for (const name of await readdir(join(commonDir, 'worktrees')).catch(() => [])) {
    const gitDir = join(commonDir, 'worktrees', name);
    const tree = pathIn(gitDir, (await textOf(join(gitDir, 'gitdir')))?.replace(/\/\.git\s*$/, ''));
    const git =
      tree !== null && (await stat(tree).catch(() => null))?.isDirectory() ? await openAgentGit(gitDir) : null;
    if (tree !== null && git) found.push({ tree, git });
  }
  return found;
}

/** So that git finds its objects, too. Only for calls that end soon: a pipe in place of a pack would be waited for. */
export const borrowing = ({ commonDir }: AgentGit): Record<string, string> => ({
  GIT_ALTERNATE_OBJECT_DIRECTORIES: `"${join(commonDir, 'objects').replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`,
});

/** How its commits are looked at. */
export const lookingAt = (o: Reading, found: AgentGit): GitCall => ({
  signal: o.signal,
  timeoutMs: LOOK_MS,
  env: { GIT_DIR: o.store, ...borrowing(found) },
});

/** How many commits are reachable from one and from none of the others; null when git cannot tell. */
export async function commitsBeyond(
  o: Reading,
  found: AgentGit,
  commit: string,
  known: Iterable<string>,
  scratch: string,
): Promise<number | null> {
  const call = lookingAt(o, found);
  const shallow = await textOf(join(found.commonDir, 'shallow'));
  if (shallow !== null) await writeFile(scratch, shallow, { mode: 0o600 });
  const env = { ...call.env, ...(shallow === null ? {} : { GIT_SHALLOW_FILE: scratch }) };
  const counted = await attempt(o.signal, async () => {
    await o.git.run(['cat-file', '-e', `${commit}^{commit}`], call);
    const input = [commit, ...[...known].map((id) => `^${id}`), ''].join('\n');
    return o.git.run(['rev-list', '--count', '--ignore-missing', '--stdin'], { ...call, env, input });
  });
  await rm(scratch, { force: true });
  return counted === null ? null : Number(counted.toString());
}

export interface Reading {
  readonly git: Git;
  readonly store: string;
  readonly signal: AbortSignal;
}

/** null when git could not do it; what the agent left must not cost the diff. Only a reason of ours to stop is thrown. */
export async function attempt<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted || error instanceof HangarError) throw error;
    return null;
  }
}

/** Bytes of a plain file; null for anything else: a pipe would be waited for. */
export async function readPlain(file: string, maxBytes: number): Promise<Buffer | null> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => null);
  if (!handle) return null;
  try {
    const found = await handle.stat();
    return found.isFile() && found.size <= maxBytes ? await handle.readFile() : null;
  } catch {
    return null;
  } finally {
    await handle.close();
  }
}

export async function textOf(file: string): Promise<string | null> {
  return (await readPlain(file, MAX_TEXT))?.toString('utf8') ?? null;
}
