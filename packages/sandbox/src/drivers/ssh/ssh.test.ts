import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, readdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { HangarError } from '@hangar/contract';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../port/machine.ts';
import {
  freePort,
  makeKey,
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

const KEY = { id: 's_test', attempt: 1 };
const HOLD = { key: KEY, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds: null } as const;

type TestDriver = Awaited<ReturnType<typeof openDriver>>;

/** A unit there, as the driver of a server sees it. */
async function machineOn(sshd: TestSshd, { driver }: TestDriver): Promise<Machine> {
  const { units } = driver.forProfile(profileTo(sshd.port, sshd.key));
  await units.ensure(HOLD, { ...soon(), say: () => undefined });
  return units.machine(KEY, soon());
}

describe.skipIf(whyNoSshd !== null)(
  `ssh: the way to a machine${whyNoSshd === null ? '' : `, skipped: ${whyNoSshd}`}`,
  () => {
    it('keeps the host key that it saw first, also for a server that starts later, and refuses another', async () => {
      const sshd = await used(startSshd());
      const first = await used(openDriver());
      const profile = profileTo(sshd.port, sshd.key);
      await first.driver.forProfile(profile).validate?.(soon());
      const address = `127.0.0.1:${sshd.port}`;
      const line = (await sshd.hostKeyLine()).split(' ').slice(0, 3).join(' ');
      expect([...first.hostKeys.kept]).toEqual([[address, [line]]]);

      await sshd.changeHostKey();
      const second = await used(openDriver());
      second.hostKeys.kept.set(address, [line]);
      const reach = second.driver.forProfile(profile);
      await expect(reach.units.inspect(KEY, soon())).rejects.toMatchObject({
        code: 'host_key_changed',
        message: expect.stringContaining(address),
      });
      expect(second.hostKeys.kept.get(address)).toEqual([line]);
      const checks = await reach.test(soon());
      expect(checks.map(({ name, ok }) => [name, ok])).toEqual([
        ['SSH client', true],
        ['Machine reached', true],
        ['Host key', false],
      ]);
      // What `profiles update --forget-host-key` does.
      second.hostKeys.kept.clear();
      expect(await reach.units.inspect(KEY, soon())).toEqual({ kind: 'missing' });
    });

    it('goes to the addresses that were looked at and to no other, with the host keys of the name', async () => {
      const sshd = await used(startSshd());
      const ours = await used(openDriver());
      const asked: string[] = [];
      const rebound = { ...profileTo(sshd.port, sshd.key, { host: 'rebound.invalid' }) };
      const through = (addresses: readonly string[]) =>
        ours.driver.forProfile({
          ...rebound,
          async addressesOf(host) {
            asked.push(host);
            return addresses;
          },
        });
      // The first of them does not answer.
      expect(await through(['127.0.0.9', '127.0.0.1']).units.inspect(KEY, soon())).toEqual({ kind: 'missing' });
      expect(asked).toEqual(['rebound.invalid']);
      const line = (await sshd.hostKeyLine()).split(' ').slice(1, 3).join(' ');
      const [kept] = [...ours.hostKeys.kept];
      expect(kept).toEqual([`rebound.invalid:${sshd.port}`, [`[rebound.invalid]:${sshd.port} ${line}`]]);

      const later = await used(openDriver());
      for (const [address, lines] of ours.hostKeys.kept) later.hostKeys.kept.set(address, lines);
      const again = later.driver.forProfile({ ...rebound, addressesOf: async () => ['127.0.0.1'] });
      expect(await again.units.inspect(KEY, soon())).toEqual({ kind: 'missing' });
      await sshd.changeHostKey();
      const third = await used(openDriver());
      for (const [address, lines] of ours.hostKeys.kept) third.hostKeys.kept.set(address, lines);
      const changed = third.driver.forProfile({ ...rebound, addressesOf: async () => ['127.0.0.1'] });
      await expect(changed.units.inspect(KEY, soon())).rejects.toMatchObject({ code: 'host_key_changed' });
      const refused = third.driver.forProfile({
        ...profileTo(sshd.port, sshd.key, { host: 'elsewhere.invalid' }),
        addressesOf: () => Promise.reject(new HangarError('profile_host_refused')),
      });
      await expect(refused.units.inspect(KEY, soon())).rejects.toMatchObject({ code: 'profile_host_refused' });
    });

    it('believes only the host keys of the profile where it has some', async () => {
      const sshd = await used(startSshd());
      const other = await used(startSshd());
      const ours = await used(openDriver());
      const given = (hostKeys: string) => ours.driver.forProfile(profileTo(sshd.port, sshd.key, { hostKeys }));
      expect(await given(await sshd.hostKeyLine()).units.inspect(KEY, soon())).toEqual({ kind: 'missing' });
      const strange = given(await other.hostKeyLine()).units.inspect(KEY, soon());
      await expect(strange).rejects.toMatchObject({
        code: 'host_key_changed',
        message: expect.stringContaining('hostKeys'),
      });
      expect(ours.hostKeys.kept.size).toBe(0);
    });

    it('says of a key that is not let in, is no key, has a passphrase or is missing, which of them it is', async () => {
      const sshd = await used(startSshd());
      const ours = await used(openDriver());
      const { key: stranger } = await makeKey(sshd.home, 'stranger');
      const locked = `${sshd.home}/locked`;
      await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret words', '-f', locked]);
      const told = (key: string | null) =>
        ours.driver.forProfile(profileTo(sshd.port, key)).validate?.(soon()) ?? Promise.resolve();
      const auth = (message: RegExp) => ({ code: 'driver_auth_failed', message: expect.stringMatching(message) });
      await expect(told(stranger)).rejects.toMatchObject(auth(/does not let this key in/));
      await expect(told('nonsense')).rejects.toMatchObject(auth(/cannot be read/));
      await expect(told(await readFile(locked, 'utf8'))).rejects.toMatchObject(auth(/passphrase/));
      await expect(told(null)).rejects.toMatchObject(auth(/no key/));
      const checks = await ours.driver.forProfile(profileTo(sshd.port, stranger)).test(soon());
      expect(checks.at(-1)).toMatchObject({ name: 'Sign-in', ok: false });
      // A key that is let in does not open what comes after for one that is not.
      await told(sshd.key);
      await expect(told(stranger)).rejects.toMatchObject({ code: 'driver_auth_failed' });
    });

    it('says why a machine is out of reach', async () => {
      const ours = await used(openDriver());
      const told = (host: string, port: number) =>
        ours.driver.forProfile(profileTo(port, 'unused', { host })).units.inspect(KEY, soon());
      const away = (message: RegExp) => ({ code: 'driver_unavailable', message: expect.stringMatching(message) });
      await expect(told('127.0.0.1', await freePort())).rejects.toMatchObject(away(/refuses connections/));
      await expect(told('no-such-host.invalid', 22)).rejects.toMatchObject(away(/no machine with the name/));

      const sockets = new Set<net.Socket>();
      const listening = async (answer: (socket: net.Socket) => void) => {
        const server = net.createServer((socket) => {
          sockets.add(socket.on('error', () => undefined));
          answer(socket);
        });
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        return server;
      };
      const silent = await listening(() => undefined);
      const web = await listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
      const port = (server: net.Server) => (server.address() as net.AddressInfo).port;
      await expect(told('127.0.0.1', port(silent))).rejects.toMatchObject(away(/says nothing/));
      await expect(told('127.0.0.1', port(web))).rejects.toMatchObject(away(/no SSH server|closed the connection/));
      for (const socket of sockets) socket.destroy();
      silent.close();
      web.close();
    });

    it('goes through jump hosts with the same key and the same care, and names the one that fails', async () => {
      const sshd = await used(startSshd());
      const bastion = await used(startSshd());
      const stranger = await used(startSshd());
      const ours = await used(openDriver());
      // Both let the key of the profile in.
      const { pub } = await makeKey(sshd.home, 'both');
      const key = await readFile(`${sshd.home}/both`, 'utf8');
      for (const each of [sshd, bastion]) await appendFile(`${each.home}/../authorized_keys`, pub);
      const user = profileTo(1, null).settings.user;
      const through = (ports: number[], to = sshd.port) =>
        ours.driver.forProfile(
          profileTo(to, key, { jump: ports.map((port) => ({ host: '127.0.0.1', port, user: String(user) })) }),
        ).units;
      expect(await through([bastion.port]).inspect(KEY, soon())).toEqual({ kind: 'missing' });
      const way = `127.0.0.1:${bastion.port} > 127.0.0.1:${sshd.port}`;
      expect([...ours.hostKeys.kept.keys()]).toEqual([way]);
      expect(ours.hostKeys.kept.get(way)).toHaveLength(2);
      expect(await through([bastion.port, sshd.port, bastion.port]).inspect(KEY, soon())).toEqual({ kind: 'missing' });

      const refused = await freePort();
      const jump = (port: number, why: string) =>
        expect.stringMatching(new RegExp(`jump host 127.0.0.1:${port} .*${why}`));
      await expect(through([refused]).inspect(KEY, soon())).rejects.toMatchObject({
        message: jump(refused, 'refuses'),
      });
      await expect(through([stranger.port]).inspect(KEY, soon())).rejects.toMatchObject({
        ...{ code: 'driver_auth_failed', message: jump(stranger.port, 'does not let') },
      });
      await expect(through([bastion.port], refused).inspect(KEY, soon())).rejects.toMatchObject({
        ...{ code: 'driver_unavailable', message: jump(bastion.port, 'does not reach the next machine') },
      });
      await expect(through([bastion.port], stranger.port).inspect(KEY, soon())).rejects.toMatchObject({
        ...{ code: 'driver_auth_failed', message: expect.stringMatching(new RegExp(`^127.0.0.1:${stranger.port} `)) },
      });
      const [line = ''] = ours.hostKeys.kept.get(way) ?? [];
      ours.hostKeys.kept.set('127.0.0.1:1', [line]);
      await bastion.changeHostKey();
      const later = await used(openDriver());
      later.hostKeys.kept.set(way, ours.hostKeys.kept.get(way) ?? []);
      const jumpSettings = { jump: [{ host: '127.0.0.1', port: bastion.port, user: String(user) }] };
      const again = later.driver.forProfile(profileTo(sshd.port, key, jumpSettings));
      await expect(again.units.inspect(KEY, soon())).rejects.toMatchObject({
        ...{ code: 'host_key_changed', message: jump(bastion.port, 'another host key') },
      });
    });

    it('never shows the key: not in arguments, not in environments, and after the sign-in in no file', async () => {
      const sshd = await used(startSshd());
      const ours = await used(openDriver());
      const body = sshd.key.split('\n')[1] ?? '';
      expect(body).toHaveLength(70);
      const machine = await machineOn(sshd, ours);
      const channel = await machine.open(['cat'], { stdin: true, ...soon() });
      const seen: string[] = [];
      for (const pid of (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))) {
        for (const file of ['cmdline', 'environ'])
          seen.push(await readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => ''));
      }
      expect(seen.some((text) => text.includes('ControlPersist'))).toBe(true);
      expect(seen.filter((text) => text.includes(body))).toEqual([]);
      // Only what ssh needs of the server's environment goes on.
      const ssh = seen.filter(
        (text) => text.includes('LC_ALL=C') && text.includes('SHELL=/bin/sh') && text.includes('not for ssh'),
      );
      expect(ssh).toEqual([]);
      const [folder = ''] = await readdir(ours.runtimeDir);
      const left = await readdir(`${ours.runtimeDir}/${folder}`);
      expect(left.filter((name) => !/\.sock$|\.log$|^owner\.json$/.test(name))).toEqual([]);
      channel.stdin?.end();
      expect((await channel.exit).code).toBe(0);
    });
  },
);

describe.skipIf(whyNoSshd !== null)('ssh: connections', () => {
  it('signs in once for many that come at once, and shares no connection among more than it may have', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const { units } = ours.driver.forProfile(profileTo(sshd.port, sshd.key));
    await Promise.all(Array.from({ length: 8 }, () => units.inspect(KEY, soon())));
    expect(await sshd.connections()).toBe(1);

    const machine = await machineOn(sshd, ours);
    const open = () => machine.open(['sh', '-c', 'echo ready; cat'], { stdin: true, ...soon() });
    const channels = await Promise.all(Array.from({ length: 20 }, open));
    // Places of sessions that just ended may not be given back yet.
    expect(await sshd.connections()).toBeGreaterThanOrEqual(3);
    expect(await sshd.connections()).toBeLessThanOrEqual(5);
    const ends = channels.map(async (channel, index) => {
      channel.stdin?.end(`number ${index}`);
      const { out, exit } = await outcome(channel);
      return [out.toString(), exit.code];
    });
    expect(await Promise.all(ends)).toEqual(channels.map((_, index) => [`ready\nnumber ${index}`, 0]));
  });

  it('goes on with fewer sessions where the machine gives fewer, and says so when it gives none', async () => {
    const three = await used(startSshd({ options: ['MaxSessions 3'] }));
    const one = await used(startSshd({ options: ['MaxSessions 1'] }));
    const ours = await used(openDriver());
    const machine = await machineOn(three, ours);
    const channels = await Promise.all(
      Array.from({ length: 6 }, () => machine.open(['cat'], { stdin: true, ...soon() })),
    );
    for (const channel of channels) channel.stdin?.end();
    expect(await Promise.all(channels.map(({ exit }) => exit))).toEqual(
      channels.map(() => ({ code: 0, signal: null })),
    );
    await expect(machineOn(one, ours)).rejects.toMatchObject({ code: 'driver_busy' });

    // What nobody listens to any more runs on, and its session counts there.
    for (let left = 0; left < 7; left += 1) {
      (await machine.open(['sleep', '1000'], { stdin: false, ...soon() })).close();
    }
    expect((await outcome(await machine.open(['true'], { stdin: false, ...soon() }))).exit.code).toBe(0);
    await ours.driver.forProfile(profileTo(three.port, three.key)).units.remove(KEY, soon());
  });

  it('tells a broken connection apart from a program that ends with 255, and goes on over a new one', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const own = await machine.open(['sh', '-c', 'exit 255'], { stdin: false, ...soon() });
    expect(await own.exit).toEqual({ code: 255, signal: null });

    const cut = await machine.open(['sh', '-c', 'echo $$; exec sleep 1000'], { stdin: false, ...soon() });
    const pid = Number(String((await cut.stdout[Symbol.asyncIterator]().next()).value));
    cut.stderr.resume();
    await sshd.dropAll();
    await expect(cut.exit).rejects.toMatchObject({ code: 'connection_lost' });
    // It says nothing of the process, which lives on.
    expect(() => process.kill(pid, 0)).not.toThrow();
    const next = await outcome(await machine.open(['echo', 'again'], { stdin: false, ...soon() }));
    expect(next.out.toString()).toBe('again\n');

    await sshd.stop();
    // The connection may not have heard of it yet.
    const refused = async () => {
      const open = machine.open(['true'], { stdin: false, ...soon() });
      return open.then(
        () => false,
        (error: HangarError) => error.code === 'driver_unavailable',
      );
    };
    await until(refused);
    await sshd.start();
    expect((await outcome(await machine.open(['true'], { stdin: false, ...soon() }))).exit.code).toBe(0);
    await ours.driver.forProfile(profileTo(sshd.port, sshd.key)).units.remove(KEY, soon());
    expect(() => process.kill(pid, 0)).toThrow();
  });

  it('a master that was killed is made anew', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const cut = await machine.open(['cat'], { stdin: true, ...soon() });
    for (const pid of await sshOf(ours.runtimeDir, 'ControlPersist')) process.kill(pid, 'SIGKILL');
    cut.stdout.resume();
    cut.stderr.resume();
    await expect(cut.exit).rejects.toMatchObject({ code: 'connection_lost' });
    expect((await outcome(await machine.open(['true'], { stdin: false, ...soon() }))).exit.code).toBe(0);
  });

  it('a way on which nothing comes any more is noticed', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const cut = await machine.open(['cat'], { stdin: true, ...soon() });
    cut.stdout.resume();
    cut.stderr.resume();
    await sshd.freeze();
    await expect(cut.exit).rejects.toMatchObject({ code: 'connection_lost' });
    expect((await outcome(await machine.open(['true'], { stdin: false, ...soon() }))).exit.code).toBe(0);
  });

  it('without ssh on the machine of the server it says so', async () => {
    const ours = await used(openDriver({ path: '/nonexistent' }));
    const reach = ours.driver.forProfile(profileTo(22, 'unused'));
    const missing = { code: 'driver_unavailable', wayOut: expect.stringContaining('OpenSSH client') };
    await expect(reach.units.inspect(KEY, soon())).rejects.toMatchObject(missing);
    expect(await ours.driver.describe(soon())).toMatchObject({ available: false });
    expect(await reach.test(soon())).toMatchObject([{ name: 'SSH client', ok: false }]);
  });

  it('leaves nothing behind: not when it is disposed, and not when the server was killed', async () => {
    const sshd = await used(startSshd());
    const later = await used(openDriver());
    const ours = await openDriver();
    await machineOn(sshd, ours);
    expect(await sshOf(ours.runtimeDir, '.sock')).not.toEqual([]);
    await ours[Symbol.asyncDispose]();
    expect(await sshOf(ours.runtimeDir, '.sock')).toEqual([]);
    await until(async () => (await sshd.connections()) === 0);

    // A server that dies in the middle of it, with what runs through its connection.
    const program = `
      import { createSshDriver } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
      const hostKeys = { known: async () => [], pin: async (_address, lines) => lines };
      const driver = createSshDriver({ brought: { instanceId: 'i1', programs: {}, nodeFile: '', httpUrl: '', socketDir: null }, env: process.env, runtimeDir: process.argv[1] });
      const settings = { host: '127.0.0.1', port: Number(process.argv[2]), user: process.argv[3] };
      const profile = { name: 'test', settings, limits: {}, secret: async () => process.env.TEST_KEY, hostKeys };
      const signal = AbortSignal.timeout(60_000);
      const machine = await driver.forProfile(profile).units.machine({ id: 's_test', attempt: 1 }, { signal });
      await machine.open(['sleep', '1000'], { stdin: true, signal });
      process.kill(process.pid, 'SIGKILL');`;
    const user = String(profileTo(1, null).settings.user);
    const args = ['--input-type=module', '-e', program, later.runtimeDir, String(sshd.port), user];
    const died = promisify(execFile)(process.execPath, args, { env: { ...process.env, TEST_KEY: sshd.key } });
    await expect(died).rejects.toMatchObject({ signal: 'SIGKILL' });
    expect(await readdir(later.runtimeDir)).toHaveLength(1);
    const reach = later.driver.forProfile(profileTo(sshd.port, sshd.key));
    expect(await reach.units.inspect(KEY, soon())).toEqual({ kind: 'running' });
    expect(await readdir(later.runtimeDir)).toHaveLength(1);
    await until(async () => (await sshd.connections()) === 1);
    await reach.units.remove(KEY, soon());
  });
});

describe.skipIf(whyNoSshd !== null)('ssh: programs', () => {
  it('bytes, codes and streams are those of the program', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const run = async (...argv: [string, ...string[]]) => {
      const { out, err, exit } = await outcome(await machine.open(argv, { stdin: false, ...soon() }));
      return [out.toString(), err.toString(), exit.code];
    };
    expect(await run('sh', '-c', 'printf out; printf err >&2; exit 7')).toEqual(['out', 'err', 7]);
    expect(await run('printf', '<%s>', "it's", '', 'a\nb', '$HOME !! \\\\', 'ü')).toEqual([
      "<it's><><a\nb><$HOME !! \\\\><ü>",
      '',
      0,
    ]);
    expect(await run('sh', '-c', 'kill -9 $$')).toEqual(['', '', 137]);
    expect(await run('cat')).toEqual(['', '', 0]);
    expect(await run('sh', '-c', 'cat /proc/$PPID/environ | tr "\\0" "\\n" | grep -c "^HANGAR"')).toEqual([
      '0\n',
      '',
      1,
    ]);
    expect((await run('no-such-program'))[2]).toBe(127);
    expect((await run('printf', '%s', 'x'.repeat(131_071)))[0]).toHaveLength(131_071);
    await expect(run('echo', 'x'.repeat(131_072))).rejects.toMatchObject({ code: 'command_too_long' });
    await expect(machine.open(['id'], { stdin: false, user: 'nobody', ...soon() })).rejects.toMatchObject({
      code: 'unsupported',
    });

    const bytes = randomBytes(3_000_000);
    const cat = await machine.open(['cat'], { stdin: true, ...soon() });
    const [{ out, exit }] = await Promise.all([outcome(cat), cat.stdin && pipeline(Readable.from([bytes]), cat.stdin)]);
    expect(createHash('sha256').update(out).digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(exit.code).toBe(0);
  });

  it('has ended when the program has, whoever still holds its streams', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const channel = await machine.open(['sh', '-c', 'sleep 1000 & echo $!; exit 3'], { stdin: false, ...soon() });
    channel.stderr.resume();
    expect(await channel.exit).toEqual({ code: 3, signal: null });
    const [pid] = (await channel.stdout[Symbol.asyncIterator]().next()).value.toString().split('\n');
    channel.close();
    process.kill(Number(pid), 'SIGKILL');
  });

  it('a reader that is slow holds the program up, and memory stays as it is', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const channel = await machine.open(['sh', '-c', 'echo $$ >../pid; exec cat /dev/zero'], {
      stdin: false,
      ...soon(),
    });
    channel.stderr.resume();
    // The pipe on the way is full: the program sleeps in its write.
    let pid = '';
    await until(async () => {
      pid = (await readFile(`${sshd.home}/.hangar/i1/s_test-1/pid`, 'utf8').catch(() => '')).trim();
      return pid !== '';
    });
    const written = async () => /^wchar: (\d+)/m.exec(await readFile(`/proc/${pid}/io`, 'utf8'))?.[1];
    let before = await written();
    await until(async () => {
      const last = before;
      await new Promise((resolve) => setTimeout(resolve, 200));
      before = await written();
      return before === last;
    });
    expect(channel.stdout.readableLength).toBeLessThan(1_000_000);
    channel.close();
    await ours.driver.forProfile(profileTo(sshd.port, sshd.key)).units.remove(KEY, soon());
  });

  it('a terminal has the size it was given, echoes, and ends', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const script = 'stty size; read -r line; stty size; cat; exit 9';
    const terminal = { columns: 91, rows: 33 };
    const channel = await machine.open(['sh', '-c', script], { stdin: true, terminal, ...soon() });
    let shown = '';
    channel.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
    });
    await until(async () => shown.includes('33 91\r\n'));
    await channel.resize?.({ columns: 120, rows: 40 });
    channel.stdin?.write('first\n');
    await until(async () => shown.includes('first\r\n40 120\r\n'));
    channel.stdin?.end('last\n');
    expect(await channel.exit).toEqual({ code: 9, signal: null });
    expect(shown).toMatch(/^33 91\r\nfirst\r\n40 120\r\nlast\r\nlast\r\n/);
    expect(shown).not.toContain('hangar-');
  });

  it('keys that interrupt reach the program and not what tells of it', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const terminal = { columns: 80, rows: 24 };
    const channel = await machine.open(['sh', '-c', 'echo ready; sleep 1000'], { stdin: true, terminal, ...soon() });
    let shown = '';
    channel.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
    });
    await until(async () => shown.includes('ready'));
    channel.stdin?.write('\x03');
    expect(await channel.exit).toEqual({ code: 130, signal: null });
  });

  it('what files of the shell and a banner print is not the output of the program', async () => {
    const banner = 'Banner /etc/hostname';
    const sshd = await used(startSshd({ options: [banner, 'PrintMotd yes'] }));
    const ours = await used(openDriver());
    await appendFile(`${sshd.home}/.bashrc`, 'echo garbage; echo more garbage >&2; printf "\\036hangar-"\n');
    const machine = await machineOn(sshd, ours);
    const { out, err, exit } = await outcome(
      await machine.open(['sh', '-c', 'echo out; echo err >&2'], { stdin: false, ...soon() }),
    );
    expect([out.toString(), err.toString(), exit.code]).toEqual(['out\n', 'err\n', 0]);
  });

  it('an account that runs no commands says so', async () => {
    const sshd = await used(startSshd({ options: ['ForceCommand echo This account is not available; exit 1'] }));
    const ours = await used(openDriver());
    await expect(machineOn(sshd, ours)).rejects.toMatchObject({
      code: 'driver_unavailable',
      message: expect.stringContaining('runs no commands: This account is not available'),
    });
  });

  it('who gives up waiting is let go, and nothing of it runs', async () => {
    const sshd = await used(startSshd());
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    await expect(machine.open(['true'], { stdin: false, signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  });
});

const SHELLS = [
  '/bin/bash',
  '/bin/dash',
  '/usr/bin/busybox sh',
  '/usr/bin/zsh',
  '/usr/bin/fish',
  '/usr/bin/tcsh',
  '/usr/bin/mksh',
];

describe.skipIf(whyNoSshd !== null).each(SHELLS)('ssh: login shell %s', (loginShell) => {
  it('runs programs with their arguments as they are, with and without a terminal', async ({ skip }) => {
    const [program = '', ...rest] = loginShell.split(' ');
    const isThere = await promisify(execFile)(program, [...rest, '-c', 'exit 0']).then(
      () => true,
      () => false,
    );
    if (!isThere) skip(`needs ${program}`);
    const sshd = await used(startSshd({ loginShell }));
    const ours = await used(openDriver());
    const machine = await machineOn(sshd, ours);
    const words = ["it's", "a\\\\b\\'", '!!', 'x\ny', '$HOME `id`', '*', ''];
    const shown = words.map((word) => `<${word}>`).join('');
    const plain = await outcome(await machine.open(['printf', '<%s>', ...words], { stdin: false, ...soon() }));
    expect([plain.out.toString(), plain.err.toString(), plain.exit.code]).toEqual([shown, '', 0]);
    const terminal = { columns: 200, rows: 24 };
    const typed = await outcome(await machine.open(['printf', '<%s>', ...words], { stdin: true, terminal, ...soon() }));
    expect([typed.out.toString(), typed.exit.code]).toEqual([shown.replaceAll('\n', '\r\n'), 0]);
  });
});

/** Processes of ours in whose arguments both stand. */
async function sshOf(folder: string, word: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (line.startsWith('ssh\0') && line.includes(folder) && line.includes(word)) found.push(Number(pid));
  }
  return found;
}
