import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, makeRepo, ROOT, ServerProcess } from '../e2e/server-process.ts';

const COMPOSE = join(ROOT, 'deploy/docker/docker-compose.yaml');
const DEVELOPMENT = join(ROOT, 'docker-compose.yaml');
const BUILD_MS = 15 * 60_000;
const WORKER_IMAGE = 'hangar-worker-test';

const docker = (args: readonly string[], o: { timeoutMs?: number; env?: Record<string, string> } = {}) =>
  execa('docker', args, {
    cwd: ROOT,
    reject: false,
    timeout: o.timeoutMs ?? 60_000,
    all: true,
    env: { DOCKER_BUILDKIT: '1', ...o.env },
  });

const socket = (process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace('unix://', '');
const skipped = await why();
if (skipped !== null) it('the compose file', ({ skip }) => skip(skipped));
else {
  describe('the compose file', onDocker);
  describe('the compose file for development', besideTheServer);
}

async function why(): Promise<string | null> {
  if (process.env.HANGAR_TEST_COMPOSE !== '1') return 'make test-compose builds the images and starts it';
  if (!existsSync(socket)) return `no Docker Engine at ${socket} (DOCKER_HOST)`;
  const { exitCode, all } = await docker(['compose', 'version']);
  return exitCode === 0 ? null : `no Docker Compose here: ${all.slice(0, 200)}`;
}

/** One after the other: build, start, jobs, restart, take down. */
function onDocker(): void {
  const name = `hangar-test-${randomBytes(4).toString('hex')}`;
  let client: ServerProcess;
  let repo: string;
  let dir: string;
  /** Files of the worker that others on this Docker brought there. */
  let before: readonly string[];

  const runtimes = async () =>
    (await docker(['volume', 'ls', '--quiet', '--filter', 'name=hangar-runtime-'])).stdout.split('\n').filter(Boolean);
  async function compose(...args: readonly string[]): Promise<string> {
    const all = ['compose', '--project-name', name, '--env-file', join(dir, 'env'), '--file', COMPOSE, ...args];
    const done = await docker(all, { timeoutMs: BUILD_MS });
    if (done.exitCode !== 0) throw new Error(`docker ${all.join(' ')}: ${done.all}`);
    return done.stdout;
  }
  async function hangar(...args: readonly string[]): Promise<string> {
    const done = await client.hangar(args, { cwd: repo });
    expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    return done.stdout;
  }
  function spec(file: string, script: string): string {
    writeFileSync(join(dir, file), `# ${file}\n\n\`\`\`sh\n${script}\n\`\`\`\n`);
    return join(dir, file);
  }

  beforeAll(async () => {
    before = await runtimes();
    dir = mkdtempSync(join(tmpdir(), 'hangar-compose-'));
    const port = await freePort();
    // Only its command line is used: the server is the one in the container.
    client = new ServerProcess(dir, port);
    writeFileSync(
      join(dir, 'env'),
      [
        `POSTGRES_PASSWORD=${randomBytes(24).toString('hex')}`,
        `OBJECT_STORE_SECRET=${randomBytes(24).toString('hex')}`,
        `HANGAR_PUBLIC_URL=http://127.0.0.1:${port}`,
        `HANGAR_PORT=${port}`,
        `HANGAR_JOBS_NETWORK=${name}-jobs`,
        `DOCKER_GROUP=${statSync(socket).gid}`,
        `DOCKER_SOCKET=${socket}`,
      ].join('\n'),
    );
    repo = await makeRepo(join(dir, 'repo'));
    const worker = ['build', '--quiet', '-f', 'deploy/docker/worker.Dockerfile', '-t', WORKER_IMAGE, '.'];
    const built = await docker(worker, { timeoutMs: BUILD_MS });
    expect(built.exitCode, built.all).toBe(0);
    await compose('up', '--detach', '--build', '--wait', '--wait-timeout', '120');
    const key = (await compose('exec', '-T', 'hangar', 'hangar-server', 'admin-key')).trim();
    const signedIn = await client.hangar(['cloud', 'login', '--with-token'], { input: key });
    expect(signedIn.exitCode, signedIn.stderr).toBe(0);
    await hangar('profiles', 'update', 'docker', '--set', `image=${WORKER_IMAGE}`, '--set', 'pull=never');
  }, 2 * BUILD_MS);

  afterAll(async () => {
    await compose('down', '--volumes', '--timeout', '20').catch(() => {});
    await docker(['image', 'rm', '--force', WORKER_IMAGE]);
    const made = (await runtimes()).filter((volume) => !before.includes(volume));
    if (made.length > 0) await docker(['volume', 'rm', ...made]);
    rmSync(dir, { recursive: true, force: true });
  }, 120_000);

  it('gives the server what it needs and no more', async () => {
    const id = (await compose('ps', '--quiet', 'hangar')).trim();
    const [seen] = JSON.parse((await docker(['inspect', id])).stdout) as {
      Config: { User: string };
      HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[]; PortBindings: Record<string, { HostIp: string }[]> };
    }[];
    expect(seen).toMatchObject({ Config: { User: '10001:10001' }, HostConfig: { ReadonlyRootfs: true } });
    expect(seen?.HostConfig.CapDrop).toEqual(['ALL']);
    expect(Object.values(seen?.HostConfig.PortBindings ?? {}).flat()).toEqual([
      expect.objectContaining({ HostIp: '127.0.0.1' }),
    ]);
  });

  it('a job reaches the server and not its stores, lives through a restart of it, and its diff is pulled', async () => {
    const postgres = (await compose('ps', '--quiet', 'postgres')).trim();
    const address = (
      await docker(['inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', postgres])
    ).stdout.trim();
    const script = [
      'reach() { timeout 3 bash -c "echo > /dev/tcp/$1/$2" 2>/dev/null && echo "reached $1" || echo "no $1"; }',
      `reach hangar 7070; reach ${address} 5432; reach postgres 5432; reach object-store 8333`,
      'for i in $(seq 1 40); do echo "line $i"; sleep 0.25; done; echo hello > hello.txt',
    ].join('\n');
    const { id } = JSON.parse(await hangar('run', '--cloud', '--spec', spec('a', script), '--json')) as { id: string };
    const followed = client.hangar(['logs', id, '--follow'], { cwd: repo });
    for (let turn = 0; !(await hangar('logs', id)).includes('line 5'); turn++) {
      if (turn > 100) throw new Error(`it does not begin: ${await hangar('status', id)}`);
      await sleep(200);
    }
    await compose('restart', 'hangar');
    const { stdout } = await followed;
    expect(stdout.match(/^(reached|no) .*$/gm)).toEqual([
      'reached hangar',
      `no ${address}`,
      'no postgres',
      'no object-store',
    ]);
    expect(stdout.match(/^line \d+$/gm)).toEqual(Array.from({ length: 40 }, (_, i) => `line ${i + 1}`));
    expect(JSON.parse(await hangar('status', id, '--json'))).toMatchObject({ state: 'succeeded' });
    await hangar('pull', id);
    expect(readFileSync(join(repo, 'hello.txt'), 'utf8')).toBe('hello\n');
    await hangar('pull', '--undo');
  }, 180_000);

  it('goes, with all it made but the files of the worker', async () => {
    await compose('down', '--volumes', '--timeout', '20');
    const label = `label=com.docker.compose.project=${name}`;
    for (const kind of ['container', 'volume', 'network']) {
      const all = kind === 'container' ? ['--all'] : [];
      expect((await docker([kind, 'ls', ...all, '--quiet', '--filter', label])).stdout).toBe('');
    }
    expect((await docker(['container', 'ls', '--all', '--quiet', '--filter', `network=${name}-jobs`])).stdout).toBe('');
  }, 120_000);
}

function besideTheServer(): void {
  const name = `hangar-test-${randomBytes(4).toString('hex')}`;
  let dir: string;
  const compose = (...args: readonly string[]) =>
    docker(['compose', '-p', name, '-f', DEVELOPMENT, '-f', join(dir, 'ports.yaml'), ...args], { timeoutMs: BUILD_MS });
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'hangar-compose-'));
  });
  afterAll(async () => {
    await compose('down', '--volumes', '--timeout', '5');
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it('has a database and a bucket for a server of the checkout', async () => {
    const [database, objects] = [await freePort(), await freePort()];
    writeFileSync(
      join(dir, 'ports.yaml'),
      `services:
  postgres: { ports: !override ["127.0.0.1:${database}:5432"] }
  object-store: { ports: !override ["127.0.0.1:${objects}:8333"] }
`,
    );
    const up = await compose('up', '--detach');
    expect(up.exitCode, up.all).toBe(0);
    const server = await ServerProcess.make({
      HANGAR_DATABASE_URL: `postgres://hangar:hangar@127.0.0.1:${database}/hangar`,
      HANGAR_BLOB_URL: `s3://hangar/blobs?endpoint=http://127.0.0.1:${objects}`,
      AWS_ACCESS_KEY_ID: 'hangar',
      AWS_SECRET_ACCESS_KEY: 'hangar-development',
    });
    try {
      await server.start();
      await server.signIn();
      writeFileSync(join(dir, 'spec.md'), '# Try\n\n```sh\necho fine > fine.txt\n```\n');
      const sent = await server.hangar(['run', '--cloud', '--spec', join(dir, 'spec.md'), '--wait'], {
        cwd: await makeRepo(join(dir, 'repo')),
      });
      expect(sent.exitCode, sent.stderr).toBe(0);
      expect((await compose('exec', '-T', 'object-store', 'ls', '/data/hangar')).stdout).toContain('blobs');
    } finally {
      await server.remove();
    }
  }, 180_000);
}
