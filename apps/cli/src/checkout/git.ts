import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { HangarError } from '@hangar/contract/errors';
import { decodePath, encodePath } from '@hangar/contract/path-bytes';
import { GitFailed } from './refusal.ts';

export { causeOf, errorLines, GitFailed, inLines, lastWords, troubleOf } from './refusal.ts';

export interface GitOptions {
  readonly signal: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Standard output goes to this file instead of memory. */
  readonly toFile?: string;
}

export interface GitResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Git in one folder. Commands are argument lists; nothing a repository's configuration says changes what we read or write. */
export interface Git {
  readonly dir: string;
  /** What it was opened with. */
  readonly around: GitSurroundings;
  /** Runs git and answers its exit code. @throws HangarError when git is not installed */
  attempt(args: readonly string[], options?: Partial<GitOptions>): Promise<GitResult>;
  /** Runs git and answers standard output as it is: lists of paths (`-z`) go through `splitNull`. @throws GitFailed */
  bytes(args: readonly string[], options?: Partial<GitOptions>): Promise<Buffer>;
  /** Standard output that can hold no path: ids, names of refs, numbers. @throws GitFailed when it ends with an error */
  read(args: readonly string[], options?: Partial<GitOptions>): Promise<string>;
  /** Like read, without the last line end. */
  line(args: readonly string[], options?: Partial<GitOptions>): Promise<string>;
}

/** Settings that would change the form of what git prints or how it applies, or have it run what a diff has just brought. */
const PLAIN = [
  // Where hooks are kept in the repository (husky, .githooks), git would run one while it applies the diff that adds it.
  'core.hooksPath=/dev/null',
  'core.quotePath=false',
  'core.fsmonitor=false',
  'color.ui=false',
  'diff.noprefix=false',
  'diff.mnemonicPrefix=false',
  'diff.renames=true',
  'diff.submodule=short',
  'diff.external=',
  'apply.whitespace=nowarn',
  'apply.ignoreWhitespace=no',
  'advice.addEmbeddedRepo=false',
  'core.safecrlf=false',
  'submodule.recurse=false',
  // A resolution it remembers would take the markers away that are spoken of.
  'rerere.enabled=false',
  // A folder of the work tree that looks like a bare repository, with a configuration that runs things, is none of ours.
  'safe.bareRepository=explicit',
  'gc.auto=0',
].flatMap((setting) => ['-c', setting]);

/** What git inherits from the command line it runs under. */
export interface GitSurroundings {
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function openGit(dir: string, around: GitSurroundings): Git {
  const { signal } = around;
  const attempt = (args: readonly string[], options: Partial<GitOptions> = {}): Promise<GitResult> =>
    new Promise((resolve, reject) => {
      const child = spawn('git', [...PLAIN, ...args], {
        cwd: dir,
        env: ownEnv(around.env, options.env),
        stdio: ['pipe', 'pipe', 'pipe'],
        signal: options.signal ?? signal,
      });
      child.on('error', async (error: NodeJS.ErrnoException) => {
        // A folder that is gone and a program that is not there end alike.
        if (error.code === 'ENOENT' && (await stat(dir).catch(() => null)) === null)
          reject(new HangarError('not_a_checkout', { message: `The folder ${dir} is not there any more.` }));
        else if (error.code === 'ENOENT')
          reject(new HangarError('not_a_checkout', { message: 'git was not found.', wayOut: 'Install git.' }));
        else reject((options.signal ?? signal).aborted ? (options.signal ?? signal).reason : error);
      });
      // Not begun: without descriptors it has no streams either.
      if (child.pid === undefined) return;
      const out: Buffer[] = [];
      let stderr = '';
      const file =
        options.toFile === undefined
          ? Promise.resolve()
          : pipeline(child.stdout, createWriteStream(options.toFile, { mode: 0o600 }));
      file.catch(() => {});
      if (options.toFile === undefined) child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => {
        if (stderr.length < 1_000_000) stderr += chunk.toString('utf8');
      });
      child.stdin.on('error', () => {});
      child.stdin.end(options.input);
      child.on('close', (code) => {
        file.then(() => resolve({ code: code ?? 1, stdout: Buffer.concat(out), stderr }), reject);
      });
    });
  const bytes = async (args: readonly string[], options: Partial<GitOptions> = {}): Promise<Buffer> => {
    const result = await attempt(args, options);
    if (result.code !== 0) throw new GitFailed(args, result, dir);
    return result.stdout;
  };
  const read = async (args: readonly string[], options: Partial<GitOptions> = {}): Promise<string> =>
    (await bytes(args, options)).toString('utf8');
  return {
    dir,
    around,
    attempt,
    bytes,
    read,
    line: async (args, options) => (await read(args, options)).replace(/\n$/, ''),
  };
}

/**
 * Variables of git that may stay: who the person is, what they configured (safe.directory in a container; PLAIN wins over it), and how git
 * reaches others. All the rest says where a repository is, how paths are read or what is printed, and ours is the one of the folder.
 */
const STAYS =
  /^GIT_((CONFIG|AUTHOR|COMMITTER|SSL|HTTP|CURL|PROXY|LFS|TEST)_.*|ASKPASS|SSH(_.*)?|EXEC_PATH|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM|ATTR_NOSYSTEM|ALLOW_PROTOCOL)$/;

/** English messages, no questions, paths taken literally, and nothing of the environment that changes what git does or prints. */
function ownEnv(
  around: GitSurroundings['env'],
  more: Readonly<Record<string, string>> | undefined,
): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(Object.entries(around).filter(([name]) => !name.startsWith('GIT_') || STAYS.test(name))),
    LC_ALL: 'C.UTF-8',
    LANGUAGE: undefined,
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    ...more,
  };
}

/** The parts of `-z` output. Only bytes are taken: what was decoded as text before has lost names that are none. */
export function splitNull(output: Buffer): string[] {
  const parts: string[] = [];
  for (let from = 0, at = output.indexOf(0); from < output.length; at = output.indexOf(0, from)) {
    const end = at < 0 ? output.length : at;
    if (end > from) parts.push(decodePath(output.subarray(from, end)));
    from = end + 1;
  }
  return parts;
}

/** Paths as git reads them with `-z --stdin`. */
export const joinNull = (paths: readonly string[]): Uint8Array => encodePath(paths.map((path) => `${path}\0`).join(''));
