import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, JobDetail, Upload } from '@hangar/contract';
import { execa } from 'execa';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestDatabase } from '../../apps/server/src/platform/database/testing/index.ts';
import { type Markers, openMarkers } from '../../bench/chaos/markers.ts';
import { makeRepo, ROOT, ServerProcess } from './server-process.ts';

const MAIN = join(ROOT, 'apps/server/dist/main.mjs');
const PATIENT = { timeout: 60_000, interval: 250 };
const FINAL = ['succeeded', 'failed', 'cancelled', 'timed_out', 'lost'];

const servers: ServerProcess[] = [];
afterAll(async () => {
  for (const server of servers) await server.remove();
});

async function place(extra: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await ServerProcess.make({ HANGAR_CHECKPOINT_SECONDS: '5', ...extra });
  servers.push(server);
  return server;
}

/** A command of the server's own program, with the settings of that server; never throws on an exit code. */
function serverCommand(server: ServerProcess, ...words: string[]) {
  const { PATH = '' } = process.env;
  return execa(process.execPath, [MAIN, ...words], {
    env: { PATH, ...server.env },
    extendEnv: false,
    reject: false,
    timeout: 60_000,
  });
}

/** What the API of a server says to one key. */
function api(server: ServerProcess, key: string) {
  const call = async (method: string, path: string, body?: unknown) => {
    const bytes = body instanceof Uint8Array ? new Uint8Array(body) : null;
    const answer = await fetch(`${server.url}/api${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': bytes ? 'application/octet-stream' : 'application/json' }),
      },
      ...(body === undefined ? {} : { body: bytes ?? JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    if (!answer.ok)
      throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}\n${server.output.slice(-2000)}`);
    return answer;
  };
  const jobs = async () => ((await (await call('GET', '/jobs?limit=200')).json()) as { items: Job[] }).items;
  return {
    call,
    jobs,
    job: async (id: string) => (await (await call('GET', `/jobs/${id}`)).json()) as JobDetail,
    diff: async (id: string) => Buffer.from(await (await call('GET', `/jobs/${id}/artifacts/diff`)).arrayBuffer()),
    log: async (id: string) => (await call('GET', `/jobs/${id}/logs?format=text`)).text(),
    async upload(bytes: Uint8Array) {
      return ((await (await call('POST', '/uploads', bytes)).json()) as Upload).id;
    },
    async allEnded(ids: readonly string[], ms: number) {
      const deadline = Date.now() + ms;
      for (;;) {
        const open = (await jobs()).filter(({ id, state }) => ids.includes(id) && !FINAL.includes(state));
        if (open.length === 0) return;
        if (Date.now() > deadline)
          throw new Error(`not ended: ${open.map(({ id, state, reason }) => `${id} ${state}: ${reason}`).join('; ')}`);
        await sleep(250);
      }
    },
  };
}

/** A repository to be sent with each job. */
async function bundleOf(server: ServerProcess, to: ReturnType<typeof api>) {
  const repo = await makeRepo(join(server.dir, 'repo'));
  const file = join(server.dir, 'repo.bundle');
  execFileSync('git', ['bundle', 'create', '-q', file, 'HEAD'], { cwd: repo });
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repo, encoding: 'utf8' }).trim();
  return { name: 'tried', bundle: await to.upload(readFileSync(file)), commit };
}

/** Tells somebody outside that the agent runs. */
const mark = (port: number, name: string) =>
  `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port} && printf "GET /begin/${name}/-/- HTTP/1.0\\r\\n\\r\\n" >&3 && read -r -t 30 answer <&3'`;

const script = (name: string, lines: string) => `# ${name}\n\n\`\`\`sh\n${lines}\n\`\`\`\n`;

describe('a backup of a server under load', () => {
  let a: ServerProcess;
  let key: string;
  let file: string;
  let marks: Markers;
  const acknowledged: string[] = [];
  const titles = new Set<string>();
  let before: string[] = [];
  let takenAt = '';
  let long = '';
  let secret = '';
  /** Of jobs that had ended on the first server. */
  const diffs = new Map<string, Buffer>();
  const logs = new Map<string, string>();

  beforeAll(async () => {
    a = await (await place()).start();
    key = await a.adminKey();
    marks = await openMarkers();
    file = join(a.dir, 'hangar.tgz');
    const to = api(a, key);
    const repo = await bundleOf(a, to);
    // So that the copying of files takes a while.
    await to.upload(crypto.getRandomValues(new Uint8Array(65_536)));
    for (let at = 0; at < 12; at += 1) await to.upload(Buffer.alloc(2 * 1024 * 1024, `upload ${at} `));
    const token = { name: 'host', kind: 'https-token', host: 'git.example.org', value: 'a-token-that-is-sealed' };
    await to.call('POST', '/credentials', token);
    const submit = async (name: string, lines: string, more: Record<string, unknown> = {}) => {
      const spec = script(name, `${mark(marks.port, name)}\n${lines}`);
      const answer = await to.call('POST', '/jobs', { spec, repo, idempotencyKey: name, ...more });
      const { id } = (await answer.json()) as Job;
      acknowledged.push(id);
      titles.add(name);
      return id;
    };

    long = await submit(
      'long',
      'echo half > half.txt; i=0; while [ $i -lt 600 ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done',
    );
    let loading = true;
    const load = (async () => {
      for (let at = 0; loading && at < 16; at += 1) {
        const lines = `for i in $(seq 300); do echo "line $i of ${at}"; done; echo ${at} > made-${at}.txt`;
        await submit(`job-${at}`, lines);
        await sleep(250);
      }
    })();
    await vi.waitUntil(async () => (await to.jobs()).filter(({ state }) => state === 'succeeded').length > 2, PATIENT);
    await vi.waitUntil(async () => (await to.job(long)).diff?.partial === true, PATIENT);
    secret = await submit('secret', 'test "$SECRET" = kept && echo the secret is there', {
      credential: 'host',
      env: { SECRET: 'kept' },
    });
    before = [...acknowledged];
    takenAt = new Date().toISOString();
    const done = await serverCommand(a, 'backup', file);
    expect(done.stderr).not.toContain('warning');
    expect(done.exitCode, done.stderr).toBe(0);
    expect(done.stdout).toContain(join(a.dir, 'keys/master.key'));
    loading = false;
    await load;
    for (const { id, state } of await to.jobs())
      if (!FINAL.includes(state)) await to.call('POST', `/jobs/${id}/cancel`).catch(() => undefined);
    await to.allEnded(acknowledged, 60_000);
    for (const { id, state } of await to.jobs()) {
      logs.set(id, await to.log(id));
      if (state === 'succeeded') diffs.set(id, await to.diff(id).catch(() => Buffer.of()));
    }
  }, 180_000);

  afterAll(() => marks?.close());

  it('holds every job that was acknowledged before, elsewhere: states, logs and diffs, secrets and keys; nothing runs twice', async () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const b = await place();
    mkdirSync(join(b.dir, 'keys'));
    cpSync(join(a.dir, 'keys/master.key'), join(b.dir, 'keys/master.key'));
    const restored = await serverCommand(b, 'restore', file, '--json');
    expect(restored.exitCode, restored.stderr).toBe(0);
    const summary = JSON.parse(restored.stdout) as { jobs: number; lost: number; queued: number };
    expect(summary.jobs).toBeGreaterThanOrEqual(before.length);
    expect(summary.lost).toBeGreaterThan(0);
    const ran = (title: string) => marks.of(title, 'begin').length;
    const ranBefore = new Map([...titles].map((title) => [title, ran(title)]));

    await b.start();
    const to = api(b, key);
    const jobs = await to.jobs();
    expect(before.filter((id) => !jobs.some((job) => job.id === id))).toEqual([]);
    await to.allEnded(before, 90_000);

    const ended = new Map((await to.jobs()).map((job) => [job.id, job]));
    expect(ended.get(long)).toMatchObject({ state: 'lost', diff: { partial: true } });
    expect((await to.diff(long)).toString()).toContain('half.txt');
    expect(ended.get(secret)?.state).toBe('succeeded');
    const lost = [...ended.values()].filter(({ state }) => state === 'lost');
    expect(lost).toHaveLength(summary.lost);
    for (const job of lost) {
      expect(job.reason).toContain('restored from a backup');
      // What had come until then, whole lines in their order.
      expect(logs.get(job.id)?.startsWith(await to.log(job.id))).toBe(true);
      expect(ran(job.title), job.title).toBe(ranBefore.get(job.title));
    }
    const wasDone = [...ended.values()].filter(
      ({ state, finishedAt }) => state === 'succeeded' && (finishedAt ?? '9') < takenAt,
    );
    expect(wasDone.length).toBeGreaterThan(2);
    for (const { id, title } of wasDone) {
      expect((await to.diff(id)).equals(diffs.get(id) ?? Buffer.of()), title).toBe(true);
      expect(await to.log(id), title).toBe(logs.get(id));
      expect(ranBefore.get(title), title).toBe(1);
    }
    for (const { id, title, state } of ended.values()) {
      if (!title.startsWith('job-') || state !== 'succeeded') continue;
      const lines = (await to.log(id)).split('\n').filter((line) => line.startsWith('line '));
      expect(lines, title).toEqual(Array.from({ length: 300 }, (_, index) => `line ${index + 1} of ${title.slice(4)}`));
    }

    const again = await serverCommand(b, 'restore', file);
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain('uses this data directory');
    await b.kill('SIGTERM');
    const filled = await serverCommand(b, 'restore', file);
    expect(filled.exitCode, filled.stderr).toBe(2);
    expect(filled.stderr).toContain('--replace');
    await b.start();
    expect((await api(b, key).jobs()).length).toBe(ended.size);
    await b.kill('SIGTERM');
    const replaced = await serverCommand(b, 'restore', file, '--replace');
    expect(replaced.exitCode, replaced.stderr).toBe(0);
  }, 180_000);

  it('is refused when it is cut, or with another key or none, and then nothing was touched', async () => {
    const c = await place();
    const cut = join(c.dir, 'cut.tgz');
    cpSync(file, cut);
    truncateSync(cut, Math.floor(statSync(cut).size * 0.7));
    const broken = await serverCommand(c, 'restore', cut);
    expect(broken.exitCode).toBe(2);
    expect(broken.stderr).toContain('is not a whole backup: its end is missing');
    const keyless = await serverCommand(c, 'restore', file);
    expect(keyless.exitCode).toBe(4);
    expect(keyless.stderr).toContain('Copy the key file');
    mkdirSync(join(c.dir, 'keys'));
    writeFileSync(join(c.dir, 'keys/master.key'), `k1:${Buffer.alloc(32, 7).toString('base64')}\n`);
    expect((await serverCommand(c, 'restore', file)).exitCode).toBe(4);
    expect(existsSync(join(c.dir, 'data'))).toBe(false);
    const twice = await serverCommand(a, 'backup', file);
    expect(twice.exitCode).toBe(2);
    expect(twice.stderr).toContain('--force');
  }, 60_000);

  it('that is killed on the way leaves no file in its place, and nothing that hinders the next', async () => {
    const target = join(a.dir, 'killed.tgz');
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [MAIN, 'backup', target], { env: { PATH, ...a.env }, stdio: 'ignore' });
    const gone = new Promise((done) => child.once('exit', done));
    await expect.poll(() => existsSync(`${target}.part`), { timeout: 20_000, interval: 1 }).toBe(true);
    child.kill('SIGKILL');
    await gone;
    expect(existsSync(target)).toBe(false);
    const next = await serverCommand(a, 'backup', target);
    expect(next.exitCode, next.stderr).toBe(0);
    expect(existsSync(`${target}.part`)).toBe(false);
  }, 60_000);
});

describe('a backup of a server on a PostgreSQL of its own', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>> | undefined;
  afterEach(() => database?.drop());

  it('goes to another database, and from there to a data directory', async () => {
    database = await createTestDatabase();
    await database.pool.query('create database restored_here');
    const other = database.url.replace(/\/[^/]+$/, '/restored_here');
    expect(other).not.toBe(database.url);
    const a = await (await place({ HANGAR_DATABASE_URL: database.url })).start();
    const key = await a.adminKey();
    const repo = await bundleOf(a, api(a, key));
    const spec = script('small', 'echo hello; echo x > x.txt');
    const { id } = (await (await api(a, key).call('POST', '/jobs', { spec, repo })).json()) as Job;
    await api(a, key).allEnded([id], 30_000);
    const diff = await api(a, key).diff(id);
    const file = join(a.dir, 'hangar.tgz');
    expect((await serverCommand(a, 'backup', file)).exitCode).toBe(0);

    const b = await place({ HANGAR_DATABASE_URL: other, HANGAR_MASTER_KEY_FILE: join(a.dir, 'keys/master.key') });
    const c = await place({ HANGAR_MASTER_KEY_FILE: join(a.dir, 'keys/master.key') });
    try {
      for (const to of [b, c]) {
        const done = await serverCommand(to, 'restore', file);
        expect(done.exitCode, done.stderr).toBe(0);
        await to.start();
        expect((await api(to, key).diff(id)).equals(diff)).toBe(true);
        expect(await api(to, key).log(id)).toBe(await api(a, key).log(id));
      }
      const used = await serverCommand(b, 'restore', file, '--replace');
      expect(used.exitCode).toBe(2);
      expect(used.stderr).toContain('uses this database');
    } finally {
      await Promise.all([a, b, c].map((server) => server.kill('SIGTERM')));
      const admin = new pg.Client({ connectionString: database.url });
      await admin.connect();
      await admin.query('drop database restored_here with (force)').finally(() => admin.end());
    }
  }, 120_000);
});
