import { spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { HangarError } from '@hangar/contract/errors';
import { decodePath, encodePath } from '@hangar/contract/path-bytes';
import { refusal } from './refusal.ts';

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
  /** Runs git and answers its exit code. @throws HangarError when git is not installed */
  attempt(args: readonly string[], options?: Partial<GitOptions>): Promise<GitResult>;
  /** Runs git and answers standard output; paths in it as decodePath makes them. @throws HangarError that says what git refused; see refusal.ts */
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
      child.stdin.end(typeof options.input === 'string' ? encodePath(options.input) : options.input);
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') reject(notFound(dir));
        else reject((options.signal ?? signal).aborted ? (options.signal ?? signal).reason : error);
      });
      child.on('close', (code) => {
        file.then(() => resolve({ code: code ?? 1, stdout: Buffer.concat(out), stderr }), reject);
      });
    });
  const read = async (args: readonly string[], options: Partial<GitOptions> = {}): Promise<string> => {
    const result = await attempt(args, options);
    if (result.code !== 0) throw refusal({ command: args[0] ?? '', ...result, dir });
    return decodePath(result.stdout);
  };
  return {
    dir,
    attempt,
    read,
    line: async (args, options) => (await read(args, options)).replace(/\n$/, ''),
  };
}

/** Node says the same of a program and of a folder that is not there. */
const notFound = (dir: string): HangarError =>
  existsSync(dir)
    ? new HangarError('not_a_checkout', { message: 'git was not found.', wayOut: 'Install git.' })
    : new HangarError('not_a_checkout', { message: `There is no folder ${dir}.` });

/**
 * What of git's own variables is the person's and stays: settings (safe.directory in a container), who commits, how a remote is
 * reached. All others say where another repository is, or change what an argument means or how output looks.
 */
const PERSONAL =
  /^GIT_(CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|PARAMETERS|(KEY|VALUE)_\d+)|(AUTHOR|COMMITTER)_\w+|(SSH|SSL|HTTP|PROXY|CURL|TEST)_\w+|SSH|ASKPASS|EXEC_PATH|ATTR_NOSYSTEM|ALLOW_PROTOCOL|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM)$/;

/** English messages, no questions, and no environment of a hook we may be called from that points at another repository. */
function ownEnv(
  given: Readonly<Record<string, string | undefined>>,
  more: Readonly<Record<string, string>> | undefined,
): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(Object.entries(given).filter(([name]) => !name.startsWith('GIT_') || PERSONAL.test(name))),
    LC_ALL: 'C.UTF-8',
    LANGUAGE: undefined,
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    ...more,
  };
}

/** Splits output of `-z`. */
export const splitNull = (output: string): string[] => output.split('\0').filter((part) => part !== '');
