import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Checkout, Remote } from '../checkout.ts';
import { type GitSurroundings, openGit } from '../git.ts';

/** What of the history of HEAD a worker can fetch from the remote, so that it need not travel. */
export interface SharedHistory {
  readonly url: string;
  /** Commits that the rest builds on; HEAD alone when the remote has all of it. */
  readonly commits: readonly string[];
}

/** Why all of the history travels; `small`: asking the remote would take longer. */
export type NotShared = 'small' | 'not reachable' | 'not public' | 'nothing in common';

const SMALL_KIB = 128;
const ANSWER_MS = 5000;
/** Each is fetched on its own by the worker. */
const MOST_COMMITS = 16;

/**
 * The promise is that a job from a checkout needs no credential. So without one the remote is asked as a worker would ask it, with
 * nothing of this person: what does not answer to that is taken for private, and the whole history travels.
 */
export async function findSharedHistory(
  checkout: Checkout,
  remote: Remote | null,
  o: GitSurroundings & { readonly hasCredential: boolean },
): Promise<SharedHistory | NotShared> {
  if (remote === null || remote.url === null) return 'not reachable';
  if (await isSmall(checkout)) return 'small';
  const known = await trackingRefs(checkout, remote.name);
  if (known.size === 0) return 'nothing in common';
  let had = [...known.values()];
  if (!o.hasCredential) {
    const listed = await listAsAnybody(remote.url, o);
    if (listed === null) return 'not public';
    had = await stillThere(checkout, known, listed);
  }
  const commits = await boundary(checkout, had);
  return commits === null ? 'nothing in common' : { url: remote.url, commits };
}

async function isSmall({ git }: Checkout): Promise<boolean> {
  const counted = await git.read(['count-objects', '-v']);
  const kib = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(counted)?.[1] ?? 0);
  return kib('size') + kib('size-pack') < SMALL_KIB && !/^alternate: /m.test(counted);
}

/** Branch → commit, as last fetched or pushed. */
async function trackingRefs({ git }: Checkout, remote: string): Promise<Map<string, string>> {
  const refs = await git.line(['for-each-ref', '--format=%(objectname) %(refname)', `refs/remotes/${remote}/`]);
  const prefix = `refs/remotes/${remote}/`;
  return new Map(
    refs
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const at = line.indexOf(' ');
        return [line.slice(at + 1 + prefix.length), line.slice(0, at)];
      }),
  );
}

/** The branches of a remote, asked for without any credential, setting or password of this machine; null when it refuses. */
async function listAsAnybody(url: string, around: GitSurroundings): Promise<Map<string, string> | null> {
  if (!/^https?:/.test(url)) return null;
  const home = await mkdtemp(join(tmpdir(), 'hangar-nobody-'));
  try {
    const env = Object.fromEntries(
      Object.entries(around.env).filter(
        ([name]) => !/^(GIT_(CONFIG|ASKPASS|HTTP)|SSH_ASKPASS|XDG_CONFIG_HOME)/.test(name),
      ),
    );
    const nobody = openGit(home, {
      signal: AbortSignal.any([around.signal, AbortSignal.timeout(ANSWER_MS)]),
      env: { ...env, HOME: home, GIT_CONFIG_NOSYSTEM: '1', GIT_CEILING_DIRECTORIES: home },
    });
    const asked = await nobody
      .attempt(['-c', 'credential.helper=', 'ls-remote', '--heads', '--', url])
      .catch(() => null);
    around.signal.throwIfAborted();
    if (asked === null || asked.code !== 0) return null;
    return new Map(
      asked.stdout
        .toString()
        .split('\n')
        .flatMap((line) => {
          const [, id, branch] = /^([0-9a-f]{40,64})\trefs\/heads\/(.+)$/.exec(line) ?? [];
          return id === undefined || branch === undefined ? [] : [[branch, id] as const];
        }),
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/**
 * Of what was last seen there, what it can be expected to have: a branch that is gone counts no more, one that was set to another
 * commit known here counts as that, one that moved on to an unknown commit has most likely kept the old ones.
 */
async function stillThere(
  { git }: Checkout,
  known: ReadonlyMap<string, string>,
  listed: ReadonlyMap<string, string>,
): Promise<string[]> {
  const moved = [...known].filter(([branch, id]) => listed.has(branch) && listed.get(branch) !== id);
  const checked = await git.read(['cat-file', '--batch-check=%(objectname) %(objecttype)'], {
    input: moved.map(([branch]) => `${listed.get(branch)}\n`).join(''),
    env: { GIT_NO_LAZY_FETCH: '1' },
  });
  const here = new Set(
    checked.split('\n').flatMap((line) => (line.endsWith(' commit') ? [line.split(' ')[0] ?? ''] : [])),
  );
  return [...known].flatMap(([branch, id]) => {
    const now = listed.get(branch);
    if (now === undefined) return [];
    return [here.has(now) ? now : id];
  });
}

/** Where the commits of HEAD that are in none of these histories begin; null when they do not build on these alone. */
async function boundary({ git, head, commonDir }: Checkout, had: readonly string[]): Promise<string[] | null> {
  if (head === null || had.length === 0) return null;
  const listed = await git.line(['rev-list', '--boundary', '--stdin'], {
    input: [head, ...new Set(had.map((id) => `^${id}`))].join('\n'),
    env: NO_REPLACEMENTS,
  });
  const lines = listed.split('\n').filter(Boolean);
  const commits = lines.filter((line) => line.startsWith('-')).map((line) => line.slice(1));
  const missing = lines.filter((line) => !line.startsWith('-'));
  if (missing.length === 0) return [head];
  if (commits.length === 0 || commits.length > MOST_COMMITS) return null;
  // Where a shallow clone was cut, the parents of a commit are neither here nor named.
  const cut = new Set((await readFile(join(commonDir, 'shallow'), 'utf8').catch(() => '')).split('\n'));
  return missing.some((id) => cut.has(id)) ? null : commits;
}

/** What is packed must be what the ids say, as others have no replacements. */
export const NO_REPLACEMENTS = { GIT_NO_REPLACE_OBJECTS: '1' };
