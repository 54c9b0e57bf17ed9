import { copyFile, mkdir, open, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { HangarError } from '@hangar/contract';
import { type Git, GitError, gitFailure, isDiskFull } from '../git/git.ts';
import { fieldsOf, listed } from '../git/paths.ts';
import type { Places } from '../places.ts';
import { type CredentialHelper, type GitCredential, openAccess, parseRemote, type Remote } from './credential.ts';
import { findReach, type ReachRules, redirectOf, wasRedirected } from './reach.ts';
import { asSeenFromCheckout } from './source-failure.ts';

/**
 * How much history an agent gets. All of it makes the clone of an old repository minutes long; one commit leaves nothing to
 * learn from. A partial clone (--filter) is no way out: it would fetch later, when the credential is gone.
 */
const DEPTH = 50;
const NEARLY_FULL = 64 * 1024 * 1024;
const FETCH_MS = 60 * 60_000;
const MAX_REDIRECTS = 4;

/** Where the files come from. */
export type Source =
  | {
      readonly kind: 'remote';
      readonly url: string;
      readonly ref: string | null;
      readonly commit: string | null;
      readonly credential: GitCredential | null;
    }
  | {
      readonly kind: 'bundle';
      /** Where the commits are that the bundle builds on. */
      readonly url: string | null;
      readonly credential: GitCredential | null;
      readonly commit: string;
      readonly bundleFile: string;
      /** Uncommitted work: part of the base, not of the diff. */
      readonly patchFile: string | null;
    }
  | {
      /** A checkout on this machine. Its objects are borrowed, nothing in it is written. */
      readonly kind: 'checkout';
      readonly dir: string;
      /** HEAD when null. */
      readonly commit: string | null;
      readonly patchFile: string | null;
    };

/** What the diff is against. */
export interface Base {
  readonly commit: string;
  readonly tree: string;
}

export interface Preparing {
  readonly git: Git;
  readonly places: Places;
  readonly helper: CredentialHelper;
  readonly reach: ReachRules;
  readonly path: string;
  /** Name of the branch the agent starts on. */
  readonly branch: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Fetches the source into the store and lays out the work tree.
 * @throws HangarError repo_not_found, repo_auth_failed, repo_url_refused, repo_unreachable, ref_not_found, bundle_invalid, disk_full …
 */
export async function prepareTree(source: Source, o: Preparing): Promise<Base> {
  await rm(o.places.store, { recursive: true, force: true });
  await rm(o.places.tree, { recursive: true, force: true });
  const commit = await fetchSource(source, o);
  const patch = source.kind === 'remote' ? null : source.patchFile;
  try {
    await layOut(source, commit, o);
    return { commit, tree: await applyPatch(patch, commit, o) };
  } catch (error) {
    throw await understood(error, o.places.store);
  }
}

async function fetchSource(source: Source, o: Preparing): Promise<string> {
  if (source.kind === 'checkout') return borrow(source.dir, source.commit, o);
  if (source.kind === 'remote') {
    await initStore(formatOf(source.commit), o);
    const remote = parseRemote(source.url, source.credential);
    const { commit, ref } = source;
    return fetchRemote(remote, commit, ref, o).catch((error: unknown) => {
      throw asSeenFromCheckout(error, { url: remote.url, commit, ref, thin: false });
    });
  }
  await initStore(formatOf(source.commit), o);
  return unbundle(source, o);
}

const formatOf = (commit: string | null): 'sha1' | 'sha256' => (commit?.length === 64 ? 'sha256' : 'sha1');

/** Said only where it is needed: git before 2.29 does not know the option. */
const objectFormat = (format: 'sha1' | 'sha256'): string[] => (format === 'sha256' ? ['--object-format=sha256'] : []);

async function initStore(format: 'sha1' | 'sha256', o: Pick<Preparing, 'git' | 'places' | 'signal'>): Promise<void> {
  await o.git.run(['init', '--quiet', '--bare', '--template=', ...objectFormat(format), o.places.store], o);
}

async function fetchRemote(remote: Remote, commit: string | null, ref: string | null, o: Preparing): Promise<string> {
  const shown = { url: remote.url, ref: ref ?? commit };
  o.say(`Cloning ${remote.url}${shown.ref ? ` at ${shown.ref}` : ''}`);
  if (remote.protocol === 'http' && remote.credential && !/^(localhost|127\.|\[::1\])/.test(remote.host))
    o.say('The credential is sent unencrypted: the URL begins with http, not https');
  const reach = await findReach(remote, o.reach, o.signal);
  const access = await openAccess(remote, {
    helper: o.helper,
    privateDir: o.places.run,
    ssh: reach.ssh,
    path: o.path,
    signal: o.signal,
  });
  try {
    const want = commit ?? ref ?? 'HEAD';
    const way: Way = { access, url: remote.url, config: [...access.config, ...reach.git] };
    let result = await fetchBy(way, [`--depth=${DEPTH}`], [`+${want}:refs/hangar/base`], o);
    if (result.code !== 0 && /mismatched algorithms/.test(result.errors)) {
      await rm(o.places.store, { recursive: true, force: true });
      await initStore('sha256', o);
      result = await fetchBy(way, [`--depth=${DEPTH}`], [`+${want}:refs/hangar/base`], o);
    }
    const found = result.code === 0 ? await commitOf('refs/hangar/base', o) : null;
    if (found !== null && (commit === null || found === commit)) return found;
    if (result.code !== 0 && !worthAll(result.errors, want)) throw failed('fetch', result, shown);
    // The server hands out no single commit, or none of its history: take every branch and tag, then look.
    o.say('The git server does not hand out that commit alone; fetching all branches');
    result = await fetchBy(way, [], ['+refs/heads/*:refs/hangar/heads/*', '+refs/tags/*:refs/hangar/tags/*'], o);
    if (result.code !== 0) throw failed('fetch', result, shown);
    const names = commit ? [commit] : [`refs/hangar/heads/${want}`, `refs/hangar/tags/${want}`, ...hexOnly(want)];
    for (const name of names) {
      const there = await commitOf(name, o);
      if (there) return there;
    }
    if (want === 'HEAD') return await remoteHead(way, remote, o);
    throw new HangarError('ref_not_found', { message: `${remote.url} has no ref ${want}.` });
  } finally {
    await access.close();
  }
}

type Access = Awaited<ReturnType<typeof openAccess>>;

/** How a remote is reached: a redirect changes it for good. */
interface Way {
  readonly access: Access;
  url: string;
  config: readonly string[];
}

async function fetchBy(way: Way, options: readonly string[], refs: readonly string[], o: Preparing) {
  for (let hops = 0; ; hops++) {
    const result = await o.git.try(['fetch', '--no-tags', '--progress', ...options, '--', way.url, ...refs], {
      signal: o.signal,
      timeoutMs: FETCH_MS,
      cwd: o.places.store,
      config: way.config,
      env: { ...way.access.env, GIT_DIR: o.places.store },
      onProgress: throttled(o.say),
    });
    if (result.code === 0 || !wasRedirected(result.errors)) return result;
    if (hops === MAX_REDIRECTS)
      throw new HangarError('repo_unreachable', { message: 'The git server sends from one place to the next.' });
    await follow(way, o);
  }
}

/** The credential stays bound to the host of the remote itself; see `answer` in credential.ts. */
async function follow(way: Way, o: Preparing): Promise<void> {
  const { access, url, config } = way;
  const ask = (trace: Readonly<Record<string, string>>) =>
    o.git.try(['ls-remote', '--', url, 'HEAD'], { signal: o.signal, config, env: { ...access.env, ...trace } });
  const next = parseRemote(await redirectOf(url, o.places.run, ask), null);
  const reach = await findReach(next, o.reach, o.signal);
  o.say(`The git server sends to ${next.url}`);
  way.url = next.url;
  way.config = [...access.config, ...reach.git];
}

/** A commit, or something that may be a short commit id, or a server that cannot do shallow. */
const worthAll = (errors: string, want: string): boolean =>
  /shallow|dumb http/i.test(errors) ||
  (/^[0-9a-f]{4,64}$/.test(want) && /not our ref|unadvertised|couldn't find remote ref|remote error/i.test(errors));

const hexOnly = (want: string): string[] => (/^[0-9a-f]{4,64}$/.test(want) ? [want] : []);

async function remoteHead(way: Way, remote: Remote, o: Preparing): Promise<string> {
  const listed = await o.git.run(['ls-remote', '--', way.url, 'HEAD'], {
    signal: o.signal,
    config: way.config,
    env: way.access.env,
  });
  const id = /^([0-9a-f]{40,64})\tHEAD/m.exec(listed.toString())?.[1];
  const commit = id ? await commitOf(id, o) : null;
  if (commit) return commit;
  throw new HangarError('ref_not_found', { message: `${remote.url} has no HEAD: is it empty?` });
}

async function commitOf(name: string, o: Preparing): Promise<string | null> {
  const found = await o.git.try(['rev-parse', '--verify', '--quiet', `${name}^{commit}`], {
    signal: o.signal,
    env: { GIT_DIR: o.places.store },
  });
  return found.code === 0 ? found.out.toString().trim() : null;
}

async function unbundle(source: Source & { kind: 'bundle' }, o: Preparing): Promise<string> {
  const needed = await prerequisites(source.bundleFile);
  const missing: string[] = [];
  for (const id of needed) if (!(await commitOf(id, o))) missing.push(id);
  if (missing.length > 0 && source.url !== null) {
    const remote = parseRemote(source.url, source.credential);
    for (const [n, id] of missing.entries()) {
      await fetchRemote(remote, id, null, o).catch((error: unknown) => {
        throw asSeenFromCheckout(error, { url: remote.url, commit: id, ref: null, thin: true });
      });
      // The bundle is only taken when what it builds on is reachable from a ref.
      await o.git.run(['update-ref', `refs/hangar/needed/${n}`, id], {
        signal: o.signal,
        env: { GIT_DIR: o.places.store },
      });
    }
  }
  const result = await o.git.try(['bundle', 'unbundle', source.bundleFile], {
    signal: o.signal,
    env: { GIT_DIR: o.places.store },
  });
  if (result.code !== 0)
    throw (
      diskFull(result.errors) ??
      new HangarError('bundle_invalid', {
        message: `The bundle of your checkout cannot be used: ${lastLine(result.errors)}`,
      })
    );
  const commit = await commitOf(source.commit, o);
  if (commit === null)
    throw new HangarError('bundle_invalid', { message: `The bundle does not hold commit ${source.commit}.` });
  return commit;
}

/** The commits a bundle builds on, from its header. */
async function prerequisites(file: string): Promise<string[]> {
  const handle = await open(file, 'r').catch(() => null);
  if (!handle) throw new HangarError('bundle_invalid');
  try {
    const ids: string[] = [];
    let n = 0;
    for await (const line of handle.readLines({ encoding: 'latin1' })) {
      if (n++ === 0 && !/^# v[23] git bundle$/.test(line))
        throw new HangarError('bundle_invalid', { message: 'The upload is not a git bundle.' });
      if (line === '' || n > 100_000) break;
      const id = /^-([0-9a-f]{40,64})\b/.exec(line)?.[1];
      if (id) ids.push(id);
    }
    return ids;
  } finally {
    await handle.close().catch(() => undefined);
  }
}

/** A store of our own that has the objects of a checkout; answers the commit. @throws HangarError not_a_checkout, no_commits, ref_not_found */
export async function borrow(
  dir: string,
  commit: string | null,
  o: Pick<Preparing, 'git' | 'places' | 'signal'>,
): Promise<string> {
  const asked = await o.git.try(['-C', dir, 'rev-parse', '--git-common-dir'], o);
  if (asked.code !== 0) throw new HangarError('not_a_checkout');
  const common = resolve(dir, asked.out.toString().replace(/\n$/, ''));
  if (commit !== null && !/^[0-9a-f]{4,64}$/.test(commit)) throw new HangarError('ref_not_found');
  const head = await o.git.try(['-C', dir, 'rev-parse', '--verify', '--quiet', `${commit ?? 'HEAD'}^{commit}`], o);
  if (head.code !== 0) throw new HangarError(commit === null ? 'no_commits' : 'ref_not_found');
  const id = head.out.toString().trim();
  await initStore(formatOf(id), o);
  await mkdir(join(o.places.store, 'objects', 'info'), { recursive: true });
  await writeFile(join(o.places.store, 'objects', 'info', 'alternates'), alternate(join(common, 'objects')));
  await copyFile(join(common, 'shallow'), join(o.places.store, 'shallow')).catch(() => undefined);
  if ((await lenderOf(dir, o)) !== null) await needFiles(dir, id, o);
  return id;
}

/** A line of `alternates`; git takes a name in quotes for what is written, line ends included. */
const alternate = (path: string): string => `"${path.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"\n`;

/** Where a partial clone has what it lacks; null when it is a whole one. */
async function lenderOf(
  dir: string,
  o: Pick<Preparing, 'git' | 'signal'>,
): Promise<{ url: string; filter: string } | null> {
  const read = async (...args: string[]) => (await o.git.try(['-C', dir, 'config', ...args], o)).out.toString().trim();
  const name = /^remote\.(.+)\.promisor true$/m.exec(await read('--get-regexp', '^remote\\..*\\.promisor$'))?.[1];
  if (name === undefined) return null;
  return {
    url: await read('--get', `remote.${name}.url`),
    filter: (await read('--get', `remote.${name}.partialclonefilter`)) || 'blob:none',
  };
}

/** Nothing is fetched into a checkout from here: whoever sends it here fetches before. */
async function needFiles(dir: string, commit: string, o: Pick<Preparing, 'git' | 'places' | 'signal'>): Promise<void> {
  const env = { GIT_DIR: o.places.store };
  const args = ['rev-list', '--objects', '--no-walk', '--missing=print', commit];
  const listed = await o.git.run(args, { signal: o.signal, env });
  const missing = listed.toString().match(/^\?/gm)?.length ?? 0;
  if (missing > 0)
    throw new HangarError('repo_unreachable', {
      message: `${dir} is a partial clone that lacks ${missing} files of ${commit.slice(0, 10)}.`,
      wayOut: `Fetch them: git -C ${dir} rev-list --objects --no-walk ${commit.slice(0, 10)}`,
    });
}

/**
 * The agent's tree has an ordinary .git of its own that borrows the store's objects. Whatever the agent does to it (commits,
 * hooks, configuration, deletes it), the store stays as it is and the diff is made there.
 */
async function layOut(source: Source, commit: string, o: Preparing): Promise<void> {
  const { tree, store, run } = o.places;
  const started = performance.now();
  await o.git.run(['init', '--quiet', '--template=', ...objectFormat(formatOf(commit)), tree], o);
  const gitDir = join(tree, '.git');
  await mkdir(join(gitDir, 'objects', 'info'), { recursive: true });
  await mkdir(join(gitDir, 'info'), { recursive: true });
  await writeFile(join(gitDir, 'objects', 'info', 'alternates'), alternate(join(store, 'objects')));
  await copyFile(join(store, 'shallow'), join(gitDir, 'shallow')).catch(() => undefined);
  const here = { signal: o.signal, cwd: tree, env: { GIT_DIR: gitDir, GIT_WORK_TREE: tree } };
  if (source.kind !== 'checkout' && source.url !== null) {
    const { url } = parseRemote(source.url, null);
    await o.git.run(['config', '--local', 'remote.origin.url', url], here);
    await o.git.run(['config', '--local', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'], here);
  }
  await o.git.run(['update-ref', `refs/heads/${o.branch}`, commit], here);
  await o.git.run(['symbolic-ref', 'HEAD', `refs/heads/${o.branch}`], here);
  await o.git.run(['reset', '--hard', '--quiet'], here);
  const lender = source.kind === 'checkout' ? await lenderOf(source.dir, o) : null;
  if (lender !== null)
    // For older files: the agent's git fetches them as the checkout's would. Ours never does.
    for (const [name, value] of Object.entries({
      url: lender.url,
      promisor: 'true',
      partialclonefilter: lender.filter,
    }))
      await o.git.run(['config', '--local', `remote.origin.${name}`, value], here);
  await copyFile(join(gitDir, 'index'), join(run, 'index')).catch(() => undefined);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  o.say(`Checked out ${commit.slice(0, 12)} in ${seconds} s`);
  await sayWhatIsNotThere(o);
}

async function applyPatch(patch: string | null, commit: string, o: Preparing): Promise<string> {
  const env = {
    GIT_DIR: o.places.store,
    GIT_WORK_TREE: o.places.tree,
    GIT_INDEX_FILE: join(o.places.run, 'index'),
  };
  const there = patch === null ? null : await stat(patch).catch(() => null);
  if (patch === null || there?.size === 0)
    return (await o.git.run(['rev-parse', '--verify', `${commit}^{tree}`], { signal: o.signal, env }))
      .toString()
      .trim();
  const applied = await o.git.try(['apply', '--index', '--whitespace=nowarn', '--', patch], {
    signal: o.signal,
    cwd: o.places.tree,
    env,
  });
  if (applied.code !== 0)
    throw (
      diskFull(applied.errors) ??
      new HangarError('bundle_invalid', {
        message: `The uncommitted work could not be applied: ${lastLine(applied.errors)}`,
      })
    );
  o.say('Applied the uncommitted work of the checkout; it is part of the base');
  return (await o.git.run(['write-tree'], { signal: o.signal, env })).toString().trim();
}

/** Submodules and large files are left as they are in the repository; that must not surprise anybody. */
async function sayWhatIsNotThere(o: Preparing): Promise<void> {
  const env = { GIT_DIR: o.places.store, GIT_WORK_TREE: o.places.tree, GIT_INDEX_FILE: join(o.places.run, 'index') };
  const here = { signal: o.signal, cwd: o.places.tree, env };
  const staged = await o.git.run(['ls-files', '--stage', '-z'], here);
  const modules: string[] = [];
  let attributes = false;
  for (const entry of fieldsOf(staged)) {
    if (entry.startsWith('160000 ')) modules.push(entry.slice(entry.indexOf('\t') + 1));
    else if (entry.endsWith('.gitattributes')) attributes = true;
  }
  if (modules.length > 0) o.say(`Submodules are not fetched: ${listed(modules)}`);
  if (!attributes) return;
  const large = fieldsOf((await o.git.try(['ls-files', '-z', '--', ':(attr:filter=lfs)'], here)).out);
  if (large.length > 0)
    o.say(
      `Git LFS: ${large.length === 1 ? '1 file is a pointer' : `${large.length} files are pointers`}, content is not fetched: ${listed(large)}`,
    );
}

/** At most one line in three seconds, and only git's own counters: the rest is whatever the server likes to say. */
function throttled(say: (text: string) => void): (text: string) => void {
  let last = performance.now();
  return (text) => {
    const now = performance.now();
    if (now - last < 3000) return;
    const counter = /(?:Counting|Compressing|Receiving|Resolving|Updating) [a-z]+:\s+\d+%[^\r\n]*/.exec(text)?.[0];
    if (counter === undefined) return;
    last = now;
    say(counter.trim());
  };
}

export const lastLine = (errors: string): string =>
  errors
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^(fatal|error): /, '') || 'git gave no reason';

export const diskFull = (errors: string): HangarError | null =>
  isDiskFull(errors) ? new HangarError('disk_full') : null;

function failed(
  command: string,
  result: { code: number; out: Buffer; errors: string },
  shown: { url: string; ref: string | null },
): Error {
  return gitFailure(result.errors, shown) ?? new GitError(command, result);
}

/** A file that cannot be written is told without its reason by git: then the disk is asked. */
async function understood(error: unknown, dir: string): Promise<unknown> {
  if (error instanceof GitError) {
    if (/unable to write|short write|write error/i.test(error.errors)) {
      const disk = await statfs(dir).catch(() => null);
      if (disk && disk.bavail * disk.bsize < NEARLY_FULL) return new HangarError('disk_full');
    }
    return diskFull(error.errors) ?? error;
  }
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT'))
    return new HangarError('disk_full');
  return error;
}
