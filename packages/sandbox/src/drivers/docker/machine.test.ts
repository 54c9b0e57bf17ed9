import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openSandbox } from '../../machine/sandbox.ts';
import type { Channel, OpenOptions } from '../../port/machine.ts';
import { createEngine, type Engine } from './engine.ts';
import { createDockerMachine } from './machine.ts';
import { dockerForTests } from './testing/index.ts';
import { type Link, startLink } from './testing/link.ts';

const docker = await dockerForTests();
/** Nobody else's, and removed only when it is empty: where Docker itself runs in a chroot, what it opens later sees the machine's own root. */
const FOLDER = '/work-of-the-docker-tests';

if ('skipped' in docker) describe.skip('a machine of Docker', () => test(`skipped: ${docker.skipped}`, () => {}));
else {
  const { host, image } = docker;
  const engine = createEngine(host);
  const signal = () => AbortSignal.timeout(60_000);
  const made: string[] = [];
  const links: Link[] = [];
  let container: string;

  async function start(limits: object = {}): Promise<string> {
    const name = `hangar-test-machine-${process.pid}-${made.length}`;
    const body = {
      ...{ Image: image, Entrypoint: ['sleep', 'infinity'], WorkingDir: FOLDER, Env: ['FROM_MACHINE=yes'] },
      HostConfig: { Init: true, NetworkMode: 'none', Mounts: STTY, ...limits },
    };
    made.push(name);
    await engine.json('POST', '/containers/create', { query: { name }, body, signal: signal() });
    await engine.json('POST', `/containers/${name}/start`, { signal: signal() });
    return name;
  }
  const act = (name: string, verb: string) => engine.json('POST', `/containers/${name}/${verb}`, { signal: signal() });
  const remove = (name: string) =>
    engine.json('DELETE', `/containers/${name}`, { query: { force: '1', v: '1' }, signal: signal() });
  const machineOf = (name = container, through: Engine = engine) =>
    createDockerMachine({ engine: through, container: name });
  async function linked(): Promise<{ link: Link; engine: Engine }> {
    const link = await startLink(host);
    links.push(link);
    return { link, engine: createEngine(link.host) };
  }

  const open = (argv: readonly [string, ...string[]], o: Partial<OpenOptions> = {}, machine = machineOf()) =>
    machine.open(argv, { stdin: false, signal: signal(), ...o });
  const sh = (script: string, o: Partial<OpenOptions> = {}, machine = machineOf()) =>
    open(['sh', '-c', script], o, machine);
  async function outcome(channel: Channel) {
    const [stdout, stderr, exit] = await Promise.all([buffer(channel.stdout), buffer(channel.stderr), channel.exit]);
    return { stdout: stdout.toString('latin1'), stderr: stderr.toString('latin1'), code: exit.code };
  }
  /** Everything up to the first line that says this. */
  async function until(stream: Readable, words: RegExp): Promise<string> {
    let text = '';
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      text += chunk;
      if (words.test(text)) return text;
    }
    throw new Error(`It ended without ${words}: ${text}`);
  }
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      (value) => ({ code: 'none', value }),
      (error: unknown) => error,
    );

  beforeAll(async () => {
    container = await start();
  });
  afterEach(async () => {
    for (const link of links.splice(0)) await link.close();
  });
  afterAll(async () => {
    for (const name of made) await remove(name).catch(() => {});
  });

  // Here and not in the suite: where it does not hold, it ends whatever the machine runs.
  test('a cancel that finds the claim of another, which was cut off, ends nobody else', async () => {
    const name = await start();
    const { executions } = openSandbox(machineOf(name), { folder: '/tmp/spools' });
    const o = { signal: signal() };
    await executions.list(o);
    const { code } = await outcome(
      await sh('mkdir -p /tmp/spools/x_cut && echo 0 0 0 0 0 >/tmp/spools/x_cut/pid', {}, machineOf(name)),
    );
    expect(code).toBe(0);
    const other = await sh('sleep 1; echo lives', {}, machineOf(name));
    const how = { graceMs: 100, signal: 'SIGTERM' } as const;
    expect(await executions.cancel('x_cut', how, o)).toMatchObject({ reason: 'cancelled', leftover: 0 });
    expect(await outcome(other)).toMatchObject({ stdout: 'lives\n', code: 0 });
  });

  describe('a process', () => {
    test.each([
      ['exit 0', 0],
      ['exit 7', 7],
      ['exit 126', 126],
      ['exit 127', 127],
      ['kill -s KILL $$', 137],
      ['kill -s TERM $$', 143],
    ])('%s', async (script, code) => {
      expect(await outcome(await sh(`echo out; echo err >&2; ${script}`))).toEqual({
        ...{ code, stdout: 'out\n', stderr: 'err\n' },
      });
    });

    test('takes its arguments as they are, and has the folder and environment of the machine', async () => {
      const argv = ['printf', '%s|', ' a  b', '$HOME', `"'\\`, 'ä\n', ''] as const;
      expect((await outcome(await open(argv))).stdout).toBe(Buffer.from(` a  b|$HOME|"'\\|ä\n||`).toString('latin1'));
      expect((await outcome(await sh('pwd; echo $FROM_MACHINE; id -u'))).stdout).toBe(`${FOLDER}\nyes\n0\n`);
      expect((await outcome(await sh('id -u', { user: 'ann' }))).stdout).toBe('1000\n');
    });

    test('gets every byte and gives every byte', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
      const channel = await open(['cat'], { stdin: true });
      channel.stdin?.end(bytes);
      expect(await outcome(channel)).toEqual({ code: 0, stdout: bytes.toString('latin1'), stderr: '' });
    });

    test('gets and gives megabytes byte for byte, through both streams at once', async () => {
      const bytes = randomBytes(3_000_000);
      const channel = await sh('tee /dev/stderr', { stdin: true });
      channel.stdin?.end(bytes);
      const [stdout, stderr] = await Promise.all([buffer(channel.stdout), buffer(channel.stderr)]);
      expect([stdout.equals(bytes), stderr.equals(bytes), await channel.exit]).toEqual([
        ...[true, true],
        { code: 0, signal: null },
      ]);
    });

    test('is at the end of its input from the start when it gets none', async () => {
      expect(await outcome(await open(['cat']))).toMatchObject({ code: 0, stdout: '' });
    });

    test('that ends before its input does not care for the rest', async () => {
      const channel = await sh('head -c 1 >/dev/null; exit 5', { stdin: true });
      const written = new Promise((resolve) => channel.stdin?.write(Buffer.alloc(4_000_000), resolve));
      expect(await outcome(channel)).toMatchObject({ code: 5 });
      expect(await written).toBeInstanceOf(Error);
    });

    test('that hides its output is not over before it ends', async () => {
      const channel = await open(['bash', '-c', 'exec >/dev/null 2>&1; sleep 1; exit 3']);
      expect(await outcome(channel)).toEqual({ code: 3, stdout: '', stderr: '' });
    });

    test('is over though what it left behind holds its output', async () => {
      const channel = await sh('echo begun; sleep 1000 & exit 4');
      expect(await channel.exit).toEqual({ code: 4, signal: null });
      expect(await outcome(channel)).toMatchObject({ code: 4, stdout: 'begun\n' });
    });

    test('runs beside nineteen others', async () => {
      const all = Array.from({ length: 20 }, async (_, number) => outcome(await sh(`echo ${number}; exit ${number}`)));
      expect(await Promise.all(all)).toEqual(
        Array.from({ length: 20 }, (_, number) => ({ code: number, stdout: `${number}\n`, stderr: '' })),
      );
    });

    test.each([
      [['no-such-program'], {}, 127, /executable file not found/],
      [['/no/such/program'], {}, 127, /no such file/],
      [['/etc/passwd'], {}, 126, /permission denied/],
      [['true'], { user: 'nobody-here' }, 126, /unable to find user/],
    ] as const)('that cannot be: %j %j', async (argv, o, code, words) => {
      expect(await outcome(await open([...argv], o))).toEqual({
        ...{ code, stdout: '', stderr: expect.stringMatching(words) },
      });
    });

    test('without its folder ends with 126', async () => {
      const machine = machineOf(await start());
      await outcome(await sh(`cd / && rmdir ${FOLDER}`, {}, machine));
      expect(await outcome(await open(['true'], {}, machine))).toMatchObject({
        ...{ code: 126, stdout: '', stderr: expect.stringMatching(/cwd/) },
      });
    });

    test('that prints like the Engine is not taken for it', async () => {
      const words = 'OCI runtime exec failed: exec: "x": executable file not found in $PATH\r\n';
      expect(await outcome(await open(['printf', '%s', words]))).toEqual({ code: 0, stdout: words, stderr: '' });
    });

    test('with too long an argument is not begun', async () => {
      const longest = 'x'.repeat(131_071);
      expect((await outcome(await open(['sh', '-c', 'printf %s "$1" | wc -c', '-', longest]))).stdout).toBe('131071\n');
      await expect(open(['echo', `${longest}x`])).rejects.toMatchObject({ code: 'command_too_long' });
    });

    test('is not begun for one who has gone away', async () => {
      await expect(open(['true'], { signal: AbortSignal.abort(new Error('gone away')) })).rejects.toThrow('gone away');
    });

    test('goes on when the signal of its opening ends, and when nobody listens any more', async () => {
      const opening = new AbortController();
      const channel = await sh('echo begun; sleep 0.3; echo later; echo kept > /tmp/kept; sleep 1000', {
        signal: opening.signal,
      });
      opening.abort();
      await until(channel.stdout, /later/);
      channel.close();
      expect(await failure(channel.exit)).toMatchObject({ code: 'connection_lost' });
      expect((await outcome(await sh('cat /tmp/kept'))).stdout).toBe('kept\n');
    });
  });

  describe('a slow reader', () => {
    test('stops the process, and memory stays as it is', async () => {
      const bytes = 50_000_000;
      const machine = machineOf(await start());
      const before = process.memoryUsage().arrayBuffers;
      const channel = await sh(`head -c ${bytes} /dev/zero; : > /tmp/written`, {}, machine);
      await once(channel.stdout, 'readable');
      await sleep(1_000);
      expect(await outcome(await sh('test -e /tmp/written', {}, machine))).toMatchObject({ code: 1 });
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000);
      const zeros = Buffer.alloc(1024 * 1024);
      let [most, length, chunks] = [0, 0, 0];
      for await (const chunk of channel.stdout) {
        if (!chunk.equals(zeros.subarray(0, chunk.length))) throw new Error(`other bytes after ${length}`);
        length += chunk.length;
        chunks += 1;
        most = Math.max(most, channel.stdout.readableLength);
        if (length < bytes / 2 && chunks % 10 === 0) await sleep(1);
        if (chunks === 100)
          expect(await outcome(await sh('test -e /tmp/written', {}, machine))).toMatchObject({ code: 1 });
      }
      expect(length).toBe(bytes);
      expect(most).toBeLessThan(1_000_000);
      expect(await channel.exit).toEqual({ code: 0, signal: null });
    });

    test('that stands still while the process ends loses nothing', async () => {
      const bytes = 1_500_000;
      const channel = await sh(`head -c ${bytes} /dev/zero; echo ended >&2`);
      // Longer than the Engine keeps what nobody takes.
      await sleep(4_000);
      expect((await buffer(channel.stdout)).length).toBe(bytes);
      expect(await outcome(channel)).toMatchObject({ code: 0, stderr: 'ended\n' });
    });

    test('of one stream only hears of all when it gives up the other', async () => {
      const channel = await sh('head -c 5000000 /dev/zero >&2; echo done');
      channel.stderr.destroy();
      expect((await buffer(channel.stdout)).toString()).toBe('done\n');
      expect(await channel.exit).toMatchObject({ code: 0 });
    });
  });

  describe('a terminal', () => {
    test('has its size, also when it changes, and an end of file', async () => {
      // Old Engines set it right after the start.
      const sized = 'until [ "$(stty size)" = "40 100" ]; do sleep 0.05; done; echo sized';
      const channel = await sh(`${sized}; read line; stty size; cat; echo over`, {
        ...{ stdin: true, terminal: { columns: 100, rows: 40 } },
      });
      await until(channel.stdout, /sized/);
      await channel.resize?.({ columns: 77, rows: 33 });
      channel.stdin?.write('next\n');
      await until(channel.stdout, /33 77/);
      channel.stdin?.end('within a line');
      await until(channel.stdout, /over/);
      expect(await outcome(channel)).toMatchObject({ code: 0, stderr: '' });
      await channel.resize?.({ columns: 80, rows: 24 });
    });

    test('is not left by keys', async () => {
      const terminal = { columns: 80, rows: 24 };
      const channel = await sh('stty raw -echo; echo ready; head -c 3 | od -An -tx1; exit 9', {
        stdin: true,
        terminal,
      });
      await until(channel.stdout, /ready/);
      channel.stdin?.write(Buffer.from([0x10, 0x11, 0x41]));
      expect(await outcome(channel)).toMatchObject({ code: 9, stdout: expect.stringMatching(/10 11 41/) });
    });
  });

  describe('a machine', () => {
    test('that is removed takes its processes along, and is gone', async () => {
      const name = await start();
      const machine = machineOf(name);
      const channel = await sh('echo begun; sleep 1000', { stdin: true }, machine);
      await until(channel.stdout, /begun/);
      await remove(name);
      expect(await failure(channel.exit)).toMatchObject({ code: 'sandbox_gone' });
      expect(await buffer(channel.stdout)).toHaveLength(0);
      await expect(sh('true', {}, machine)).rejects.toMatchObject({ code: 'sandbox_gone' });
      await expect(machine.load?.({ signal: signal() })).rejects.toMatchObject({ code: 'sandbox_gone' });
    });

    test('that has stopped is gone', async () => {
      const name = await start();
      const channel = await sh('sleep 1000', {}, machineOf(name));
      // Most likely before the process has begun: that is no exit of it either.
      await act(name, 'kill');
      expect(await failure(channel.exit)).toMatchObject({ code: 'sandbox_gone' });
      await expect(sh('true', {}, machineOf(name))).rejects.toMatchObject({ code: 'sandbox_gone' });
      await expect(machineOf(name).load?.({ signal: signal() })).rejects.toMatchObject({ code: 'sandbox_gone' });
    });

    test('that is paused says so, and what runs in it goes on afterwards', async () => {
      const name = await start();
      const machine = machineOf(name);
      const channel = await sh('echo begun; read line; echo "$line"; exit 6', { stdin: true }, machine);
      await until(channel.stdout, /begun/);
      await act(name, 'pause');
      await expect(sh('true', {}, machine)).rejects.toMatchObject({ code: 'sandbox_paused' });
      channel.stdin?.write('hello\n');
      await act(name, 'unpause');
      expect(await outcome(channel)).toMatchObject({ code: 6, stdout: 'hello\n' });
    });
  });

  describe('the connection', () => {
    test('that is cut for good is lost, and the process says nothing of it', async () => {
      const { link, engine: through } = await linked();
      const machine = machineOf(container, through);
      const channel = await sh('echo begun; sleep 2; echo survived > /tmp/survived', { stdin: true }, machine);
      await until(channel.stdout, /begun/);
      await link.cut();
      const rest = failure(buffer(channel.stdout));
      expect(await failure(channel.exit)).toMatchObject({ code: 'connection_lost' });
      expect(await rest).toMatchObject({ code: 'connection_lost' });
      await expect(sh('true', {}, machine)).rejects.toMatchObject({ code: 'driver_unavailable' });
      await link.mend();
      expect(
        await outcome(await sh('until cat /tmp/survived 2>/dev/null; do sleep 0.1; done', {}, machine)),
      ).toMatchObject({
        ...{ code: 0, stdout: 'survived\n' },
      });
    });

    test('that somebody in between ends is lost, though the Engine answers', async () => {
      const { link, engine: through } = await linked();
      const channel = await sh('echo begun; sleep 1000', {}, machineOf(container, through));
      await until(channel.stdout, /begun/);
      link.drop();
      expect(await failure(channel.exit)).toMatchObject({ code: 'connection_lost' });
      expect(await failure(buffer(channel.stdout))).toMatchObject({ code: 'connection_lost' });
    });

    test('that falls silent is lost', async () => {
      const { link, engine: through } = await linked();
      const channel = await sh('echo begun; sleep 1000', {}, machineOf(container, through));
      await until(channel.stdout, /begun/);
      link.freeze();
      expect(await failure(channel.exit)).toMatchObject({ code: 'connection_lost' });
    });
  });

  describe('the load', () => {
    test('is what the machine uses, of what it may', async () => {
      const name = await start({ NanoCpus: 500_000_000, Memory: 64 * 1024 ** 2, MemorySwap: 64 * 1024 ** 2 });
      const machine = machineOf(name);
      const load = async () => machine.load?.({ signal: signal() });
      const first = await load();
      expect(first).toMatchObject({ cpus: null, cpusMost: 0.5, memoryMost: 64 * 1024 ** 2, diskMost: null });
      expect(first?.diskBytes).toBe(0);
      const busy = await sh('echo begun; while :; do :; done', {}, machine);
      await until(busy.stdout, /begun/);
      await load();
      await sleep(1_500);
      const second = await load();
      busy.close();
      // It cannot have more than half a core; and where the machine is busy it has less.
      expect(second?.cpus).toBeGreaterThan(0.01);
      expect(second?.cpus).toBeLessThan(0.75);
      expect(second?.memoryBytes).toBeGreaterThan(100_000);
      expect(second?.memoryBytes).toBeLessThan(64 * 1024 ** 2);
    });

    test('without limits is measured by what Docker has', async () => {
      const load = await machineOf().load?.({ signal: signal() });
      expect(load?.cpusMost).toBeGreaterThanOrEqual(1);
      expect(load?.memoryMost).toBeGreaterThan(256 * 1024 ** 2);
      expect(Math.abs(Date.now() - (load?.at.getTime() ?? 0))).toBeLessThan(60_000);
    });
  });
}

/** The test image is made of this machine's programs, and has all but this one. */
const STTY = [{ Type: 'bind', Source: '/usr/bin/stty', Target: '/usr/bin/stty', ReadOnly: true }];
