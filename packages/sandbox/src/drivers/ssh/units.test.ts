import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSandbox } from '../../machine/sandbox.ts';
import type { Machine } from '../../port/machine.ts';
import type { UnitKey } from '../../port/unit.ts';
import {
  openDriver,
  outcome,
  profileTo,
  soon,
  startSshd,
  type TestSshd,
  until,
  used,
  whyNoSshd,
} from './testing/sshd.ts';

describe.skipIf(whyNoSshd !== null)(`ssh: units${whyNoSshd === null ? '' : `, skipped: ${whyNoSshd}`}`, () => {
  let sshd: TestSshd;
  let ours: Awaited<ReturnType<typeof openDriver>>;
  beforeAll(async () => {
    sshd = await startSshd();
    ours = await openDriver();
  });
  afterAll(async () => {
    await ours?.[Symbol.asyncDispose]();
    await sshd?.[Symbol.asyncDispose]();
  });

  let last = 0;
  const newKey = (): UnitKey => {
    last += 1;
    return { id: `s_${last}`, attempt: 1 };
  };
  const unitsOf = (settings = {}) => ours.driver.forProfile(profileTo(sshd.port, sshd.key, settings)).units;
  const ensure = (key: UnitKey, deadlineSeconds: number | null = null, units = unitsOf()) =>
    units.ensure(
      { key, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds },
      { ...soon(), say: () => undefined },
    );
  const folderOf = (key: UnitKey) => `${sshd.home}/.hangar/i1/${key.id}-${key.attempt}`;
  const start = async (machine: Machine, script: string): Promise<void> => {
    const channel = await machine.open(['sh', '-c', `${script} >/dev/null 2>&1 </dev/null & wait $!`], {
      stdin: false,
      ...soon(),
    });
    channel.stdout.resume();
    channel.stderr.resume();
    channel.exit.catch(() => undefined);
  };
  /** Processes of a unit, and what keeps its deadline; or only those with one of the markers. */
  const marked = async (key: UnitKey, name = 'HANGAR_UNIT(_WATCH)?'): Promise<string[]> => {
    const marker = new RegExp(`^${name}=i1/${key.id}-${key.attempt}$`);
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((entry) => /^[0-9]+$/.test(entry))) {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      if (environment.split('\0').some((entry) => marker.test(entry))) found.push(pid);
    }
    return found;
  };
  /** Of programs that no marker tells. */
  const running = (word: string): string =>
    execFileSync('sh', [
      '-c',
      `ps -eo args | grep -F -- "$1" | grep -v -e grep -e 'sh -c' || :`,
      'sh',
      word,
    ]).toString();

  it('keeps in its own folder what it executes and printed: the account outlives it', async () => {
    const key = newKey();
    await ensure(key);
    const { executions } = openSandbox(await unitsOf().machine(key, soon()));
    const spec = {
      id: 'x_kept',
      command: { shell: 'echo kept; env' },
      cwd: null,
      env: { SECRET: 'of it' },
      user: null,
    };
    const how = { stdin: 'none', terminal: null, timeoutMs: null, graceMs: 1_000 } as const;
    let printed = '';
    for await (const output of executions.run({ ...spec, ...how }, { stdout: 0, stderr: 0 }, soon()))
      if (output.type === 'stdout') printed += Buffer.from(output.data).toString();
    expect(printed).toContain('kept\n');
    expect(printed).not.toContain('HANGAR_SPOOLS');
    expect(await readdir(`${folderOf(key)}/spools/x_kept`)).toContain('out');
    await unitsOf().remove(key, soon());
    const left = await readdir(sshd.home, { recursive: true });
    expect(left.filter((name) => name.includes('x_kept'))).toEqual([]);
  });

  it('is made once, runs until it is stopped, and leaves its files until it is removed', async () => {
    const key = newKey();
    const units = unitsOf();
    expect(await units.inspect(key, soon())).toEqual({ kind: 'missing' });
    await expect(units.machine(key, soon())).rejects.toMatchObject({ code: 'sandbox_gone' });
    await Promise.all([ensure(key), ensure(key), ensure(key)]);
    const note = await readFile(`${folderOf(key)}/unit`, 'utf8');
    await ensure(key, 1_000);
    expect(await readFile(`${folderOf(key)}/unit`, 'utf8')).toBe(note);
    expect(await readdir(folderOf(key))).toEqual(['unit', 'work']);
    expect(await units.inspect(key, soon())).toEqual({ kind: 'running' });

    const machine = await units.machine(key, soon());
    const { out } = await outcome(
      await machine.open(['sh', '-c', 'echo kept >file; pwd; umask'], { stdin: false, ...soon() }),
    );
    expect(out.toString()).toBe(`${folderOf(key)}/work\n0022\n`);
    await units.stop(key, { ...soon(), graceMs: 0 });
    expect(await units.inspect(key, soon())).toMatchObject({ kind: 'exited', reason: 'It was stopped.' });
    await ensure(key);
    expect(await units.inspect(key, soon())).toMatchObject({ kind: 'exited' });
    await expect(machine.open(['true'], { stdin: false, ...soon() })).rejects.toMatchObject({ code: 'sandbox_gone' });
    expect(await readFile(`${folderOf(key)}/work/file`, 'utf8')).toBe('kept\n');
    await units.remove(key, soon());
    await units.remove(key, soon());
    await units.stop(key, { ...soon(), graceMs: 0 });
    expect(await units.inspect(key, soon())).toEqual({ kind: 'missing' });
    expect(await readdir(`${sshd.home}/.hangar/i1`)).not.toContain(`${key.id}-1`);
  });

  it('ends the whole tree: what ignores TERM, what left its session, what threw its environment away', async () => {
    const key = newKey();
    const other = newKey();
    const units = unitsOf();
    await Promise.all([ensure(key), ensure(other)]);
    const [machine, bystander] = await Promise.all([units.machine(key, soon()), units.machine(other, soon())]);
    await start(bystander, 'sleep 3000');
    await start(machine, `sh -c 'trap "" TERM; while :; do sleep 0.2; done'`);
    await start(machine, `setsid sh -c 'trap "" TERM HUP INT; sleep 3000 & wait'`);
    await start(machine, `setsid env -i sleep 3333.125`);
    await until(async () => (await marked(key)).length >= 6 && running('sleep 3333.125') !== '');
    const mine = await machine.open(['sh', '-c', 'trap "" TERM; echo $$; while :; do sleep 0.1; done'], {
      stdin: false,
      ...soon(),
    });
    mine.stderr.resume();
    await mine.stdout[Symbol.asyncIterator]().next();
    await units.stop(key, { ...soon(), graceMs: 500 });
    expect(await marked(key)).toEqual([]);
    expect(running('sleep 3333.125')).toBe('');
    expect(await mine.exit).toEqual({ code: 137, signal: null });
    expect(await marked(other)).not.toEqual([]);
    await Promise.all([units.remove(key, soon()), units.remove(other, soon())]);
    expect(await marked(other)).toEqual([]);
  });

  it('who hears TERM has time to save its work, and no more is waited than that takes', async () => {
    const key = newKey();
    const units = unitsOf();
    await ensure(key);
    const machine = await units.machine(key, soon());
    const saver = 'trap "sleep 0.3; echo saved >saved; exit 0" TERM; echo ready; while :; do sleep 0.1; done';
    const channel = await machine.open(['sh', '-c', saver], { stdin: false, ...soon() });
    channel.stderr.resume();
    await channel.stdout[Symbol.asyncIterator]().next();
    // Longer than the test may take.
    await units.stop(key, { ...soon(), graceMs: 600_000 });
    expect(await channel.exit).toEqual({ code: 0, signal: null });
    expect(await readFile(`${folderOf(key)}/work/saved`, 'utf8')).toBe('saved\n');
    await units.remove(key, soon());
  });

  it('keeps its deadline on the machine, where no server is', async () => {
    const key = newKey();
    const units = unitsOf();
    await ensure(key, 1_000);
    await start(await units.machine(key, soon()), 'exec sleep 3000');
    await until(async () => (await marked(key)).length >= 4);
    // As if most of its time were over: what keeps it is started anew, and waits for the rest.
    const [boot] = (await readFile(`${folderOf(key)}/unit`, 'utf8')).split('\n');
    await writeFile(`${folderOf(key)}/unit`, `${boot}\n${Math.ceil(Date.now() / 1000) + 2}\n`);
    for (const pid of await marked(key, 'HANGAR_UNIT_WATCH')) process.kill(Number(pid), 'SIGKILL');
    await units.inspect(key, soon());
    await until(async () => (await readFile(`${folderOf(key)}/ended`, 'utf8').catch(() => '')) !== '');
    await until(async () => (await marked(key)).length === 0);
    expect(await units.inspect(key, soon())).toMatchObject({ kind: 'exited', reason: 'Its time was over.' });
    await units.remove(key, soon());

    // What keeps it is there once, comes back when somebody killed it, and goes with the unit.
    const long = newKey();
    await ensure(long, 1_000);
    await until(async () => (await marked(long)).length === 2);
    expect(await units.inspect(long, soon())).toEqual({ kind: 'running' });
    expect(await marked(long)).toHaveLength(2);
    for (const pid of await marked(long)) process.kill(Number(pid), 'SIGKILL');
    expect(await units.inspect(long, soon())).toEqual({ kind: 'running' });
    await until(async () => (await marked(long)).length === 2);
    await units.remove(long, soon());
    expect(await marked(long)).toEqual([]);
  });

  it('removes what the unit made hard to remove, and nothing outside of it', async () => {
    const key = newKey();
    const units = unitsOf();
    await ensure(key);
    const outside = `${sshd.home}/outside`;
    await mkdir(outside, { recursive: true });
    await writeFile(`${outside}/file`, 'stays');
    await symlink(outside, `${folderOf(key)}/work/link`);
    const deep = `${folderOf(key)}/work/-rf ~\n*/inner`;
    await mkdir(deep, { recursive: true });
    await writeFile(`${deep}/file`, '');
    await chmod(deep, 0o000);
    await units.remove(key, soon());
    expect(await units.inspect(key, soon())).toEqual({ kind: 'missing' });
    expect(await readFile(`${outside}/file`, 'utf8')).toBe('stays');
  });

  it('sweeps what nobody owns, also where only processes are left, and nothing of another instance', async () => {
    const [owned, stray, bare] = [newKey(), newKey(), newKey()];
    const units = unitsOf();
    await Promise.all([ensure(owned), ensure(stray), ensure(bare)]);
    await start(await units.machine(bare, soon()), 'cd / && exec sleep 3000');
    await until(async () => (await marked(bare)).length > 0);
    execFileSync('rm', ['-rf', folderOf(bare)]);
    await mkdir(`${sshd.home}/.hangar/i1/not a unit`, { recursive: true });
    const others = await used(openDriver({ instanceId: 'i2' }));
    const theirs = others.driver.forProfile(profileTo(sshd.port, sshd.key)).units;
    await ensure(owned, null, theirs);

    const report = await units.sweep(async (key) => key.id === owned.id, soon());
    expect([...report.removed].sort()).toEqual([`unit ${stray.id}-1`, `unit ${bare.id}-1`].sort());
    expect(report.kept).toBe(1);
    expect(await marked(bare)).toEqual([]);
    expect(await units.inspect(owned, soon())).toEqual({ kind: 'running' });
    expect(await theirs.inspect(owned, soon())).toEqual({ kind: 'running' });
    expect((await theirs.sweep(async () => false, soon())).removed).toEqual([`unit ${owned.id}-1`]);
    expect((await unitsOf({ folder: `${sshd.home}/never made` }).sweep(async () => false, soon())).removed).toEqual([]);
  });

  it('says what is wrong with the folder: full, not writable, no folder at all', async ({ skip }) => {
    await writeFile(`${sshd.home}/file`, '');
    const nowhere = ensure(newKey(), null, unitsOf({ folder: `${sshd.home}/file/units` }));
    await expect(nowhere).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringContaining('Not a directory'),
    });
    const checks = await ours.driver
      .forProfile(profileTo(sshd.port, sshd.key, { folder: `${sshd.home}/file/units` }))
      .test(soon());
    expect(checks.find(({ name }) => name === 'Folder')).toMatchObject({ ok: false });

    const small = `${sshd.home}/small disk`;
    await mkdir(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=8', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      skip('needs the right to mount a tmpfs');
    }
    try {
      const units = unitsOf({ folder: small });
      const made: UnitKey[] = [];
      const full = async () => {
        for (;;) {
          const key = newKey();
          await ensure(key, null, units);
          made.push(key);
        }
      };
      await expect(full()).rejects.toMatchObject({ code: 'disk_full' });
      const fill = async () => {
        for (let file = 0; ; file += 1) await writeFile(`${small}/${file}`, '');
      };
      await expect(fill()).rejects.toMatchObject({ code: 'ENOSPC' });
      // It cannot be written down that it ended, so nobody is told that it has; removed it can be.
      const [key = newKey()] = made;
      await expect(units.stop(key, { ...soon(), graceMs: 0 })).rejects.toMatchObject({ code: 'disk_full' });
      await units.remove(key, soon());
      expect(await units.inspect(key, soon())).toEqual({ kind: 'missing' });
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('refuses what it cannot do: programs that it was not given, and ids that are no names', async () => {
    const units = unitsOf();
    const program = { kind: 'brought', name: 'worker', input: '' } as const;
    const brought = { key: newKey(), program, image: null, resources: {}, deadlineSeconds: null };
    await expect(units.ensure(brought, { ...soon(), say: () => undefined })).rejects.toMatchObject({
      code: 'internal',
    });
    for (const id of ['../x', 'a b', '', 'x-1', '.']) {
      await expect(units.remove({ id, attempt: 1 }, soon())).rejects.toMatchObject({ code: 'validation_failed' });
    }
    expect(() => ours.driver.forProfile({ ...profileTo(22, null), settings: { host: '-oProxyCommand=x' } })).toThrow(
      expect.objectContaining({ code: 'validation_failed' }),
    );
  });

  it('proves that a profile works, and says what the machine is', async () => {
    const checks = await ours.driver.forProfile(profileTo(sshd.port, sshd.key)).test(soon());
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual([
      ...[
        'SSH client',
        'Machine reached',
        'Host key',
        'Sign-in',
        'A command runs',
        'Folder',
        'Machine',
        'Programs',
        'Clock',
      ],
    ]);
    expect(checks.find(({ name }) => name === 'Machine')?.detail).toMatch(
      /Linux.* \d+ cores, [\d.]+ GiB memory, [\d.]+ GiB of disk free/,
    );
    const described = await ours.driver.describe(soon());
    expect(described).toMatchObject({ name: 'ssh', available: true });
    expect(JSON.stringify(described.settingsSchema)).toContain('"writeOnly":true');
  });
});
