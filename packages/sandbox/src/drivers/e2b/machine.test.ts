import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Channel, Exit, Machine } from '../../port/machine.ts';
import { createMachine } from './machine.ts';
import { openClient } from './sdk.ts';
import { type E2bPeer, fakePeer, holdSpec, realPeer } from './testing/peer.ts';

const KEY = process.env.E2B_API_KEY;
const made: E2bPeer[] = [];
afterEach(async () => {
  for (const peer of made.splice(0)) await peer[Symbol.asyncDispose]();
});
const soon = () => ({ signal: AbortSignal.timeout(90_000) });

interface Ran {
  stdout: string;
  stderr: string;
  exit: Exit;
}

async function run(machine: Machine, argv: readonly [string, ...string[]], input?: string | Buffer): Promise<Ran> {
  const channel = await machine.open(argv, { ...soon(), stdin: input !== undefined });
  channel.stdin?.end(input);
  return outcome(channel);
}
async function outcome(channel: Channel): Promise<Ran> {
  const [stdout, stderr, exit] = await Promise.all([text(channel.stdout), text(channel.stderr), channel.exit]);
  return { stdout, stderr, exit };
}
async function until<T>(look: () => T | Promise<T>, right: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look();
    if (right(value)) return value;
    await new Promise((done) => setTimeout(done, 50));
  }
}
async function readUntil(channel: Channel, pattern: RegExp): Promise<string> {
  let seen = '';
  for await (const chunk of channel.stdout.iterator({ destroyOnReturn: false })) {
    seen += chunk;
    if (pattern.test(seen)) return seen;
  }
  throw new Error(`ended without ${pattern}: ${seen}`);
}

const peers: [string, () => Promise<E2bPeer>][] = [['the fake', () => fakePeer()]];
if (KEY) peers.push(['E2B', () => realPeer(KEY)]);

describe.each(peers)('a machine of %s', (_name, open) => {
  const spec = holdSpec('s_machine');
  let peer: E2bPeer;
  let machine: Machine;
  let home: string;
  beforeAll(async () => {
    peer = await open();
    await peer.reach.units.ensure(spec, { ...soon(), say: () => undefined });
    machine = await peer.reach.units.machine(spec.key, soon());
    home = (await run(machine, ['sh', '-c', 'printf %s "$HOME"'])).stdout;
  });
  afterAll(() => peer[Symbol.asyncDispose]());

  test('code, both streams, and nothing of the shell around it', async () => {
    const ran = await run(machine, ['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(ran).toEqual({ stdout: 'out\n', stderr: 'err\n', exit: { code: 7, signal: null } });
    expect((await run(machine, ['true'])).exit).toEqual({ code: 0, signal: null });
  });

  test('what is not there is 127, what is no program 126', async () => {
    expect((await run(machine, ['no-such-program-here'])).exit.code).toBe(127);
    expect((await run(machine, ['/etc/passwd'])).exit.code).toBe(126);
  });

  test.each(['KILL', 'TERM', 'SEGV'])('a process that is ended by SIG%s says so', async (name) => {
    expect((await run(machine, ['sh', '-c', `kill -s ${name} $$`])).exit).toEqual({ code: null, signal: `SIG${name}` });
  });

  test('standard input with its end, and none at all', async () => {
    const sent = 'příliš žluťoučký\n'.repeat(20_000);
    const ran = await run(machine, ['sh', '-c', 'sha256sum; echo end'], sent);
    expect(ran.stdout).toBe(`${createHash('sha256').update(sent).digest('hex')}  -\nend\n`);
    expect((await run(machine, ['cat'])).stdout).toBe('');
  });

  test('bytes go in as they are; text comes out whole', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    expect((await run(machine, ['od', '-An', '-v', '-tx1'], bytes)).stdout.replaceAll(/\s/g, '')).toBe(
      bytes.toString('hex'),
    );
    const words = '日本語🎉'.repeat(50_000);
    const file = `${home}/words`;
    await machine.writeFile?.(file, Readable.from([words]), soon());
    expect((await run(machine, ['cat', file])).stdout).toBe(words);
  });

  test('who reads slowly gets all of it', async () => {
    const channel = await machine.open(['sh', '-c', 'seq 1 200000'], { ...soon(), stdin: false });
    let lines = '';
    for await (const chunk of channel.stdout) {
      lines += chunk;
      if (lines.length < 200_000) await new Promise((done) => setTimeout(done, 5));
    }
    expect(lines.trimEnd().split('\n').length).toBe(200_000);
    expect(await channel.exit).toEqual({ code: 0, signal: null });
  });

  test('twenty at the same time', async () => {
    const ran = await Promise.all(
      Array.from({ length: 20 }, (_, at) => run(machine, ['sh', '-c', `echo ${at}; exit ${at}`])),
    );
    expect(ran.map(({ stdout, exit }) => [stdout, exit.code])).toEqual(ran.map((_, at) => [`${at}\n`, at]));
  });

  test('three megabytes of chance through files, whole and under its own name', async () => {
    const body = randomBytes(3 * 1024 * 1024);
    const file = `${home}/some where/it's.bin`;
    await run(machine, ['mkdir', '-p', `${home}/some where`]);
    await machine.writeFile?.(file, Readable.from([body.subarray(0, 1000), body.subarray(1000)]), soon());
    const back = await machine.readFile?.(file, soon());
    expect(
      createHash('sha256')
        .update(await buffer(back ?? Readable.from([])))
        .digest('hex'),
    ).toBe(createHash('sha256').update(body).digest('hex'));
    await machine.writeFile?.(file, Readable.from([]), soon());
    expect((await run(machine, ['ls', '-A', `${home}/some where`])).stdout).toBe("it's.bin\n");
    expect((await buffer((await machine.readFile?.(file, soon())) ?? Readable.from(['none']))).length).toBe(0);
  });

  test('a file that is not there, a folder, and a source that breaks', async () => {
    await expect(machine.readFile?.(`${home}/none`, soon())).rejects.toMatchObject({ code: 'file_not_found' });
    await expect(machine.readFile?.(home, soon())).rejects.toMatchObject({ code: 'file_unreadable' });
    async function* breaks() {
      yield Buffer.alloc(100_000);
      throw new Error('the source broke');
    }
    const target = `${home}/broken/file`;
    await run(machine, ['mkdir', '-p', `${home}/broken`]);
    await machine.writeFile?.(target, Readable.from(['before']), soon());
    await expect(machine.writeFile?.(target, Readable.from(breaks()), soon())).rejects.toThrow('the source broke');
    expect((await run(machine, ['cat', target])).stdout).toBe('before');
    expect((await run(machine, ['ls', '-A', `${home}/broken`])).stdout).toBe('file\n');
  });

  test('to close a channel stops listening and not the process', async () => {
    const channel = await machine.open(['sh', '-c', 'echo $$; exec sleep 300'], { ...soon(), stdin: false });
    const pid = (await readUntil(channel, /\d+\n/)).trim();
    channel.close();
    await expect(channel.exit).rejects.toMatchObject({ code: 'connection_lost' });
    expect((await run(machine, ['kill', '-s', 'KILL', pid])).exit.code).toBe(0);
  });

  test('a call that is given up throws what it was given up for', async () => {
    const given = new AbortController();
    given.abort(new Error('given up'));
    await expect(machine.open(['true'], { stdin: false, signal: given.signal })).rejects.toThrow('given up');
    await expect(machine.readFile?.('/etc/passwd', given)).rejects.toThrow('given up');
  });

  test('a terminal: its size, what is typed, its end, and no trace of the shell before', async () => {
    const look = 'test -t 0 && stty size; read word; stty size; echo "<$word>"; cat; exit 3';
    const channel = await machine.open(['sh', '-c', look], {
      ...soon(),
      stdin: true,
      terminal: { columns: 91, rows: 23 },
    });
    expect(await readUntil(channel, /\n/)).toBe('23 91\r\n');
    await channel.resize?.({ columns: 120, rows: 40 });
    channel.stdin?.write('hello\n');
    expect(await readUntil(channel, />\r\n/)).toBe('hello\r\n40 120\r\n<hello>\r\n');
    channel.stdin?.end();
    const rest = await outcome(channel);
    expect(rest.exit).toEqual({ code: 3, signal: null });
    expect(rest.stderr).toBe('');
  });

  test('a program that is missing ends its terminal', async () => {
    const channel = await machine.open(['no-such-program'], {
      ...soon(),
      stdin: false,
      terminal: { columns: 80, rows: 24 },
    });
    expect((await outcome(channel)).exit.code).toBe(127);
  });

  test('another account', async () => {
    const channel = await machine.open(['sh', '-c', 'echo $LOGNAME'], { ...soon(), stdin: false, user: 'root' });
    expect((await outcome(channel)).stdout).toBe('root\n');
    await expect(machine.open(['true'], { ...soon(), stdin: false, user: 'nobody-here' })).rejects.toMatchObject({
      code: 'validation_failed',
    });
  });

  test('says what it has and uses, or that it does not know yet', async () => {
    const load = await machine.load?.(soon());
    expect(load?.at).toBeInstanceOf(Date);
    if (peer.server)
      expect(load).toMatchObject({ cpus: 1, cpusMost: 2, memoryBytes: 134_217_728, diskMost: 1_073_741_824 });
  });
});

describe('when it breaks', () => {
  async function opened() {
    const peer = await fakePeer();
    made.push(peer);
    const spec = holdSpec('s_breaks');
    await peer.reach.units.ensure(spec, { ...soon(), say: () => undefined });
    const machine = await peer.reach.units.machine(spec.key, soon());
    const { server } = peer;
    if (!server) throw new Error('no fake');
    return { peer, server, machine, key: spec.key };
  }
  const waiting = async (machine: Machine) => {
    const channel = await machine.open(['sh', '-c', 'echo up; exec sleep 300'], { ...soon(), stdin: true });
    await readUntil(channel, /up/);
    return channel;
  };

  test('a connection that breaks is lost, in exit and in the streams, and is no code', async () => {
    const { server, machine } = await opened();
    const channel = await waiting(machine);
    const streams = text(channel.stdout);
    server.cutStreams();
    await expect(channel.exit).rejects.toMatchObject({ code: 'connection_lost' });
    await expect(streams).rejects.toMatchObject({ code: 'connection_lost' });
    expect((await run(machine, ['echo', 'again'])).stdout).toBe('again\n');
  });

  test('a sandbox that is killed in the middle is gone, for what runs and for what comes', async () => {
    const { peer, machine, key } = await opened();
    const channel = await waiting(machine);
    await peer.reach.units.remove(key, soon());
    await expect(channel.exit).rejects.toMatchObject({ code: 'sandbox_gone' });
    await expect(machine.open(['true'], { ...soon(), stdin: false })).rejects.toMatchObject({ code: 'sandbox_gone' });
    await expect(machine.readFile?.('/etc/passwd', soon())).rejects.toMatchObject({ code: 'sandbox_gone' });
    await expect(machine.writeFile?.('/tmp/hangar-none', Readable.from(['x']), soon())).rejects.toMatchObject({
      code: 'sandbox_gone',
    });
  });

  test('nothing is proved by what stands on the way: 502 of a proxy before a sandbox that runs', async () => {
    const { server, machine } = await opened();
    server.fault = ({ plane }) =>
      plane === 'envd' ? { status: 502, body: '<html>Bad Gateway</html>', type: 'text/html' } : null;
    await expect(machine.open(['true'], { ...soon(), stdin: false })).rejects.toMatchObject({
      code: 'connection_lost',
    });
    server.fault = ({ plane }) =>
      plane === 'envd' ? 'cut' : { status: 404, body: '404 page not found', type: 'text/plain' };
    await expect(machine.open(['true'], { ...soon(), stdin: false })).rejects.toMatchObject({
      code: 'connection_lost',
    });
  });

  test('a link that says nothing any more is noticed', async () => {
    const { server, key } = await opened();
    const client = await openClient({ settings: settingsOf(server), apiKey: server.account.apiKey, env: {} });
    const [found] = await client.Sandbox.list({ query: { metadata: { hangarUnit: `${key.id}-1` } } }).nextItems();
    const sandbox = await client.Sandbox.connect(found?.sandboxId ?? '');
    const machine = createMachine({ client, sandbox, watchMs: 1500 });
    const channel = await waiting(machine);
    server.fault = ({ what }) => (what === 'GET /health' ? 'no answer' : null);
    await expect(channel.exit).rejects.toMatchObject({ code: 'connection_lost' });
  });

  test('a file whose answer is cut in the middle is no shorter file', async () => {
    const { server, machine } = await opened();
    const [sandbox] = server.sandboxes.values();
    const file = `${sandbox?.root}/home/user/large`;
    await machine.writeFile?.(file, Readable.from([randomBytes(32 * 1024 * 1024)]), soon());
    const body = await machine.readFile?.(file, soon());
    const all = (async () => {
      for await (const _chunk of body ?? []) server.cutStreams();
    })();
    await expect(all).rejects.toMatchObject({ code: 'connection_lost' });
  });

  test('input for a process that has ended breaks that stream alone', async () => {
    const { machine } = await opened();
    const channel = await machine.open(['true'], { ...soon(), stdin: true });
    expect(await channel.exit).toEqual({ code: 0, signal: null });
    const broken = new Promise((resolve) => channel.stdin?.once('error', resolve));
    channel.stdin?.write('x');
    expect(await broken).toMatchObject({ code: 'EPIPE' });
  });

  test('noise of the profile is left out, and told when it is all there is', async () => {
    const { server, machine } = await opened();
    const [sandbox] = server.sandboxes.values();
    const profile = `${sandbox?.root}/home/user/.bash_profile`;
    await machine.writeFile?.(profile, Readable.from(['echo noise; echo "more noise" >&2\n']), soon());
    expect(await run(machine, ['echo', 'mine'])).toMatchObject({ stdout: 'mine\n', stderr: '' });
    await machine.writeFile?.(profile, Readable.from(['echo broken >&2; exit 9\n']), soon());
    expect(await run(machine, ['echo', 'mine'])).toEqual({
      stdout: '',
      stderr: 'broken\n',
      exit: { code: 9, signal: null },
    });
  });

  test('what waits for a paused sandbox is lost and not gone', async () => {
    const { peer, machine, key } = await opened();
    const channel = await waiting(machine);
    await peer.reach.units.pause?.(key, soon());
    await expect(channel.exit).rejects.toMatchObject({ code: 'connection_lost' });
    await until(
      () => peer.reach.units.inspect(key, soon()),
      ({ kind }) => kind === 'paused',
    );
  });
});

const settingsOf = ({ apiUrl, sandboxUrl }: { apiUrl: string; sandboxUrl: string }) => ({
  ...{ apiUrl, sandboxUrl, domain: 'e2b.app', template: 'base', internet: true },
});
