import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

export const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'apps/server/dist/main.mjs');
export const HANGAR = join(ROOT, 'bin/hangar');

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** A real server in a process of its own, on a data directory of its own. */
export class ServerProcess {
  readonly dir: string;
  readonly port: number;
  readonly env: Record<string, string>;
  output = '';
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();

  constructor(dir: string, port: number, extra: Record<string, string> = {}) {
    this.dir = dir;
    this.port = port;
    this.env = {
      HANGAR_DATA_DIR: join(dir, 'data'),
      HANGAR_PORT: String(port),
      HANGAR_MASTER_KEY_FILE: join(dir, 'keys/master.key'),
      HANGAR_HEARTBEAT_SECONDS: '2',
      // The git servers of the tests are on loopback.
      HANGAR_ALLOW_LOCAL_REPOS: 'true',
      ...extra,
    };
  }

  static async make(extra: Record<string, string> = {}): Promise<ServerProcess> {
    const dir = mkdtempSync(join(tmpdir(), 'hangar-e2e-'));
    return new ServerProcess(dir, await freePort(), extra);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when the process that was started last has ended, in whatever way. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /** `out`: where its words go, a descriptor or a pipe that nobody reads; else they are kept in `output`. */
  async start({ out = 'pipe' }: { out?: 'pipe' | 'closed' | number } = {}): Promise<this> {
    const to = out === 'closed' ? 'pipe' : out;
    const child = spawn(process.execPath, [MAIN, 'start'], {
      env: { ...baseEnv(), ...this.env },
      stdio: ['ignore', to, to],
    });
    this.#child = child;
    this.#exited = new Promise((done) => child.once('exit', () => done()));
    for (const stream of [child.stdout, child.stderr]) {
      if (out === 'closed') stream?.destroy();
      else
        stream?.setEncoding('utf8').on('data', (text: string) => {
          this.output += text;
        });
    }
    const deadline = Date.now() + 120_000;
    while (Date.now() < deadline) {
      if (child.exitCode !== null || child.signalCode !== null) break;
      const ready = await fetch(`${this.url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return this;
      await sleep(50);
    }
    throw new Error(`the server did not become ready:\n${this.output}`);
  }

  kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    const gone = new Promise<void>((done) => child.once('exit', () => done()));
    child.kill(signal);
    return gone;
  }

  async adminKey(): Promise<string> {
    const { stdout } = await execa(process.execPath, [MAIN, 'admin-key'], {
      env: { ...baseEnv(), ...this.env },
      extendEnv: false,
    });
    return stdout.trim();
  }

  /** The same with what it prints as bytes. */
  async hangarBytes(args: readonly string[], input: Uint8Array) {
    const run = await execa(HANGAR, args, {
      ...{ env: { ...baseEnv(), ...this.cliEnv() }, extendEnv: false, reject: false, timeout: 120_000 },
      ...{ input, encoding: 'buffer' },
    });
    return { exitCode: run.exitCode, stdout: Buffer.from(run.stdout ?? []), stderr: String(run.stderr) };
  }

  /** The CLI as a person uses it, with a configuration of its own; never throws on an exit code. */
  hangar(
    args: readonly string[],
    o: { cwd?: string; input?: string; env?: Record<string, string>; timeoutMs?: number } = {},
  ) {
    return execa(HANGAR, args, {
      env: { ...baseEnv(), ...this.cliEnv(), ...o.env },
      extendEnv: false,
      reject: false,
      timeout: o.timeoutMs ?? 120_000,
      ...(o.cwd === undefined ? {} : { cwd: o.cwd }),
      ...(o.input === undefined ? { stdin: 'ignore' as const } : { input: o.input }),
    });
  }
  cliEnv(): Record<string, string> {
    return {
      HANGAR_CONFIG_DIR: join(this.dir, 'cfg'),
      HANGAR_SERVER: this.url,
      HOME: join(this.dir, 'home'),
      NO_COLOR: '1',
    };
  }

  async signIn(): Promise<string> {
    const key = await this.adminKey();
    const { exitCode, stderr } = await this.hangar(['cloud', 'login', '--with-token'], { input: key });
    if (exitCode !== 0) throw new Error(`cannot sign in: ${stderr}`);
    return key;
  }

  async remove(): Promise<void> {
    await this.kill('SIGTERM');
    endUnits(join(this.dir, 'data/units'));
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Workers of jobs that still run outlive their server, as they should; those of a test would wait for it for a day. */
function endUnits(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    try {
      const { pid } = JSON.parse(readFileSync(join(folder, name, 'unit.json'), 'utf8')) as { pid: number };
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Never started, or ended already.
    }
  }
}

function baseEnv(): Record<string, string> {
  const { PATH = '', LANG = 'C.UTF-8', TMPDIR } = process.env;
  return { PATH, LANG, ...(TMPDIR === undefined ? {} : { TMPDIR }) };
}

/** A small git repository with one commit and no remote. */
export async function makeRepo(
  dir: string,
  files: Record<string, string> = { 'README.md': '# A repository\n' },
): Promise<string> {
  mkdirSync(dir, { recursive: true });
  const git = (...args: string[]) =>
    execa('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', ...args], { cwd: dir });
  await git('init', '-q', '-b', 'main');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(dir, name, '..'), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  await git('add', '-A');
  await git('commit', '-q', '-m', 'Begin');
  return dir;
}
