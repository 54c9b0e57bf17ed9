import { type ChildProcess, spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { HangarError, PROXY_VARIABLES } from '@hangar/contract';
import { within } from '../deadline.ts';

const MAX_OUTPUT = 256 * 1024 * 1024;
const MAX_ERRORS = 64 * 1024;
const KILL_AFTER_MS = 2000;

/** Set by whoever runs the machine; without them git reaches nothing behind a proxy or a private certificate. */
const PASSED_ON = [
  'PATH',
  'TMPDIR',
  ...PROXY_VARIABLES,
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
  'LD_LIBRARY_PATH',
];

/** Nothing that a repository or a machine's configuration says may start a program or reach a file. */
const SAFE = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.autocrlf=false',
  'core.askPass=',
  'core.excludesFile=/dev/null',
  'core.attributesFile=/dev/null',
  'credential.helper=',
  'advice.detachedHead=false',
  'protocol.allow=never',
  'protocol.http.allow=always',
  'protocol.https.allow=always',
  'protocol.ssh.allow=always',
  // Each place a server sends to is checked before it is asked; see reach.ts.
  'http.followRedirects=false',
  'transfer.bundleURI=false',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  // One pack instead of a file for each object.
  'fetch.unpackLimit=1',
  'gc.auto=0',
  'maintenance.auto=false',
  // A git server that stalls ends the transfer after a minute.
  'http.lowSpeedLimit=100',
  'http.lowSpeedTime=60',
  'core.bigFileThreshold=32m',
  'core.looseCompression=1',
  'pack.compression=1',
  'diff.renameLimit=2000',
  'safe.directory=*',
];

export interface GitCall {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly config?: readonly string[];
  readonly input?: string | Buffer;
  /** Standard output goes into this file instead of memory. */
  readonly toFile?: string;
  readonly onProgress?: (text: string) => void;
}

export interface GitResult {
  readonly code: number;
  readonly out: Buffer;
  readonly errors: string;
}

export interface Git {
  /** Runs git; a bad exit is a result. @throws HangarError when git is not there or was killed, and the signal's reason. */
  try(args: readonly string[], call: GitCall): Promise<GitResult>;
  /** Runs git and throws GitError on a bad exit. */
  run(args: readonly string[], call: GitCall): Promise<Buffer>;
}

/** git ended badly; `errors` is what it said, in English. */
export class GitError extends Error {
  readonly errors: string;
  constructor(command: string, result: GitResult) {
    const said = result.errors.trim().split('\n').slice(-5).join('\n');
    super(`git ${command} ended with ${result.code}: ${said}`);
    this.name = 'GitError';
    this.errors = result.errors;
  }
}

/**
 * git with a private home, no system or user configuration, no prompt, no hooks and only network protocols. `base` is the
 * environment the worker was given; of it only what git needs to reach the network is passed on.
 */
export function openGit(options: { home: string; base: NodeJS.ProcessEnv }): Git {
  const env: Record<string, string> = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: options.home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_AUTHOR_NAME: 'Hangar',
    GIT_AUTHOR_EMAIL: 'hangar@localhost',
    GIT_COMMITTER_NAME: 'Hangar',
    GIT_COMMITTER_EMAIL: 'hangar@localhost',
  };
  for (const name of PASSED_ON) {
    const value = options.base[name];
    if (value !== undefined) env[name] = value;
  }
  // The one that curl takes in small letters alone.
  if (!env.http_proxy && env.HTTP_PROXY) env.http_proxy = env.HTTP_PROXY;
  const attempt = (args: readonly string[], call: GitCall): Promise<GitResult> => runGit(env, args, call);
  return {
    try: attempt,
    run: async (args, call) => {
      const result = await attempt(args, call);
      if (result.code !== 0) throw new GitError(args.find((arg) => !arg.startsWith('-')) ?? '', result);
      return result.out;
    },
  };
}

async function runGit(base: Record<string, string>, args: readonly string[], call: GitCall): Promise<GitResult> {
  const limit = within([call.signal], call.timeoutMs ?? 10 * 60_000, () => new Error('git took too long'));
  const target: FileHandle | null = call.toFile === undefined ? null : await open(call.toFile, 'w', 0o600);
  try {
    limit.signal.throwIfAborted();
    const config = [...SAFE, ...(call.config ?? [])].flatMap((setting) => ['-c', setting]);
    const child = spawn('git', [...config, ...args], {
      cwd: call.cwd ?? '/',
      env: { ...base, ...call.env },
      // A group of its own, so that git's helpers (index-pack, ssh) end with it.
      detached: true,
      stdio: [call.input === undefined ? 'ignore' : 'pipe', target ? target.fd : 'pipe', 'pipe'],
    });
    return await collect(child, call, limit.signal);
  } finally {
    limit.done();
    await target?.close();
  }
}

function collect(child: ChildProcess, call: GitCall, signal: AbortSignal): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    let size = 0;
    let errors = '';
    const stop = () => {
      killGroup(child, 'SIGTERM');
      setTimeout(() => killGroup(child, 'SIGKILL'), KILL_AFTER_MS).unref();
    };
    signal.addEventListener('abort', stop, { once: true });
    child.stdout?.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_OUTPUT) stop();
      else out.push(chunk);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-MAX_ERRORS);
      call.onProgress?.(text);
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(call.input);
    child.on('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', stop);
      reject(
        error.code === 'ENOENT'
          ? new HangarError('image_unsuitable', { message: 'git is not installed where the job runs.' })
          : error,
      );
    });
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason);
      // Nothing is wrong with what git worked on: whoever reads the reason must not look there.
      else if (wasKilled(killedBy, errors) && size <= MAX_OUTPUT) reject(new HangarError('git_killed'));
      else resolve({ code: code ?? 255, out: Buffer.concat(out), errors });
    });
  });
}

/** Itself, or one of the programs that git starts: index-pack, remote-https. */
const wasKilled = (killedBy: NodeJS.Signals | null, errors: string): boolean =>
  killedBy === 'SIGKILL' || /^(error|fatal): .* died of signal 9$/m.test(errors);

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

/** Whether the disk is full, in git's words: in the last ones it does not say why it could not write. */
export const isDiskFull = (errors: string): boolean =>
  /no space left on device|disk quota exceeded|out of diskspace|write error|unable to write (new )?index file/i.test(
    errors,
  );

/** What git said, as an error people can act on; null when it is none of the known ones. */
export function gitFailure(errors: string, shown: { url: string; ref: string | null }): HangarError | null {
  const has = (pattern: RegExp) => pattern.test(errors);
  if (isDiskFull(errors)) return new HangarError('disk_full');
  if (has(/cannot run ssh|ssh: (command )?not found/i))
    return new HangarError('repo_unreachable', {
      message: 'ssh is not installed where the job runs.',
      wayOut: 'Use an https URL, or an image that has an ssh client.',
    });
  if (has(/no user exists for uid/i))
    return new HangarError('repo_unreachable', {
      message: 'ssh does not run here: the user of the job has no entry in /etc/passwd.',
      wayOut: 'Use an https URL, or an image whose user is known.',
    });
  if (has(/host key verification failed/i))
    return new HangarError('repo_unreachable', {
      message: `The host key of ${shown.url} is not the known one.`,
      wayOut: 'Check the known hosts of the credential.',
    });
  if (has(/couldn't find remote ref|remote branch .* not found|not our ref|unadvertised object|no such remote ref/i))
    return new HangarError('ref_not_found', { message: `${shown.url} has no ref ${shown.ref ?? 'HEAD'}.` });
  if (
    has(
      /authentication failed|could not read (username|password)|permission denied|requested url returned error: 40[13]|invalid username or password|http basic: access denied|no supported authentication|terminal prompts disabled/i,
    )
  )
    return new HangarError('repo_auth_failed', { message: `The git server refused access to ${shown.url}.` });
  if (
    has(
      /requested url returned error: 404|repository .*not found|does not appear to be a git repository|no such file or directory|project you were looking for could not be found|not valid: is this a git repository|transport '.*' not allowed/i,
    )
  )
    return new HangarError('repo_not_found', { message: `There is no repository at ${shown.url}.` });
  if (
    has(
      /could not resolve host|connection (refused|timed out|reset|closed)|failed to connect|couldn't connect|network is unreachable|no route to host|operation (too slow|timed out)|timed out|unable to access|ssl|early eof|hung up|requested url returned error: 5\d\d|name or service not known/i,
    )
  )
    return new HangarError('repo_unreachable', { message: `The git server of ${shown.url} cannot be reached.` });
  return null;
}
