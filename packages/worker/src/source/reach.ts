import { lookup as systemLookup } from 'node:dns/promises';
import { readFile, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { HangarError, isLocalHost, proxyFor, repoHost } from '@hangar/contract';
import type { Remote } from './credential.ts';

const LOOKUP_MS = 30_000;

/** Where a worker may clone from. */
export interface ReachRules {
  /** Also from this machine itself and its network link. */
  readonly allowLocal: boolean;
  /** What the worker was started with: says whether a proxy resolves names in its place. */
  readonly env: NodeJS.ProcessEnv;
  /** The system's resolver when left out. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

/** The addresses a remote was found at. git and ssh are bound to them: a second look-up could give others. */
export interface Reach {
  readonly git: readonly string[];
  readonly ssh: readonly string[];
}

/**
 * Looks the host of a remote up and refuses this machine and its network link unless they are allowed.
 * @throws HangarError repo_url_invalid, repo_url_refused, repo_unreachable
 */
export async function findReach(remote: Remote, rules: ReachRules, signal: AbortSignal): Promise<Reach> {
  const host = repoHost(remote.url);
  if (host === null) throw new HangarError('repo_url_invalid');
  const refuse = (address: string) => {
    if (!rules.allowLocal && isLocalHost(address))
      throw new HangarError('repo_url_refused', {
        message: `${remote.url} leads to ${address}, which is the machine of the worker itself or its network link.`,
      });
  };
  refuse(host);
  if (isIP(host) !== 0) return { git: [], ssh: [] };
  const addresses = await resolve(host, rules, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    // Names are then the proxy's business, and the proxy is of whoever runs the machine.
    if (remote.protocol !== 'ssh' && hasProxy(remote.url, rules.env)) return [];
    throw new HangarError('repo_unreachable', {
      message: `The git server of ${remote.url} cannot be reached: ${host} is not known.`,
      cause,
    });
  });
  for (const address of addresses) refuse(address);
  const [first] = addresses;
  if (first === undefined) return { git: [], ssh: [] };
  if (remote.protocol !== 'ssh') {
    const { port, hostname } = new URL(remote.url);
    const wanted = port || (remote.protocol === 'https' ? '443' : '80');
    const list = addresses.map((address) => (address.includes(':') ? `[${address}]` : address)).join(',');
    // git before 2.37 does not know the setting and ignores it.
    return { git: [`http.curloptResolve=${hostname}:${wanted}:${list}`], ssh: [] };
  }
  // Known hosts go by the name and port that were asked for, not by the address.
  const port = sshPort(remote.url);
  const alias = port === null || port === '22' ? host : `[${host}]:${port}`;
  return { git: [], ssh: [`HostName=${first}`, `HostKeyAlias=${alias}`, 'CheckHostIP=no'] };
}

async function resolve(host: string, rules: ReachRules, signal: AbortSignal): Promise<readonly string[]> {
  const lookup =
    rules.lookup ?? (async (name) => (await systemLookup(name, { all: true })).map(({ address }) => address));
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_MS)]);
  const over = new Promise<never>((_resolve, reject) => {
    limit.addEventListener('abort', () => reject(limit.reason), { once: true });
  });
  return Promise.race([lookup(host), over]);
}

/** Also one of a kind that git knows and a call of ours does not. */
function hasProxy(url: string, env: NodeJS.ProcessEnv): boolean {
  try {
    return proxyFor(url, env) !== null;
  } catch {
    return true;
  }
}

function sshPort(url: string): string | null {
  return url.startsWith('ssh://') ? new URL(url).port || null : null;
}

const PATH = '/info/refs';
const SERVICE = '?service=git-upload-pack';
const ASKED = `${PATH}${SERVICE}`;

/** Where the answer to git's first question sent it, and whether git left any trace of a redirect. */
export const wasRedirected = (errors: string): boolean => /requested url returned error: 30[12378]/i.test(errors);

/**
 * Where a git server sends those who ask for `url`: git is told not to follow, so that each place is checked first.
 * @param ask runs `git ls-remote` with these variables added
 * @throws HangarError repo_not_found when it is no repository, such as a sign-in page
 */
export async function redirectOf(
  url: string,
  privateDir: string,
  ask: (env: Readonly<Record<string, string>>) => Promise<unknown>,
): Promise<string> {
  const trace = join(privateDir, 'redirect');
  try {
    // git leaves credentials and cookies out of it by itself.
    await ask({ GIT_TRACE_CURL: trace, GIT_TRACE_CURL_NO_DATA: '1', GIT_TRACE_REDACT: '1' });
    const said = await readFile(trace, 'utf8').catch(() => '');
    const target = [...said.matchAll(/<= Recv header: location:[ \t]*(\S+)/gi)].at(-1)?.[1];
    const next = target === undefined ? null : new URL(target, `${url.replace(/\/+$/, '')}${ASKED}`);
    if (next && /^https?:$/.test(next.protocol) && next.pathname.endsWith(PATH) && next.search === SERVICE) {
      next.username = '';
      next.password = '';
      next.hash = '';
      return next.href.slice(0, -ASKED.length);
    }
    throw new HangarError('repo_not_found', {
      message: `There is no repository at ${url}: the server sends elsewhere${next ? `, to ${next.origin}` : ''}.`,
    });
  } catch (error) {
    if (error instanceof TypeError) throw new HangarError('repo_not_found', { cause: error });
    throw error;
  } finally {
    await rm(trace, { force: true });
  }
}
