import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UnitSpec, Units } from '../../port/unit.ts';
import { profileWith } from '../../testing/profile.ts';
import { openWorkerDesk, processesWith, type WorkerDesk } from '../../testing/worker-desk.ts';
import { findBubblewrap } from './bubblewrap.ts';
import { createLocalDriver } from './index.ts';
import { readHolder, unitFolder } from './unit-folder.ts';

const run = promisify(execFile);
const log = pino({ level: 'silent' });
const { found, ...rest } = await findBubblewrap(AbortSignal.timeout(20_000));
const isRoot = process.getuid?.() === 0;

describe('what a job sees', { skip: !found, timeout: 60_000 }, () => {
  let desk: WorkerDesk;
  let dataDir: string;
  let shown: string;
  let units: Units;
  let count = 0;
  const call = () => ({ signal: AbortSignal.timeout(30_000), say: () => {} });

  beforeAll(async () => {
    desk = await openWorkerDesk(process.execPath);
    dataDir = path.join(desk.dir, 'data');
    shown = path.join(desk.dir, 'tools');
    await mkdir(path.join(shown, 'bin'), { recursive: true });
    await writeFile(path.join(shown, 'bin', 'my-agent'), '#!/bin/sh\necho I am the agent\n', { mode: 0o755 });
    await mkdir(dataDir, { mode: 0o700 });
    await writeFile(path.join(dataDir, 'secret'), 'secret');
    const driver = createLocalDriver({ brought: desk.brought, dataDir, log });
    units = driver.forProfile(profileWith({ isolation: 'bubblewrap', readable: [shown] }, { pids: 200 })).units;
  });
  afterAll(async () => {
    if (units) await units.sweep(async () => false, call());
    if (desk) await desk[Symbol.asyncDispose]();
  });

  function request(order: Record<string, unknown>, more: Partial<UnitSpec> = {}) {
    const name = `look${process.pid}x${count++}`;
    const spec = { ...worker({ id: `j_${name}`, attempt: 1 }, { run: name, ...order }), ...more };
    return { name, spec };
  }
  async function look(order: Record<string, unknown>, more: Partial<UnitSpec> = {}) {
    const { name, spec } = request({ do: 'look', ...order }, more);
    await units.ensure(spec, call());
    return desk.heard(name, 'up');
  }

  test('its work tree, its home, /tmp, and of the rest only the system', async () => {
    const seen = await look({
      list: ['/', '/usr/bin', '/etc/ssl/certs', '/root', '/home', dataDir, os.homedir(), '/job', '/tmp'],
      read: [
        '/etc/passwd',
        '/etc/resolv.conf',
        '/etc/shadow',
        '/etc/gshadow',
        '/etc/sudoers',
        path.join(dataDir, 'secret'),
      ],
      write: [
        '/usr/x',
        '/etc/x',
        '/job/a',
        '/home/job/a',
        '/tmp/a',
        '/var/tmp/b',
        '/run/hangar/x',
        '/proc/sys/kernel/hostname',
      ],
    });
    expect(seen.list).toMatchObject({ '/home': '1', '/root': 'error ENOENT', [dataDir]: 'error ENOENT' });
    expect(seen.list).toMatchObject({ '/usr/bin': expect.stringMatching(/^\d+$/) });
    if (!desk.dir.startsWith(os.homedir())) expect(seen.list).toMatchObject({ [os.homedir()]: 'error ENOENT' });
    expect(seen.read).toMatchObject({
      ...{ '/etc/passwd': expect.stringMatching(/^\d+$/), '/etc/resolv.conf': expect.stringMatching(/^\d+$/) },
      ...{ '/etc/shadow': 'error ENOENT', '/etc/gshadow': 'error ENOENT', '/etc/sudoers': 'error ENOENT' },
      [path.join(dataDir, 'secret')]: 'error ENOENT',
    });
    expect(seen.write).toMatchObject({
      ...{ '/job/a': 'written', '/home/job/a': 'written', '/tmp/a': 'written', '/var/tmp/b': 'written' },
      ...{ '/usr/x': expect.stringMatching(/^error/), '/etc/x': expect.stringMatching(/^error/) },
      ...{
        '/run/hangar/x': expect.stringMatching(/^error/),
        '/proc/sys/kernel/hostname': expect.stringMatching(/^error/),
      },
    });
  });

  test('no privilege, and no process but its own', async () => {
    const seen = await look({ commands: { id: ['id', '-un'], su: ['su', '-c', 'id'], kill: ['kill', '-9', '1'] } });
    expect(seen.uid).not.toBe(0);
    expect(seen.ran).toMatchObject({ id: '0 job\n', su: expect.not.stringMatching(/^0/) });
    expect(seen.status).toMatch(/^NoNewPrivs:\s*1$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
      expect(seen.status).toMatch(new RegExp(`^${set}:\\s*0+$`, 'm'));
    }
    expect(Number(seen.pids)).toBeLessThan(10);
  });

  test('git works in a tree of its own, ssh knows who it is, Node and the agents of a readable folder are found', async () => {
    const seen = await look({
      commands: {
        init: ['git', 'init', '-q', 'tree'],
        commit: [
          'git',
          '-C',
          'tree',
          '-c',
          'user.name=a',
          '-c',
          'user.email=a@b',
          'commit',
          '-q',
          '--allow-empty',
          '-m',
          'x',
        ],
        ssh: ['ssh', '-G', 'localhost'],
        node: ['node', '--version'],
        agent: ['my-agent'],
        env: ['sh', '-c', 'umask'],
      },
    });
    expect(seen.ran).toMatchObject({
      ...{
        init: '0 ',
        commit: '0 ',
        node: expect.stringMatching(/^0 v\d/),
        agent: '0 I am the agent\n',
        env: '0 0022\n',
      },
    });
    const ran = seen.ran;
    const ssh = typeof ran === 'object' && ran !== null && 'ssh' in ran ? String(ran.ssh) : '';
    expect(ssh).toMatch(/^(0 |error ENOENT)/);
  });

  test('loopback and names are there: the network is shared', async () => {
    const seen = await look({ commands: { hosts: ['getent', 'hosts', 'localhost'] } });
    expect(seen.ran).toMatchObject({ hosts: expect.stringMatching(/^0 /) });
  });

  test('a machine in hand has the same walls and nothing of ours, and its namespaces can be entered', async (context) => {
    context.skip(!isRoot, 'only root enters them like this');
    const key = { id: `j_hold${process.pid}`, attempt: 1 };
    await units.ensure({ ...worker(key, {}), program: { kind: 'hold' }, deadlineSeconds: null }, call());
    const holder = await readHolder(unitFolder(path.join(dataDir, 'units'), key));
    const script =
      'exec 2>&1; cat /proc/1/comm; ls /run/hangar; ls -d "$1"; tr "\\0" "\\n" </proc/2/environ; touch /job/in';
    const enter = ['--target', String(holder?.pid), '--mount', '--pid', '--ipc', '--uts'];
    const { stdout } = await run('/usr/bin/nsenter', [...enter, '/bin/sh', '-c', script, 'look', dataDir]);
    expect(stdout).toMatch(/^bwrap\n/);
    expect(stdout).toContain("'/run/hangar': No such file");
    expect(stdout).toContain(`'${dataDir}': No such file`);
    expect(stdout).toMatch(/^HANGAR_UNIT=/m);
    expect(stdout).not.toContain('HANGAR_WORKER');
    expect(await readdir(unitFolder(path.join(dataDir, 'units'), key).work)).toEqual(['in']);
    await units.remove(key, call());
    expect(await units.inspect(key, call())).toEqual({ kind: 'missing' });
  });

  test('another unit is out of sight, also what it left in /tmp', async () => {
    const first = await look({ write: ['/tmp/left'] });
    expect(first.write).toEqual({ '/tmp/left': 'written' });
    const second = await look({
      read: ['/tmp/left'],
      list: [unitFolder(path.join(dataDir, 'units'), request({}).spec.key).root],
    });
    expect(second.read).toEqual({ '/tmp/left': 'error ENOENT' });
  });

  test('processes are limited', async (context) => {
    context.skip(!isRoot || !found?.asRoot?.prlimit, 'only root can give a job an account of its own');
    const script = 'for i in $(seq 1 100); do sleep 0.7777 & done 2>&1; wait';
    const seen = await look({ commands: { many: ['timeout', '3', 'sh', '-c', script] } }, { resources: { pids: 60 } });
    expect(JSON.stringify(seen.ran)).toMatch(/fork|Resource temporarily unavailable/i);
  });

  test('a worker past its deadline is ended while no server looks', async () => {
    const { name, spec } = request({ do: 'wait' }, { deadlineSeconds: 2 });
    await units.ensure(spec, call());
    await desk.heard(name, 'up');
    await expect.poll(async () => (await units.inspect(spec.key, call())).kind, { timeout: 15_000 }).toBe('exited');
    expect(await units.inspect(spec.key, call())).toMatchObject({ exitCode: 137, outOfMemory: false });
  });

  test('an ordinary user can do the same', async (context) => {
    context.skip(!isRoot, 'the tests themselves run as an ordinary user');
    const account = 61_003;
    const home = path.join(desk.dir, 'ann');
    await mkdir(home, { mode: 0o700 });
    await chown(home, account, account);
    await run('chmod', ['0755', desk.dir]);
    const ensureOnce = fileURLToPath(new URL('../../testing/ensure-once.ts', import.meta.url));
    const { name, spec } = request({
      ...{ do: 'look', list: ['/root', home, dataDir], read: ['/etc/shadow'], commands: { id: ['id', '-un'] } },
    });
    const who = ['--reuid', String(account), '--regid', String(account), '--clear-groups'];
    const readable = await run('/usr/bin/setpriv', [...who, process.execPath, '-e', '0']).then(
      () => true,
      () => false,
    );
    context.skip(!readable, 'the checkout cannot be read by others');
    const child = spawn('/usr/bin/setpriv', [...who, process.execPath, ensureOnce], {
      ...{ stdio: ['pipe', 'pipe', 'pipe'], env: { HOME: home, PATH: '/usr/bin:/bin' } },
    });
    let said = '';
    child.stdout.on('data', (data) => {
      said += data;
    });
    child.stderr.on('data', (data) => {
      said += data;
    });
    const module = new URL('./index.ts', import.meta.url).href;
    const options = { brought: desk.brought, dataDir: path.join(home, 'data') };
    const input = {
      module,
      factory: 'createLocalDriver',
      options,
      settings: { isolation: 'bubblewrap' },
      spec,
    };
    child.stdin.end(JSON.stringify(input));
    await expect.poll(() => said, { timeout: 20_000 }).toMatch(/made|Error/);
    const why = /bubblewrap does not work here.*/.exec(said);
    if (why !== null) context.skip(true, why[0]);
    expect(said).toContain('made');
    const seen = await desk.heard(name, 'up');
    expect(seen).toMatchObject({
      ...{ uid: 1000, inHome: 'written', inFolder: 'written', ran: { id: '0 job\n' } },
      list: { '/root': 'error ENOENT', [home]: 'error ENOENT' },
      read: { '/etc/shadow': 'error ENOENT' },
    });
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  });
});

if (!found) test.skip(`what a job sees: ${'why' in rest ? rest.why : ''}`, () => {});

const worker = (key: UnitSpec['key'], order: object): UnitSpec => ({
  ...{ key, program: { kind: 'brought', name: 'worker', input: JSON.stringify(order) } },
  ...{ image: null, resources: {}, deadlineSeconds: 60 },
});

describe('the folder of a unit', () => {
  let desk: WorkerDesk;
  beforeAll(async () => {
    desk = await openWorkerDesk(process.execPath);
  });
  afterAll(() => desk?.[Symbol.asyncDispose]());

  test('is removed whatever the unit did to it, and nothing beyond it', async () => {
    const dataDir = path.join(desk.dir, 'data');
    const driver = createLocalDriver({ brought: desk.brought, dataDir, log });
    const { units } = driver.forProfile(profileWith({ isolation: 'none' }));
    const o = { signal: AbortSignal.timeout(20_000), say: () => {} };
    const outside = path.join(desk.dir, 'outside');
    await mkdir(outside);
    await writeFile(path.join(outside, 'kept'), '');
    const key = { id: 'j_rm', attempt: 1 };
    await units.ensure(worker(key, { run: 'rm', do: 'exit' }), o);
    await desk.heard('rm', 'up');
    const { work, root } = unitFolder(path.join(dataDir, 'units'), key);
    await mkdir(path.join(work, 'closed', 'deep'), { recursive: true });
    await symlink(outside, path.join(work, 'closed', 'link'));
    await run('chmod', ['000', path.join(work, 'closed')]);
    await units.remove(key, o);
    expect(await readdir(path.dirname(root))).not.toContain('j_rm-1');
    expect(await readdir(outside)).toEqual(['kept']);
  });

  test('gone by hand: its processes are still found and swept', async () => {
    const dataDir = path.join(desk.dir, 'data');
    const driver = createLocalDriver({ brought: desk.brought, dataDir, log });
    const { units } = driver.forProfile(profileWith({ isolation: 'none' }));
    const o = { signal: AbortSignal.timeout(20_000), say: () => {} };
    const word = `77${Date.now() % 1_000_000}.5`;
    await units.ensure(worker({ id: 'j_hand', attempt: 1 }, { run: 'hand', do: 'tree', sleep: word }), o);
    await desk.heard('hand', 'up');
    await rm(path.join(dataDir, 'units'), { recursive: true });
    expect(await units.sweep(async () => false, o)).toEqual({ removed: ['unit j_hand-1'], kept: 0 });
    await sleep(50);
    expect(await processesWith(word)).toEqual([]);
  });
});
