import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../../..');
const BIN = join(ROOT, 'bin/hangar');

/** The machine's own Node, not the one npm puts first: the command line must run on the oldest it promises. */
const PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((dir) => !dir.includes('node_modules'))
  .join(delimiter);

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Call {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Record<string, string>;
  /** A program with its arguments that runs the command in its turn. */
  readonly through?: readonly string[];
}

/** A running command. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves once stdout and stderr together hold this. */
  saw(text: string): Promise<void>;
}

/** A folder of its own with real processes: home, configuration, repositories. */
export class Desk {
  readonly dir = mkdtempSync(join(tmpdir(), 'hangar-cli-test-'));
  readonly env: Record<string, string>;

  constructor(more: Record<string, string> = {}) {
    mkdirSync(this.path('home'));
    this.env = {
      PATH,
      HOME: this.path('home'),
      HANGAR_CONFIG_DIR: this.path('config'),
      TMPDIR: this.path('home'),
      TERM: 'xterm',
      LANG: 'C.UTF-8',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Ada',
      GIT_AUTHOR_EMAIL: 'ada@example.org',
      GIT_COMMITTER_NAME: 'Ada',
      GIT_COMMITTER_EMAIL: 'ada@example.org',
      // No session bus: tokens go to a file, whatever machine the tests run on.
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere',
      ...more,
    };
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  write(path: string, content: string | Buffer): string {
    const full = this.path(path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    return full;
  }

  /** Runs git in a folder of the desk and answers what it printed. */
  git(folder: string, ...args: string[]): string {
    return execFileSync('git', args, { cwd: this.path(folder), env: this.env, encoding: 'utf8', maxBuffer: 1e9 });
  }

  /** A repository with a commit of these files. */
  repo(folder: string, files: Readonly<Record<string, string | Buffer>> = { 'README.md': 'hello\n' }): string {
    mkdirSync(this.path(folder), { recursive: true });
    this.git(folder, 'init', '--quiet', '--initial-branch=main');
    for (const [name, content] of Object.entries(files)) this.write(join(folder, name), content);
    this.git(folder, 'add', '--all');
    this.git(folder, 'commit', '--quiet', '--message=first');
    return this.path(folder);
  }

  start(args: readonly string[], o: Call = {}): Running {
    const [file = BIN, ...before] = [...(o.through ?? []), BIN];
    return this.#spawn(file, [...before, ...args], o);
  }

  /** A line as a person would paste it, with hangar on the PATH. */
  shell(line: string): Running {
    return this.#spawn('sh', ['-c', line], { env: { PATH: `${dirname(BIN)}${delimiter}${PATH}` } });
  }

  #spawn(file: string, args: readonly string[], o: Pick<Call, 'cwd' | 'input' | 'env'>): Running {
    const child = spawn(file, args, {
      cwd: o.cwd === undefined ? this.dir : this.path(o.cwd),
      env: { ...this.env, ...o.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    const waiting = new Set<() => void>();
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      for (const look of waiting) look();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      for (const look of waiting) look();
    });
    child.stdin.on('error', () => {});
    child.stdin.end(o.input ?? '');
    const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
    const saw = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (!stdout.includes(text) && !stderr.includes(text)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void ended.then(({ code }) =>
          reject(new Error(`ended with ${code} before it said ${text}: ${stdout}${stderr}`)),
        );
      });
    return { child, ended, saw };
  }

  run(args: readonly string[], o: Call = {}): Promise<Ended> {
    return this.start(args, o).ended;
  }

  /** Runs a command that must work and answers the JSON it printed. */
  async json(args: readonly string[], o: Call = {}) {
    const ended = await this.run([...args, '--json'], o);
    if (ended.code !== 0)
      throw new Error(`hangar ${args.join(' ')} ended with ${ended.code}: ${ended.stdout}${ended.stderr}`);
    return JSON.parse(ended.stdout);
  }

  dispose(): void {
    // What a command has left to do beside itself may still write there.
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
