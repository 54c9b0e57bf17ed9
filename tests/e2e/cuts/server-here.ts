import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Level, pino } from 'pino';
import { type HangarServer, startServer } from '../../../apps/server/src/compose.ts';
import { readConfig } from '../../../apps/server/src/config.ts';
import { PATIENCE, type Patience } from '../../../apps/server/src/features/jobs/index.ts';
import { createTestDatabase } from '../../../apps/server/src/platform/database/testing/index.ts';
import { freePort, makeRepo, ROOT, ServerProcess } from '../server-process.ts';
import { CutProxy } from './proxy.ts';

interface SeenJob {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly finishedAt: string | null;
  readonly failure: { code: string; message: string; wayOut: string } | null;
  readonly diff: { filesChanged: number; partial: boolean } | null;
}

interface Making {
  readonly env?: Record<string, string>;
  readonly patience?: Partial<Patience>;
  /** In place of a database of its own. */
  readonly databaseUrl?: string;
  /** Before the server starts: makes a place for its data directory, and answers what undoes that. */
  readonly prepare?: (dataDir: string) => () => void;
}

/**
 * A server in this process, so that its patience can be short, with a link to cut between it and its workers; the command
 * line is the real one. Its workers are local or in containers: both come through the socket that the link takes over.
 */
export class ServerHere {
  readonly dir: string;
  readonly cli: ServerProcess;
  readonly workers: CutProxy;
  readonly said: { level: string; msg: string; [more: string]: unknown }[];
  readonly key: string;
  readonly #server: HangarServer;
  readonly #drop: () => Promise<void>;
  #count = 0;

  private constructor(parts: {
    cli: ServerProcess;
    workers: CutProxy;
    said: ServerHere['said'];
    key: string;
    server: HangarServer;
    drop: () => Promise<void>;
  }) {
    this.dir = parts.cli.dir;
    this.cli = parts.cli;
    this.workers = parts.workers;
    this.said = parts.said;
    this.key = parts.key;
    this.#server = parts.server;
    this.#drop = parts.drop;
  }

  static async start(o: Making = {}): Promise<ServerHere> {
    const database = o.databaseUrl === undefined ? await createTestDatabase() : null;
    const cli = new ServerProcess(mkdtempSync(join(tmpdir(), 'hangar-cuts-')), await freePort(), {
      HANGAR_DATABASE_URL: o.databaseUrl ?? database?.url ?? '',
      HANGAR_HEARTBEAT_SECONDS: '1',
      ...o.env,
    });
    const undo = o.prepare?.(join(cli.dir, 'data'));
    const said: ServerHere['said'] = [];
    const log = pino(
      { level: 'info', formatters: { level: (level) => ({ level: level as Level }) } },
      { write: (line) => void said.push(JSON.parse(line)) },
    );
    const server = await startServer({
      config: readConfig({ ...cli.env, PATH: process.env.PATH }),
      files: {
        workerFile: join(ROOT, 'packages/worker/dist/worker.mjs'),
        nodeFile: process.execPath,
        webDir: join(ROOT, 'apps/web/dist'),
        jobTemplateFile: join(ROOT, 'deploy/k8s/job-template.yaml'),
      },
      log,
      patience: { ...PATIENCE, ...o.patience },
    });
    const socket = join(cli.dir, 'data/run/worker/worker.sock');
    const real = join(cli.dir, 'data/run/worker/real.sock');
    renameSync(socket, real);
    const workers = await CutProxy.open({ path: real }, { path: socket });
    const { key } = await server.adminKey();
    const drop = async () => {
      undo?.();
      await database?.drop();
    };
    return new ServerHere({ cli, workers, said, key, server, drop });
  }

  /** A first sign-in link; it works once. */
  signInLink(): string {
    return this.#server.firstSignInLink ?? '';
  }

  /** What the command line needs to reach this server, over a link when one is given. */
  env(over?: CutProxy): Record<string, string> {
    return { HANGAR_TOKEN: this.key, ...(over ? { HANGAR_SERVER: over.url } : {}) };
  }

  /** Sends a job that runs these lines of shell; resolves with its id. */
  async send(script: string, options: readonly string[] = []): Promise<string> {
    const name = `job-${this.#count++}`;
    const repo = await makeRepo(join(this.dir, name));
    const file = join(this.dir, `${name}.md`);
    writeFileSync(file, `# ${name}\n\n\`\`\`sh\n${script}\n\`\`\`\n`);
    const sent = await this.cli.hangar(['run', '--cloud', '--spec', file, '--json', ...options], {
      cwd: repo,
      env: this.env(),
    });
    if (sent.exitCode !== 0)
      throw new Error(`cannot send: ${sent.stdout}${sent.stderr}${JSON.stringify(this.said.slice(-3))}`);
    return (JSON.parse(sent.stdout) as SeenJob).id;
  }

  async job(id: string): Promise<SeenJob> {
    const answer = await this.get(`/jobs/${id}`);
    return (await answer.json()) as SeenJob;
  }
  get(path: string, over?: CutProxy): Promise<Response> {
    return fetch(`${over?.url ?? this.cli.url}/api${path}`, { headers: { authorization: `Bearer ${this.key}` } });
  }

  /** Looks at a job until it is as wanted; what it was on the way is in `states` and `reasons`. */
  async watch(
    id: string,
    until: (job: SeenJob) => boolean,
    ms = 120_000,
  ): Promise<{ job: SeenJob; states: string[]; reasons: string[] }> {
    const states: string[] = [];
    const reasons: string[] = [];
    const deadline = Date.now() + ms;
    for (;;) {
      const job = await this.job(id);
      if (states.at(-1) !== job.state) states.push(job.state);
      if (reasons.at(-1) !== job.reason) reasons.push(job.reason);
      if (until(job)) return { job, states, reasons };
      if (Date.now() > deadline) throw new Error(`${id} stays ${job.state}: ${job.reason} (${reasons.join(' | ')})`);
      await sleep(200);
    }
  }
  ended(id: string, ms?: number) {
    return this.watch(id, ({ finishedAt }) => finishedAt !== null, ms);
  }
  /** Until the log has a line with these words. */
  async saw(id: string, words: string): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!(await this.log(id)).some((line) => line.includes(words))) {
      if (Date.now() > deadline) throw new Error(`${id} never says ${words}`);
      await sleep(200);
    }
  }
  async log(id: string): Promise<string[]> {
    const answer = await this.get(`/jobs/${id}/logs?format=text`);
    return (await answer.text()).split('\n');
  }

  async close(): Promise<void> {
    await this.workers.close();
    await this.#server.close(AbortSignal.timeout(10_000));
    // A job that still runs would wait for a server to come back.
    endProcessesOf(this.dir);
    await this.#drop();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function endProcessesOf(dir: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`${dir}/data/units/`))
        process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Shell that prints `line 1` to `line n`, one each so many seconds, and changes a file. */
export const counting = (n: number, seconds: number): string =>
  `i=1; while [ $i -le ${n} ]; do echo "line $i"; i=$((i+1)); sleep ${seconds}; done; echo done > result.txt`;
export const countedTo = (n: number): string[] => Array.from({ length: n }, (_, index) => `line ${index + 1}`);
/** The lines of `counting` among others. */
export const counted = (lines: readonly string[]): string[] =>
  lines.map((line) => line.trim()).filter((line) => /^line \d+$/.test(line));
