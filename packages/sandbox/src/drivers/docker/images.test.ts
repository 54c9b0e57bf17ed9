import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { DockerSettings } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Brought } from '../../port/brought.ts';
import type { Reach } from '../../port/driver.ts';
import type { UnitKey, UnitSpec } from '../../port/unit.ts';
import { profileWith } from '../../testing/profile.ts';
import { SCRIPTED_WORKER } from '../../testing/scripted-worker.ts';
import { openWorkerDesk, type WorkerDesk } from '../../testing/worker-desk.ts';
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
  const made: UnitKey[] = [];
  const said: string[] = [];
  const call = () => ({ signal: AbortSignal.timeout(60_000), say: (reason: string) => void said.push(reason) });
  const reach = (more: Record<string, unknown> = {}, limits = {}): Reach =>
    createDockerDriver({ brought: desk.brought, log }).forProfile(profileWith({ ...settings, ...more }, limits));
  const profile = (more?: Record<string, unknown>, limits?: object) => reach(more, limits).units;

  beforeAll(async () => {
    if ('skipped' in docker) return;
    desk = await openWorkerDesk(process.execPath);
    engine = createEngine(docker.host);
    image = docker.image;
    settings = { host: docker.host, image, network: 'none' };
  });
  afterAll(async () => {
    if (!desk) return;
    for (const key of made) await profile().remove(key, call());
    await desk[Symbol.asyncDispose]();
  }, 60_000);

  function request(order: Record<string, unknown>, more: Partial<UnitSpec> = {}) {
    const name = `img${process.pid}x${count++}`;
    const input = JSON.stringify({ run: name, ...order });
    const spec: UnitSpec = {
      ...{ key: { id: `j_${name}`, attempt: 1 }, program: { kind: 'brought', name: 'worker', input } },
      ...{ image: null, resources: {}, deadlineSeconds: 60, ...more },
    };
    made.push(spec.key);
    return { name, spec };
  }
  async function ended({ key }: UnitSpec) {
    const units = profile();
    await expect.poll(async () => (await units.inspect(key, call())).kind, { timeout: 30_000 }).toBe('exited');
    return units.inspect(key, call());
  }
  const variant = async (kind: 'slim' | 'without-git') => {
    const found = await dockerForTests({ kind });
    if ('skipped' in found) throw new Error(found.skipped);
    return found.image;
  };

  test('an image without libstdc++ runs the worker, and the agent sees nothing of how', async () => {
    const slim = await variant('slim');
    const { name, spec } = request(
      { do: 'look', commands: { env: ['env'], git: ['git', '--version'] } },
      { image: slim },
    );
    await profile().ensure(spec, call());
    const seen = await desk.heard(name, 'up');
    expect(JSON.stringify(seen.ran)).not.toContain('LD_LIBRARY_PATH');
    expect(seen.env).not.toHaveProperty('LD_LIBRARY_PATH');
    expect(seen.ran).toMatchObject({ git: expect.stringMatching(/^0 git version/) });
  });

  test('a worker past its deadline is ended while no server looks, and it is said', async () => {
    const { name, spec } = request({ do: 'wait' }, { deadlineSeconds: 3 });
    await profile().ensure(spec, call());
    await desk.heard(name, 'up');
    expect(await ended(spec)).toMatchObject({ exitCode: 137, code: 'job_timeout' });
    expect(desk.of(name, 'term')).toEqual([]);
  });

  test('an image without git is unsuitable, and says why', async () => {
    const { spec } = request({ do: 'exit' }, { image: await variant('without-git') });
    await profile().ensure(spec, call());
    expect(await ended(spec)).toMatchObject({ code: 'image_unsuitable', reason: 'The image has no git' });
  });

  test('an image without a shell is unsuitable, and says why', async () => {
    const empty = await importImage('empty', ['-C', '/etc', 'hostname']);
    const { spec } = request({ do: 'exit' }, { image: empty });
    await profile().ensure(spec, call());
    expect(await ended(spec)).toMatchObject({ code: 'image_unsuitable', reason: 'The image has no shell' });
  });

  test('an image that is not there is not found', async () => {
    const { spec } = request({ do: 'exit' }, { image: 'hangar-test:no-such-tag' });
    await expect(profile({ pull: 'never' }).ensure(spec, call())).rejects.toMatchObject({ code: 'image_not_found' });
    const bad = request({ do: 'exit' }, { image: 'Not An Image' });
    await expect(profile().ensure(bad.spec, call())).rejects.toMatchObject({ code: 'image_not_found' });
  });

  test('a registry out of reach is unavailable, not a missing image', async () => {
    const { spec } = request({ do: 'exit' }, { image: '127.0.0.1:1/some/image:1' });
    said.length = 0;
    await expect(profile().ensure(spec, call())).rejects.toMatchObject({ code: 'driver_unavailable' });
    expect(said).toContain('Pulling image 127.0.0.1:1/some/image:1');
  });

  test('the container has its limits, few capabilities and no more', async () => {
    const resources = { cpus: 0.5, memoryBytes: 128 * 1024 * 1024 };
    const { name, spec } = request({ do: 'wait' }, { resources });
    await profile({}, { pids: 77, cpus: 1 }).ensure(spec, call());
    await desk.heard(name, 'up');
    expect(await engine.json('GET', `/containers/${containerName(spec.key)}/json`, call())).toMatchObject({
      Config: {
        Labels: { 'hangar.instance': desk.brought.instanceId, 'hangar.job': spec.key.id, 'hangar.attempt': '1' },
      },
      HostConfig: {
        ...{ NanoCpus: 500_000_000, Memory: resources.memoryBytes, MemorySwap: resources.memoryBytes, PidsLimit: 77 },
        ...{ Init: true, Privileged: false, AutoRemove: false, SecurityOpt: ['no-new-privileges'], CapDrop: ['ALL'] },
      },
    });
    const seen = request({ do: 'look', write: ['/hangar/x', '/run/hangar/x'], list: ['/hangar'] });
    await profile().ensure(seen.spec, call());
    const message = await desk.heard(seen.name, 'up');
    expect(message.write).toMatchObject({ '/hangar/x': 'error EROFS', '/run/hangar/x': 'error EROFS' });
    expect(message.status).toMatch(/^NoNewPrivs:\s*1$/m);
    expect(message.status).toMatch(/^CapEff:\s*00000000000000fb$/m);
  });

  test('a machine in hand wants nothing of the image but a shell, and gets nothing of ours but the way to this server', async () => {
    const bare = await variant('without-git');
    const image = await commit(bare, 'with-entrypoint', 'ENTRYPOINT ["/no/such/program"]');
    const { spec } = request({}, { image, program: { kind: 'hold' }, deadlineSeconds: null });
    await profile().ensure(spec, call());
    expect(await profile().inspect(spec.key, call())).toEqual({ kind: 'running' });
    expect(await engine.json('GET', `/containers/${containerName(spec.key)}/json`, call())).toMatchObject({
      Config: {
        Env: expect.not.arrayContaining([expect.stringContaining('HANGAR')]),
        Healthcheck: { Test: ['NONE'] },
        Labels: { 'hangar.job': spec.key.id, 'hangar.program': 'hold' },
      },
      HostConfig: { Init: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] },
      Mounts: [{ Destination: '/run/hangar', RW: false }],
    });
  });

  test('a machine in hand ends with its time, also while no server looks, and it is said', async () => {
    const { spec } = request({}, { program: { kind: 'hold' }, deadlineSeconds: 1 });
    await profile().ensure(spec, call());
    expect(await ended(spec)).toMatchObject({ reason: 'The time of the machine was over' });
  });

  test('an image without a shell cannot be a machine in hand, and says why', async () => {
    const empty = await importImage('empty', ['-C', '/etc', 'hostname']);
    const { spec } = request({}, { image: empty, program: { kind: 'hold' } });
    await profile().ensure(spec, call());
    expect(await ended(spec)).toMatchObject({ code: 'image_unsuitable', reason: 'The image has no shell' });
  });

  test('more CPUs than the machine has are refused in words', async () => {
    const { spec } = request({ do: 'exit' }, { resources: { cpus: 1000 } });
    await expect(profile().ensure(spec, call())).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringMatching(/CPUs/),
    });
  });

  test('a network that is not there is refused in words', async () => {
    const { spec } = request({ do: 'exit' });
    await expect(profile({ network: 'no-such-network' }).ensure(spec, call())).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringMatching(/no-such-network/),
    });
    expect(await profile().inspect(spec.key, call())).toEqual({ kind: 'missing' });
  });

  test('an image with a user of its own runs as that user', async () => {
    const plain = await commit(image, 'as-ann', 'USER ann');
    const { name, spec } = request({ do: 'look' }, { image: plain });
    await profile().ensure(spec, call());
    expect(await desk.heard(name, 'up')).toMatchObject({ uid: 1000, inFolder: 'written', inHome: 'written' });
    const checks = await reach({ image: plain }).test(call());
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  });

  /** A worker that nobody else has, so that its volume is ours alone. */
  async function ownWorker(): Promise<{ brought: Brought; units: Reach['units']; volume: string }> {
    const workerFile = path.join(desk.dir, `worker-${randomBytes(6).toString('hex')}.mjs`);
    await writeFile(workerFile, `${SCRIPTED_WORKER}\n// ${workerFile}\n`);
    const brought = { ...desk.brought, programs: { worker: { file: workerFile } } };
    const { units } = createDockerDriver({ brought, log }).forProfile(profileWith(settings));
    return { brought, units, volume: await createRuntime(engine, brought, 'x').volumeFor(process.arch) };
  }

  test('the volume removed behind its back is filled again', async () => {
    const { units, volume } = await ownWorker();
    for (let round = 0; round < 2; round += 1) {
      const { name, spec } = request({ do: 'exit' });
      await units.ensure(spec, call());
      await desk.heard(name, 'up');
      await units.remove(spec.key, call());
      await engine.json('DELETE', `/volumes/${volume}`, call());
    }
  });

  test('several servers fill the volume at once, and one that died in the middle does not block them', async () => {
    const { brought, units, volume } = await ownWorker();
    // What a server leaves that was killed while it filled.
    const body = { Image: image, Entrypoint: ['/bin/true'] };
    await engine.json('POST', '/containers/create', { ...call(), query: { name: volume }, body });
    const runtimes = [1, 2, 3].map(() => createRuntime(engine, brought, brought.instanceId, 1500));
    const filled = runtimes.map((runtime) => runtime.ensure({ ...call(), arch: process.arch, image }));
    expect(new Set(await Promise.all(filled))).toEqual(new Set([volume]));
    const { name, spec } = request({ do: 'exit' });
    await units.ensure(spec, call());
    await desk.heard(name, 'up');
    await units.remove(spec.key, call());
    await engine.json('DELETE', `/volumes/${volume}`, call());
  });

  test('sweep removes runtime volumes of older versions that nothing uses', async () => {
    const body = { Name: 'hangar-runtime-0000000000000000', Labels: { 'hangar.instance': desk.brought.instanceId } };
    await engine.json('POST', '/volumes/create', { ...call(), body });
    const report = await profile().sweep(async () => true, call());
    expect(report.removed).toEqual([`volume ${body.Name}`]);
  });

  test('settings that are not the driver’s are refused', () => {
    expect(() => reach({ host: 'ftp://x' })).toThrow(expect.objectContaining({ code: 'validation_failed' }));
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
