import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { DockerSettings } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Launcher, LaunchRequest, WorkerAccess } from '../../features/jobs/launch/launcher.ts';
import { SCRIPTED_WORKER } from '../../features/jobs/testing/scripted-worker.ts';
import { openWorkerDesk, type WorkerDesk } from '../../features/jobs/testing/worker-desk.ts';
import { containerName } from './container.ts';
import { createEngine, type Engine } from './engine.ts';
import { createDockerDriver } from './index.ts';
import { createRuntime } from './runtime.ts';
import { dockerForTests } from './testing/index.ts';

const run = promisify(execFile);
const log = pino({ level: 'silent' });
const docker = await dockerForTests();
const why = 'skipped' in docker ? docker.skipped : '';

describe(`docker: images, limits, the runtime volume${why && `, skipped: ${why}`}`, {
  skip: why !== '',
  timeout: 90_000,
}, () => {
  let desk: WorkerDesk;
  let engine: Engine;
  let image: string;
  let settings: Record<string, unknown>;
  let count = 0;
  const made: LaunchRequest[] = [];
  const said: string[] = [];
  const call = () => ({ signal: AbortSignal.timeout(60_000), say: (reason: string) => void said.push(reason) });
  const profile = (more: Record<string, unknown> = {}, limits = {}): Launcher =>
    createDockerDriver({ access: desk.access, log }).forProfile({
      ...{ name: 'test', settings: { ...settings, ...more }, limits },
    });

  beforeAll(async () => {
    if ('skipped' in docker) return;
    desk = await openWorkerDesk(process.execPath);
    engine = createEngine(docker.host);
    image = docker.image;
    settings = { host: docker.host, image, network: 'none' };
  });
  afterAll(async () => {
    if (!desk) return;
    for (const unit of made) await profile().remove(unit, call());
    await desk[Symbol.asyncDispose]();
  }, 60_000);

  function request(order: Record<string, unknown>, more: Partial<LaunchRequest> = {}) {
    const name = `img${process.pid}x${count++}`;
    const workerToken = JSON.stringify({ run: name, ...order });
    const unit = {
      jobId: `j_${name}`,
      attempt: 1,
      workerToken,
      image: null,
      resources: {},
      deadlineSeconds: 60,
      ...more,
    };
    made.push(unit);
    return { name, unit };
  }
  async function ended(unit: LaunchRequest) {
    const launcher = profile();
    await expect.poll(async () => (await launcher.inspect(unit, call())).kind, { timeout: 30_000 }).toBe('exited');
    return launcher.inspect(unit, call());
  }
  const variant = async (kind: 'slim' | 'without-git') => {
    const found = await dockerForTests({ kind });
    if ('skipped' in found) throw new Error(found.skipped);
    return found.image;
  };

  test('an image without libstdc++ runs the worker, and the agent sees nothing of how', async () => {
    const slim = await variant('slim');
    const { name, unit } = request(
      { do: 'look', commands: { env: ['env'], git: ['git', '--version'] } },
      { image: slim },
    );
    await profile().launch(unit, call());
    const seen = await desk.heard(name, 'up');
    expect(JSON.stringify(seen.ran)).not.toContain('LD_LIBRARY_PATH');
    expect(seen.env).not.toHaveProperty('LD_LIBRARY_PATH');
    expect(seen.ran).toMatchObject({ git: expect.stringMatching(/^0 git version/) });
  });

  test('a worker past its deadline is ended while no server looks, and it is said', async () => {
    const { name, unit } = request({ do: 'wait' }, { deadlineSeconds: 3 });
    await profile().launch(unit, call());
    await desk.heard(name, 'up');
    expect(await ended(unit)).toMatchObject({ exitCode: 137, code: 'job_timeout' });
    expect(desk.of(name, 'term')).toEqual([]);
  });

  test('an image without git is unsuitable, and says why', async () => {
    const { unit } = request({ do: 'exit' }, { image: await variant('without-git') });
    await profile().launch(unit, call());
    expect(await ended(unit)).toMatchObject({ code: 'image_unsuitable', reason: 'The image has no git' });
  });

  test('an image without a shell is unsuitable, and says why', async () => {
    const empty = await importImage('empty', ['-C', '/etc', 'hostname']);
    const { unit } = request({ do: 'exit' }, { image: empty });
    await profile().launch(unit, call());
    expect(await ended(unit)).toMatchObject({ code: 'image_unsuitable', reason: 'The image has no shell' });
  });

  test('an image that is not there is not found', async () => {
    const { unit } = request({ do: 'exit' }, { image: 'hangar-test:no-such-tag' });
    await expect(profile({ pull: 'never' }).launch(unit, call())).rejects.toMatchObject({ code: 'image_not_found' });
    const bad = request({ do: 'exit' }, { image: 'Not An Image' });
    await expect(profile().launch(bad.unit, call())).rejects.toMatchObject({ code: 'image_not_found' });
  });

  test('a registry out of reach is unavailable, not a missing image', async () => {
    const { unit } = request({ do: 'exit' }, { image: '127.0.0.1:1/some/image:1' });
    said.length = 0;
    await expect(profile().launch(unit, call())).rejects.toMatchObject({ code: 'driver_unavailable' });
    expect(said).toContain('Pulling image 127.0.0.1:1/some/image:1');
  });

  test('the container has its limits, few capabilities and no more', async () => {
    const resources = { cpus: 0.5, memoryBytes: 128 * 1024 * 1024 };
    const { name, unit } = request({ do: 'wait' }, { resources });
    await profile({}, { pids: 77, cpus: 1 }).launch(unit, call());
    await desk.heard(name, 'up');
    expect(await engine.json('GET', `/containers/${containerName(unit)}/json`, call())).toMatchObject({
      Config: {
        Labels: { 'hangar.instance': desk.access.instanceId, 'hangar.job': unit.jobId, 'hangar.attempt': '1' },
      },
      HostConfig: {
        ...{ NanoCpus: 500_000_000, Memory: resources.memoryBytes, MemorySwap: resources.memoryBytes, PidsLimit: 77 },
        ...{ Init: true, Privileged: false, AutoRemove: false, SecurityOpt: ['no-new-privileges'], CapDrop: ['ALL'] },
      },
    });
    const seen = request({ do: 'look', write: ['/hangar/x', '/run/hangar/x'], list: ['/hangar'] });
    await profile().launch(seen.unit, call());
    const message = await desk.heard(seen.name, 'up');
    expect(message.write).toMatchObject({ '/hangar/x': 'error EROFS', '/run/hangar/x': 'error EROFS' });
    expect(message.status).toMatch(/^NoNewPrivs:\s*1$/m);
    expect(message.status).toMatch(/^CapEff:\s*00000000000000fb$/m);
  });

  test('more CPUs than the machine has are refused in words', async () => {
    const { unit } = request({ do: 'exit' }, { resources: { cpus: 1000 } });
    await expect(profile().launch(unit, call())).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringMatching(/CPUs/),
    });
  });

  test('a network that is not there is refused in words', async () => {
    const { unit } = request({ do: 'exit' });
    await expect(profile({ network: 'no-such-network' }).launch(unit, call())).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringMatching(/no-such-network/),
    });
    expect(await profile().inspect(unit, call())).toEqual({ kind: 'missing' });
  });

  test('an image with a user of its own runs as that user', async () => {
    const plain = await commit(image, 'as-ann', 'USER ann');
    const { name, unit } = request({ do: 'look' }, { image: plain });
    await profile().launch(unit, call());
    expect(await desk.heard(name, 'up')).toMatchObject({ uid: 1000, inFolder: 'written', inHome: 'written' });
    const checks = await profile({ image: plain }).test(call());
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  });

  /** A worker that nobody else has, so that its volume is ours alone. */
  async function ownWorker(): Promise<{ access: WorkerAccess; launcher: Launcher; volume: string }> {
    const workerFile = path.join(desk.dir, `worker-${randomBytes(6).toString('hex')}.mjs`);
    await writeFile(workerFile, `${SCRIPTED_WORKER}\n// ${workerFile}\n`);
    const access = { ...desk.access, workerFile };
    const launcher = createDockerDriver({ access, log }).forProfile({ name: 'test', settings, limits: {} });
    return { access, launcher, volume: await createRuntime(engine, access, 'x').volumeFor(process.arch) };
  }

  test('the volume removed behind its back is filled again', async () => {
    const { launcher, volume } = await ownWorker();
    for (let round = 0; round < 2; round += 1) {
      const { name, unit } = request({ do: 'exit' });
      await launcher.launch(unit, call());
      await desk.heard(name, 'up');
      await launcher.remove(unit, call());
      await engine.json('DELETE', `/volumes/${volume}`, call());
    }
  });

  test('several servers fill the volume at once, and one that died in the middle does not block them', async () => {
    const { access, launcher, volume } = await ownWorker();
    // What a server leaves that was killed while it filled.
    const body = { Image: image, Entrypoint: ['/bin/true'] };
    await engine.json('POST', '/containers/create', { ...call(), query: { name: volume }, body });
    const runtimes = [1, 2, 3].map(() => createRuntime(engine, access, access.instanceId, 1500));
    const filled = runtimes.map((runtime) => runtime.ensure({ ...call(), arch: process.arch, image }));
    expect(new Set(await Promise.all(filled))).toEqual(new Set([volume]));
    const { name, unit } = request({ do: 'exit' });
    await launcher.launch(unit, call());
    await desk.heard(name, 'up');
    await launcher.remove(unit, call());
    await engine.json('DELETE', `/volumes/${volume}`, call());
  });

  test('sweep removes runtime volumes of older versions that nothing uses', async () => {
    const body = { Name: 'hangar-runtime-0000000000000000', Labels: { 'hangar.instance': desk.access.instanceId } };
    await engine.json('POST', '/volumes/create', { ...call(), body });
    const report = await profile().sweep(async () => true, call());
    expect(report.removed).toEqual([`volume ${body.Name}`]);
  });

  test('settings that are not the driver’s are refused', () => {
    expect(() => profile({ host: 'ftp://x' })).toThrow(expect.objectContaining({ code: 'validation_failed' }));
    expect(DockerSettings.parse({})).toMatchObject({ host: 'unix:///var/run/docker.sock' });
  });

  async function importImage(tag: string, what: string[]): Promise<string> {
    const { stdout } = await run('tar', ['-c', ...what], { encoding: 'buffer' });
    const query = { fromSrc: '-', repo: 'hangar-test', tag };
    await engine.json('POST', '/images/create', { ...call(), query, upload: Readable.from([stdout]) });
    return `hangar-test:${tag}`;
  }

  async function commit(from: string, tag: string, change: string): Promise<string> {
    const query = { name: `hangar-test-${tag}` };
    await engine.json('POST', '/containers/create', { ...call(), query, body: { Image: from, Cmd: ['true'] } });
    const committed = { container: query.name, repo: 'hangar-test', tag, changes: change };
    await engine.json('POST', '/commit', { ...call(), query: committed });
    await engine.json('DELETE', `/containers/${query.name}`, call());
    return `hangar-test:${tag}`;
  }
});
