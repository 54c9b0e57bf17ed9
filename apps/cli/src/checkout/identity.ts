import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job } from '@hangar/contract';
import { type Checkout, remoteUrls } from './checkout.ts';
import { recallSent } from './send/sent.ts';

/**
 * The first commit of a repository tells which one it is, in whatever folder and whatever its remote is called. Of a shallow clone
 * nobody knows it.
 */
export async function rootCommit({ git, head, commonDir }: Checkout): Promise<string | null> {
  if (head === null) return null;
  const found = await git.attempt(['rev-list', '--first-parent', '--max-parents=0', head]);
  const [root] = found.stdout.toString().split('\n');
  if (found.code !== 0 || root === undefined || root === '') return null;
  const cut = await readFile(join(commonDir, 'shallow'), 'utf8').catch(() => '');
  return cut.includes(root) ? null : root;
}

/** Whichever says where it started from, a job or a run on this machine. */
export interface JobSource {
  readonly id: string;
  readonly repo: Pick<Job['repo'], 'commit' | 'root' | 'url'>;
}

/**
 * Which of these jobs started from the repository of the checkout: they were sent from here, or a commit of theirs is here, the one
 * they started from or the first of all, or they name one of its remotes.
 */
export async function jobsOfRepository<T extends JobSource>(checkout: Checkout, jobs: readonly T[]): Promise<T[]> {
  const named = jobs.flatMap(({ repo }) => [repo.commit, repo.root ?? null]).filter((id) => id !== null);
  const [here, urls, sent] = await Promise.all([
    commitsHere(checkout, [...new Set(named)]),
    remoteUrls(checkout),
    Promise.all(jobs.map(({ id }) => recallSent(checkout, id))),
  ]);
  return jobs.filter(({ repo }, index) => {
    if (sent[index] !== null) return true;
    if ([repo.commit, repo.root].some((id) => id !== null && id !== undefined && here.has(id))) return true;
    const { url } = repo;
    return url !== null && urls.some((one) => isSameRemote(one, url));
  });
}

async function commitsHere({ git }: Checkout, ids: readonly string[]): Promise<Set<string>> {
  const wanted = ids.filter((id) => /^[0-9a-f]{40,64}$/.test(id));
  if (wanted.length === 0) return new Set();
  const checked = await git.read(['cat-file', '--batch-check=%(objectname) %(objecttype)'], {
    input: `${wanted.join('\n')}\n`,
    env: { GIT_NO_LAZY_FETCH: '1' },
  });
  return new Set(checked.split('\n').flatMap((line) => (line.endsWith(' commit') ? [line.split(' ')[0] ?? ''] : [])));
}

/** https, ssh and git@host: are ways to the same repository; ports only tell two web servers apart. */
export function isSameRemote(one: string, other: string): boolean {
  const [a, b] = [placeOf(one), placeOf(other)];
  if (a === null || b === null) return one === other;
  return a.host === b.host && a.path === b.path && (a.port === null || b.port === null || a.port === b.port);
}

function placeOf(text: string): { host: string; port: string | null; path: string } | null {
  const scp = /^(?:[^@/:\s]+@)?([^:/\s]+):(?!\/\/)(.+)$/.exec(text);
  if (scp !== null) return { host: (scp[1] ?? '').toLowerCase(), port: null, path: plain(scp[2] ?? '') };
  if (!/^(https?|ssh|git):\/\//i.test(text)) return null;
  try {
    const { protocol, hostname, port, pathname } = new URL(text);
    const isWeb = /^https?:$/.test(protocol);
    // Over http and https alike the default port is none.
    return { host: hostname.toLowerCase(), port: isWeb ? port : null, path: plain(pathname) };
  } catch {
    return null;
  }
}

function plain(path: string): string {
  let text = path;
  try {
    text = decodeURIComponent(path);
  } catch {
    // A percent sign that encodes nothing.
  }
  return text
    .split('/')
    .filter(Boolean)
    .join('/')
    .replace(/\.git$/i, '')
    .toLowerCase();
}
