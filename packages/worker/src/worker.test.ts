import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkOrder } from '@hangar/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleOf, git, makeOrder, makeRepo, tempFolders } from './testing/fixtures.ts';
import { startGitServer } from './testing/git-server.ts';
import { ProtocolServer } from './testing/protocol-server.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

/** The bundle, as it is brought into containers. */
const MAIN = join(temp.make(), 'worker.mjs');
beforeAll(() => {
  execFileSync(process.execPath, [new URL('../build.mjs', import.meta.url).pathname, MAIN]);
});

/** The machine's own Node, often older than the one the tests run on. */
const SYSTEM_NODE = ['/usr/bin/node', '/usr/local/bin/node'].find((file) => existsSync(file));

interface Setup {
  readonly server: ProtocolServer;
  readonly url: string;
  readonly dir: string;
  readonly repo: { dir: string; commit: string };
  /** Starts the worker process; resolves when it has ended. */
  run(node?: string): { pid: number; ended: Promise<{ code: number | null; stderr: string }> };
}

async function setup(over: Partial<WorkOrder>, socket = false): Promise<Setup> {
  const base = temp.make();
  const repo = makeRepo(join(base, 'repo'), { 'a.txt': 'one\n' });
  const server = new ProtocolServer(
    makeOrder({
      repo: { url: null, ref: null, commit: repo.commit, bundle: true, patch: false, allowLocal: true },
      ...over,
    }),
  );
  server.uploads.bundle = bundleOf(repo.dir, join(base, 'bundle'));
  const url = await server.start(socket ? join(base, 'worker.sock') : undefined);
  const dir = join(base, 'work');
  mkdirSync(dir);
  return {
    server,
    url,
    dir,
    repo,
    run: (node = process.execPath) => {
      const child = spawn(node, ['--no-warnings', MAIN], {
        env: { PATH: process.env.PATH, HANGAR_WORKER_URL: url, HANGAR_WORKER_DIR: dir },
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      let stderr = '';
      child.stderr.on('data', (text) => {
        stderr += text;
      });
      child.stdin.write(`${server.token}\n`);
      return {
        pid: child.pid ?? 0,
        ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr }))),
      };
    },
  };
}

const applied = (repo: string, diff: Buffer): void => {
  writeFileSync(join(repo, '..', 'the.diff'), diff);
  git(repo, 'apply', '--index', '../the.diff');
};

describe('worker process', () => {
  test('bundle, shell blocks, diff, finish over HTTP', async () => {
    const s = await setup({
      spec: '# Add\n\n```sh\necho hello > hello.txt; echo out; echo err >&2\n```\n\n```sh\nmkdir d; echo x > d/y\n```\n',
    });
    const { code, stderr } = await s.run().ended;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(s.server.finish).toMatchObject({ outcome: 'succeeded', exitCode: 0, failure: null });
    expect(s.server.finish?.diff).toMatchObject({ filesChanged: 2, insertions: 2, deletions: 0, partial: false });
    expect(s.server.texts('stdout')).toEqual(['out']);
    expect(s.server.texts('stderr')).toEqual(['err']);
    expect(s.server.reports.map((report) => report.phase)).toEqual(['cloning', 'running', 'collecting']);
    expect(s.server.reports[1]?.commit).toBe(s.repo.commit);
    const diff = s.server.artifacts.get('diff');
    expect(diff).toMatchObject({ kind: 'diff', partial: false });
    applied(s.repo.dir, diff?.bytes ?? Buffer.alloc(0));
    expect(readFileSync(join(s.repo.dir, 'hello.txt'), 'utf8')).toBe('hello\n');
    expect(existsSync(join(s.repo.dir, 'd/y'))).toBe(true);
    expect(s.server.complaints).toEqual([]);
    await s.server.stop();
  });

  test.skipIf(SYSTEM_NODE === undefined)('on the system Node (needs one in /usr/bin)', async () => {
    const s = await setup({});
    expect(await s.run(SYSTEM_NODE).ended).toMatchObject({ code: 0 });
    expect(s.server.finish).toMatchObject({ outcome: 'succeeded', diff: { filesChanged: 1 } });
    await s.server.stop();
  });

  test('over a unix socket; a second worker is sent away', async () => {
    const s = await setup({ spec: blocks('echo one; sleep 1') }, true);
    const first = s.run();
    await until(() => s.server.texts('stdout').length > 0);
    const second = await s.run().ended;
    expect(second.code).toBe(3);
    expect((await first.ended).code).toBe(0);
    expect(s.server.finish?.outcome).toBe('succeeded');
    await s.server.stop();
  });

  test('a wrong token, or none: stops at once', async () => {
    const s = await setup({});
    const child = spawn(process.execPath, ['--no-warnings', MAIN], {
      env: { PATH: process.env.PATH, HANGAR_WORKER_URL: s.url, HANGAR_WORKER_DIR: s.dir },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin.end('wrong\n');
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(3);
    await s.server.stop();
  });

  test('cancel by the server, fence by the server, TERM to the worker', async () => {
    const spec = blocks('echo x > x; echo ready; sleep 1000');
    const cancelled = await setup({ spec });
    const one = cancelled.run();
    await until(() => cancelled.server.texts('stdout').includes('ready'));
    cancelled.server.cancelWith('Cancelled by Ada.');
    expect((await one.ended).code).toBe(0);
    expect(cancelled.server.finish).toMatchObject({
      outcome: 'cancelled',
      reason: 'Cancelled by Ada.',
      diff: { filesChanged: 1, partial: true },
    });
    expect(cancelled.server.artifacts.get('diff')?.partial).toBe(true);

    const told = await setup({ spec });
    const two = told.run();
    await until(() => told.server.texts('stdout').includes('ready'));
    process.kill(two.pid, 'SIGTERM');
    expect((await two.ended).code).toBe(0);
    expect(told.server.finish).toMatchObject({ outcome: 'cancelled', reason: /SIGTERM/ });

    const fenced = await setup({ spec, heartbeatSeconds: 1 });
    const three = fenced.run();
    await until(() => fenced.server.texts('stdout').includes('ready'));
    fenced.server.fenced = true;
    expect((await three.ended).code).toBe(3);
    expect(fenced.server.finish).toBeNull();
    for (const s of [cancelled, told, fenced]) await s.server.stop();
  });

  test('answers lost, errors, a server that is away for a while: each line once and in order', async () => {
    const s = await setup({ spec: blocks('for n in $(seq 1 120); do echo "line $n"; sleep 0.02; done') });
    const next = randomFrom(7);
    s.server.mishap = (_, n) =>
      n < 3
        ? null
        : ((['drop', 'after', '500', '503', null, null, null, null] as const)[Math.floor(next() * 8)] ?? null);
    const worker = s.run();
    await until(() => s.server.texts('stdout').length > 20);
    await s.server.stop();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await s.server.start();
    const { code, stderr } = await worker.ended;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(s.server.texts('stdout')).toEqual(Array.from({ length: 120 }, (_, n) => `line ${n + 1}`));
    expect(s.server.duplicates).toBeGreaterThan(0);
    expect(s.server.complaints).toEqual([]);
    expect(s.server.finish).toMatchObject({ outcome: 'succeeded' });
    await s.server.stop();
  });

  test('100 MB while the server is away: memory stays bounded, nothing is lost', async () => {
    const s = await setup({
      spec: blocks(
        "sleep 1; yes 'a line of fifty characters, give or take a few more' | head -c 100000000; echo; echo last",
      ),
      limits: { logBytes: 300e6, artifactBytes: 1e6 },
    });
    const worker = s.run();
    await until(() => s.server.reports.some(({ phase }) => phase === 'running'));
    await s.server.stop();
    await until(() => existsSync(join(s.dir, 'spool')) && sizeOf(join(s.dir, 'spool')) > 90_000_000, 60_000);
    const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${worker.pid}/status`, 'utf8'))?.[1]);
    await s.server.start();
    expect((await worker.ended).code).toBe(0);
    const out = s.server.texts('stdout');
    expect(out.at(-1)).toBe('last');
    expect(out.reduce((sum, line) => sum + line.length + 1, 0)).toBe(100_000_000 + 1 + 5);
    expect(peak).toBeLessThan(400_000);
    expect(s.server.complaints).toEqual([]);
    await s.server.stop();
  }, 120_000);

  test('no secret anywhere: log, files, processes, configuration', async () => {
    const base = temp.make();
    makeRepo(join(base, 'work'), { 'a.txt': 'a\n' });
    git(base, 'clone', '-q', '--bare', 'work', 'repo.git');
    const secret = 'ghp_Topsecret5678abcd';
    const gitServer = await startGitServer(base, { user: 'x', password: secret });
    const variable = 'sk-verysecret-000111';
    const s = await setup({
      repo: {
        url: `${gitServer.url}/repo.git`,
        ref: null,
        commit: null,
        bundle: false,
        patch: false,
        allowLocal: true,
      },
      credential: { kind: 'https-token', host: null, username: 'x', value: secret, knownHosts: null },
      env: { API_KEY: variable },
      spec: blocks(
        'echo "key $API_KEY"; printf %s "$API_KEY" | base64; git config -l; git remote -v; env; cat /proc/$PPID/environ; echo; echo ready; sleep 2',
      ),
    });
    const worker = s.run();
    await until(() => s.server.texts('stdout').includes('ready'));
    const token = s.server.token;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const read = (name: string) => {
        try {
          return readFileSync(`/proc/${pid}/${name}`, 'latin1');
        } catch {
          return '';
        }
      };
      for (const hidden of [secret, token]) expect(read('environ').includes(hidden), pid).toBe(false);
      for (const hidden of [secret, token, variable]) expect(read('cmdline').includes(hidden), pid).toBe(false);
    }
    const { code, stderr } = await worker.ended;
    expect(code).toBe(0);
    const said = `${stderr}\n${s.server.lines.map(({ text }) => text).join('\n')}`;
    expect(said).toContain('key ***');
    for (const hidden of [secret, token, variable]) {
      expect(said).not.toContain(hidden);
      expect(said).not.toContain(Buffer.from(hidden).toString('base64'));
      for (const entry of readdirSync(s.dir, { recursive: true, withFileTypes: true }))
        if (entry.isFile())
          expect(readFileSync(join(entry.parentPath, entry.name), 'latin1').includes(hidden), entry.name).toBe(false);
    }
    await gitServer.close();
    await s.server.stop();
  });
});

function sizeOf(dir: string): number {
  return readdirSync(dir).reduce(
    (sum, name) => sum + (statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

async function until(condition: () => boolean, ms = 20_000): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('What was waited for did not come');
}

const blocks = (...all: string[]): string =>
  `# Do it\n\n${all.map((block) => `\`\`\`sh\n${block}\n\`\`\`\n`).join('\n')}`;

/** mulberry32: the same mishaps at every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
