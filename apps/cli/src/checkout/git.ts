import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { HangarError } from '@hangar/contract/errors';

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
  /** Runs git and answers standard output. @throws GitFailed when it ends with an error */
  read(args: readonly string[], options?: Partial<GitOptions>): Promise<string>;
  /** Like read, without the last line end. */
  line(args: readonly string[], options?: Partial<GitOptions>): Promise<string>;
}

export class GitFailed extends Error {
  readonly code: number;
  readonly stderr: string;
  constructor(args: readonly string[], result: GitResult) {
    super(`git ${args[0]} ended with ${result.code}: ${result.stderr.trim().split('\n').at(-1) ?? ''}`);
    this.name = 'GitFailed';
    this.code = result.code;
    this.stderr = result.stderr;
  }
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
        env: { ...around.env, ...ownEnv(options.env) },
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
      child.stdin.end(options.input);
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT')
          reject(new HangarError('not_a_checkout', { message: 'git was not found.', wayOut: 'Install git.' }));
        else reject((options.signal ?? signal).aborted ? (options.signal ?? signal).reason : error);
      });
      child.on('close', (code) => {
        file.then(() => resolve({ code: code ?? 1, stdout: Buffer.concat(out), stderr }), reject);
      });
    });
  const read = async (args: readonly string[], options: Partial<GitOptions> = {}): Promise<string> => {
    const result = await attempt(args, options);
    if (result.code !== 0) throw new GitFailed(args, result);
    return result.stdout.toString('utf8');
  };
  return {
    dir,
    attempt,
    read,
    line: async (args, options) => (await read(args, options)).replace(/\n$/, ''),
  };
}

/**
 * What git sets for a hook and for who works in another repository: all of it says where the repository is, and ours is the one of the
 * folder. GIT_CONFIG_* stays: it is the person's configuration like any other (safe.directory in a container), and PLAIN wins over it.
 */
const WHERE = [
  ...['GIT_DIR', 'GIT_WORK_TREE', 'GIT_IMPLICIT_WORK_TREE', 'GIT_COMMON_DIR', 'GIT_NAMESPACE', 'GIT_PREFIX'],
  ...['GIT_INDEX_FILE', 'GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES', 'GIT_QUARANTINE_PATH'],
  ...['GIT_SHALLOW_FILE', 'GIT_GRAFT_FILE', 'GIT_REPLACE_REF_BASE'],
];

/** English messages, no questions, and no environment of a hook we may be called from that points at another repository. */
function ownEnv(more: Readonly<Record<string, string>> | undefined): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(WHERE.map((name) => [name, undefined])),
    LC_ALL: 'C.UTF-8',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_EXTERNAL_DIFF: undefined,
    GIT_DIFF_OPTS: undefined,
    GIT_LITERAL_PATHSPECS: '1',
    ...more,
  };
}

/** Splits output of `-z`. */
export const splitNull = (output: string): string[] => output.split('\0').filter((part) => part !== '');
