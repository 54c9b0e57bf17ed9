import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { HangarError } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Driver, Reach } from '../../port/driver.ts';
import type { Machine } from '../../port/machine.ts';
import type { UnitKey, UnitSpec } from '../../port/unit.ts';
import { NO_HOST_KEYS, nothingBrought } from '../../testing/profile.ts';
import { createDaytonaDriver } from './index.ts';
import { type DaytonaServer, startDaytonaServer } from './testing/daytona-server.ts';

const log = pino({ level: 'silent' });
const signal = AbortSignal.timeout(600_000);
const o = { signal };
const say = () => {};
const code = (name: string) => expect.objectContaining({ code: name });

interface Backend {
  readonly apiUrl: string;
  readonly key: string;
}

function reachOf(
  { apiUrl, key }: Backend,
  more: { settings?: object; instanceId?: string; heartbeatMs?: number; limits?: object } = {},
): { driver: Driver; reach: Reach } {
  const driver = createDaytonaDriver({
    ...{ brought: nothingBrought(more.instanceId ?? randomUUID()), log },
    ...(more.heartbeatMs === undefined ? {} : { heartbeatMs: more.heartbeatMs }),
  });
  onTestFinished(() => driver[Symbol.asyncDispose]());
  const settings = { apiUrl, ...more.settings };
  const secret = async (name: string) => (name === 'apiKey' ? key : null);
  return {
    driver,
    reach: driver.forProfile({ name: 'p', settings, limits: more.limits ?? {}, secret, hostKeys: NO_HOST_KEYS }),
  };
}

const newKey = (): UnitKey => ({ id: `s_${randomBytes(6).toString('hex')}`, attempt: 1 });
const holding = (key: UnitKey, more: Partial<UnitSpec> = {}): UnitSpec => ({
  ...{ key, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds: null },
  ...more,
});

async function opened(reach: Reach): Promise<{ key: UnitKey; machine: Machine }> {
  const key = newKey();
  await reach.units.ensure(holding(key), { signal, say });
  onTestFinished(() => reach.units.remove(key, o).catch(() => {}));
  return { key, machine: await reach.units.machine(key, o) };
}

async function run(machine: Machine, ...argv: [string, ...string[]]) {
  const channel = await machine.open(argv, { signal, stdin: false });
  const [stdout, stderr, exit] = await Promise.all([text(channel.stdout), text(channel.stderr), channel.exit]);
  return { stdout, stderr, ...exit };
}
const sh = (machine: Machine, script: string, ...args: string[]) => run(machine, 'sh', '-c', script, 'sh', ...args);

const realKey = process.env.DAYTONA_API_KEY;
const BACKENDS: { name: string; start: () => Promise<Backend & { server?: DaytonaServer }> }[] = [
  {
    name: 'a server of our own',
    start: async () => {
      const server = await startDaytonaServer({ graceMs: 500 });
      return { apiUrl: server.url, key: server.key, server };
    },
  },
];
if (realKey !== undefined) {
  const apiUrl = process.env.DAYTONA_API_URL ?? 'https://app.daytona.io/api';
  BACKENDS.push({ name: 'the real service', start: async () => ({ apiUrl, key: realKey }) });
}

describe.each(BACKENDS)('machines of Daytona: $name', ({ start }) => {
  let backend: Backend & { server?: DaytonaServer };
  beforeAll(async () => {
    backend = await start();
  });
  afterAll(() => backend.server?.[Symbol.asyncDispose]());

  it('keep exit codes, both streams, and what has no newline at its end', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    expect(await sh(machine, 'printf out; printf err >&2; exit 7')).toEqual({
      ...{ stdout: 'out', stderr: 'err', code: 7, signal: null },
    });
    expect(await sh(machine, 'true')).toMatchObject({ stdout: '', stderr: '', code: 0 });
    expect(await sh(machine, 'kill -9 $$')).toMatchObject({ code: 137 });
    expect(await run(machine, 'no-such-program-here')).toMatchObject({ code: 127 });
    expect(await sh(machine, 'cat; echo done')).toMatchObject({ stdout: 'done\n', code: 0 });
  });

  it('give arguments as they are', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const words = ["it's", '$HOME $(id)', '', 'a\nb', '*', 'ü€😀', '-n'];
    const { stdout } = await sh(machine, 'for word; do printf "[%s]" "$word"; done', ...words);
    expect(stdout).toBe(words.map((word) => `[${word}]`).join(''));
  });

  it('keep letters that frames break, in long output', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const { stdout, stderr } = await sh(
      machine,
      'i=0; while [ $i -lt 2000 ]; do echo "ünïcödé $i"; i=$((i+1)); done; echo end >&2',
    );
    expect(stdout).toBe(Array.from({ length: 2000 }, (_, index) => `ünïcödé ${index}\n`).join(''));
    expect(stderr).toBe('end\n');
  });

  it('run ten at once', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, index) => sh(machine, 'echo "$1"; exit "$1"', `${index}`)),
    );
    expect(all.map(({ stdout, code: ended }) => [stdout, ended])).toEqual(all.map((_, index) => [`${index}\n`, index]));
  });

  it('write and read files of any bytes, also onto what is there and with odd names', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const folder = (await sh(machine, 'pwd')).stdout.trim();
    const bytes = randomBytes(3 * 1024 * 1024);
    for (const name of ['file.bin', 'it\'s "odd"\n.txt']) {
      const path = `${folder}/${name}`;
      await machine.writeFile?.(path, Readable.from([Buffer.from('before')]), o);
      await machine.writeFile?.(path, Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]), o);
      const read = await machine.readFile?.(path, o);
      expect(read && (await buffer(read)).equals(bytes)).toBe(true);
    }
    expect((await sh(machine, 'ls -Aq | wc -l')).stdout.trim()).toBe('2');
    await expect(machine.readFile?.(`${folder}/missing`, o)).rejects.toThrow(code('file_not_found'));
  });

  it('write no file of which the source broke', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const folder = (await sh(machine, 'pwd')).stdout.trim();
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('the source broke');
      })(),
    );
    await expect(machine.writeFile?.(`${folder}/half`, broken, o)).rejects.toThrow('the source broke');
    expect((await sh(machine, 'ls -A')).stdout).toBe('');
  });

  it('end what runs when a channel is closed', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const channel = await machine.open(['sh', '-c', 'echo $$; trap "" TERM; while :; do sleep 1; done'], {
      signal,
      stdin: false,
    });
    const pid = await new Promise<string>((resolve) =>
      channel.stdout.once('data', (data) => resolve(String(data).trim())),
    );
    channel.close();
    await expect(channel.exit).rejects.toThrow(code('connection_lost'));
    await expect.poll(async () => (await sh(machine, 'kill -0 "$1"', pid)).code, { timeout: 60_000 }).not.toBe(0);
  });

  it('open terminals: size, keys, end of file, exit code, and nothing of how they begin', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const script = 'stty size; read line; echo "got $line"; stty size; cat >/dev/null; exit 3';
    const terminal = { columns: 91, rows: 33 };
    const channel = await machine.open(['sh', '-c', script], { signal, stdin: true, terminal });
    let shown = '';
    channel.stdout.on('data', (bytes) => {
      shown += String(bytes);
    });
    await expect.poll(() => shown, { timeout: 60_000 }).toContain('33 91');
    await channel.resize?.({ columns: 100, rows: 40 });
    channel.stdin?.write('hello\r');
    await expect.poll(() => shown, { timeout: 60_000 }).toContain('40 100');
    channel.stdin?.end();
    expect(await channel.exit).toEqual({ code: 3, signal: null });
    expect(shown.replaceAll('\r', '')).toBe('33 91\nhello\ngot hello\n40 100\n');
  });

  it('say what they use', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const load = await machine.load?.(o);
    expect(load?.memoryMost).toBeGreaterThan(0);
    expect(load?.cpusMost).toBeGreaterThan(0);
    expect(load?.cpus).toBeLessThanOrEqual(load?.cpusMost ?? 0);
  });

  it('refuse what they cannot', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    await expect(machine.open(['cat'], { signal, stdin: true })).rejects.toThrow(code('unsupported'));
    await expect(machine.open(['id'], { signal, stdin: false, user: 'root' })).rejects.toThrow(code('unsupported'));
    await expect(run(machine, 'echo', 'x'.repeat(131_072))).rejects.toThrow(code('command_too_long'));
  });

  it('are gone for what runs in them when they are deleted in the middle', async () => {
    const { reach } = reachOf(backend, { heartbeatMs: 10_000 });
    const { key, machine } = await opened(reach);
    const channel = await machine.open(['sleep', '600'], { signal, stdin: false });
    await reach.units.remove(key, o);
    await expect(channel.exit).rejects.toThrow(code('sandbox_gone'));
    await expect(run(machine, 'true')).rejects.toThrow(code('sandbox_gone'));
    await expect(reach.units.machine(key, o)).rejects.toThrow(code('sandbox_gone'));
  });

  it('are made once, paused with their files, resumed, ended and removed', async () => {
    const { reach } = reachOf(backend);
    const { key, machine } = await opened(reach);
    const { units } = reach;
    await units.ensure(holding(key), { signal, say });
    expect(await units.inspect(key, o)).toEqual({ kind: 'running' });
    await sh(machine, 'echo kept > file');
    await units.pause?.(key, o);
    await units.pause?.(key, o);
    expect(await units.inspect(key, o)).toEqual({ kind: 'paused' });
    await expect(run(machine, 'true')).rejects.toThrow(code('sandbox_gone'));
    await units.resume?.(key, o);
    await units.resume?.(key, o);
    expect((await sh(await units.machine(key, o), 'cat file')).stdout).toBe('kept\n');
    await units.stop(key, { signal, graceMs: 1_000 });
    expect(await units.inspect(key, o)).toMatchObject({ kind: 'exited', exitCode: null });
    await units.remove(key, o);
    await units.remove(key, o);
    await units.stop(key, { signal, graceMs: 0 });
    expect(await units.inspect(key, o)).toEqual({ kind: 'missing' });
  });

  it('have a deadline that can be renewed', async () => {
    const { reach } = reachOf(backend);
    const key = newKey();
    await reach.units.ensure(holding(key, { deadlineSeconds: 3_600 }), { signal, say });
    onTestFinished(() => reach.units.remove(key, o));
    await reach.units.renew?.(key, 2 * 3_600_000, o);
    expect(await reach.units.inspect(key, o)).toEqual({ kind: 'running' });
    const { server } = backend;
    if (!server) return;
    await server.control.tick(Date.now() + 1.9 * 3_600_000);
    expect(await reach.units.inspect(key, o)).toEqual({ kind: 'running' });
    await server.control.tick(Date.now() + 2.1 * 3_600_000);
    expect(await reach.units.inspect(key, o)).toEqual({ kind: 'missing' });
  });

  it('are swept when nobody owns them, and only those of this Hangar', async () => {
    const { reach } = reachOf(backend);
    const other = reachOf(backend).reach;
    const [owned, lost] = [await opened(reach), await opened(reach)];
    const foreign = await opened(other);
    const report = await reach.units.sweep(async ({ id, attempt }) => id === owned.key.id && attempt === 1, o);
    expect(report).toEqual({ removed: [expect.stringContaining(lost.key.id)], kept: 1 });
    expect(await reach.units.inspect(lost.key, o)).toEqual({ kind: 'missing' });
    expect(await reach.units.inspect(owned.key, o)).toEqual({ kind: 'running' });
    expect(await other.units.inspect(foreign.key, o)).toEqual({ kind: 'running' });
  });

  it('are proved by a test that leaves nothing', async () => {
    const { reach } = reachOf(backend);
    const checks = await reach.test(o);
    expect(checks.map(({ ok, detail }) => (ok ? ok : detail))).toEqual([true, true, true, true, true]);
    expect(await reach.units.sweep(async () => true, o)).toEqual({ removed: [], kept: 0 });
  });
});

describe('what Daytona does wrong', () => {
  let server: DaytonaServer;
  let backend: Backend;
  beforeEach(async () => {
    server = await startDaytonaServer({ graceMs: 500 });
    backend = { apiUrl: server.url, key: server.key };
    onTestFinished(() => server[Symbol.asyncDispose]());
  });

  const answered = (status: number, message: string, headers: Record<string, string> = {}) => {
    server.faults.answerAll = { status, body: { statusCode: status, message }, headers };
  };
  const caught = async (promise: Promise<unknown>): Promise<HangarError> => {
    const error = await promise.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (error instanceof HangarError) return error;
    throw new Error('No HangarError', { cause: error });
  };

  it('refuses a key: the key is not told', async () => {
    const { reach } = reachOf({ ...backend, key: 'dtn_wrong_secret' });
    const error = await caught(reach.units.inspect(newKey(), o));
    expect(error.code).toBe('driver_auth_failed');
    expect(error.message).not.toContain('dtn_wrong_secret');
    expect(await reach.test(o)).toEqual([expect.objectContaining({ ok: false, wayOut: expect.any(String) })]);
    const without = createDaytonaDriver({ brought: nothingBrought('i'), log }).forProfile({
      ...{ name: 'p', settings: { apiUrl: server.url }, limits: {}, secret: async () => null, hostKeys: NO_HOST_KEYS },
    });
    await expect(without.units.inspect(newKey(), o)).rejects.toThrow(code('driver_auth_failed'));
  });

  it('never shows a key that it is told back', async () => {
    answered(500, `token ${backend.key} failed`);
    const error = await caught(reachOf(backend).reach.units.inspect(newKey(), o));
    expect(error.message).toContain('***');
    expect(error.message).not.toContain(backend.key);
  });

  it('asks to be called less often, with and without a time', async () => {
    const { units } = reachOf(backend).reach;
    answered(429, 'ThrottlerException', { 'Retry-After-Sandbox-Create': '7', 'Retry-After': '2' });
    expect(await caught(units.inspect(newKey(), o))).toMatchObject({
      code: 'driver_busy',
      details: { retryAfterMs: 7_000 },
    });
    answered(429, 'ThrottlerException');
    expect(await caught(units.inspect(newKey(), o))).toMatchObject({ code: 'driver_busy', details: {} });
  });

  it('is away: says which host', async () => {
    const { units } = reachOf(backend).reach;
    const { host } = new URL(server.url);
    answered(503, 'Service Unavailable');
    expect(await caught(units.inspect(newKey(), o))).toMatchObject({
      code: 'driver_unavailable',
      message: expect.stringContaining(host),
    });
    for (const status of [200, 502, 404, 403]) {
      const bytes = Buffer.from('<!DOCTYPE html><html><body>Please sign in</body></html>');
      server.faults.answerAll = { status, raw: { type: 'text/html', bytes } };
      expect(await caught(units.inspect(newKey(), o))).toMatchObject({ code: 'driver_unavailable' });
      expect(await caught(units.ensure(holding(newKey()), { signal, say }))).toMatchObject({
        code: 'driver_unavailable',
      });
      expect(await caught(units.sweep(async () => true, o))).toMatchObject({ code: 'driver_unavailable' });
    }
    const nobody = reachOf({ apiUrl: 'http://127.0.0.1:9/api', key: 'k' }).reach;
    expect(await caught(nobody.units.inspect(newKey(), o))).toMatchObject({
      ...{ code: 'driver_unavailable', message: expect.stringContaining('127.0.0.1:9') },
    });
  });

  it('may not give more', async () => {
    server.organization.mostCpu = 1;
    const { reach } = reachOf(backend, { settings: { snapshot: 'daytona-small' } });
    await opened(reach);
    await expect(reach.units.ensure(holding(newKey()), { signal, say })).rejects.toThrow(code('driver_quota'));
    const big = holding(newKey(), { image: 'debian:12', resources: { memoryBytes: 90 * 1024 ** 3 } });
    await expect(reach.units.ensure(big, { signal, say })).rejects.toThrow(code('driver_quota'));
  });

  it('does not know an image or a snapshot', async () => {
    const named = holding(newKey(), { image: 'no/such:image' });
    await expect(reachOf(backend).reach.units.ensure(named, { signal, say })).rejects.toThrow(code('image_not_found'));
    const { units } = reachOf(backend, { settings: { snapshot: 'nowhere' } }).reach;
    await expect(units.ensure(holding(newKey()), { signal, say })).rejects.toThrow(code('image_not_found'));
  });

  it('cuts the answer of a create that was made: it is made once', async () => {
    const { units } = reachOf(backend).reach;
    const key = newKey();
    server.faults.cutCreate = true;
    await units.ensure(holding(key), { signal, say });
    server.faults.cutCreate = false;
    await units.ensure(holding(key), { signal, say });
    expect(server.control.sandboxes.size).toBe(1);
    expect(server.requests.filter((request) => request === 'POST /api/sandbox')).toHaveLength(1);
    expect(await units.inspect(key, o)).toEqual({ kind: 'running' });
  });

  it('is asked twice at once: it is made once', async () => {
    const { units } = reachOf(backend).reach;
    const spec = holding(newKey());
    await Promise.all([units.ensure(spec, { signal, say }), units.ensure(spec, { signal, say })]);
    expect(server.control.sandboxes.size).toBe(1);
  });

  it('cannot build an image: the cause is told, and stays to be seen', async () => {
    server.organization.becomes = { state: 'build_failed', errorReason: 'failed to pull debian:12: no such host' };
    const { units } = reachOf(backend).reach;
    const spec = holding(newKey(), { image: 'debian:12' });
    await expect(units.ensure(spec, { signal, say })).rejects.toThrow(code('image_not_found'));
    expect(await units.inspect(spec.key, o)).toMatchObject({ kind: 'exited', code: 'image_not_found' });
  });

  it('knows of no deadline: nothing is left running', async () => {
    server.organization.hasTtl = false;
    const { units } = reachOf(backend).reach;
    const spec = holding(newKey(), { deadlineSeconds: 60 });
    await expect(units.ensure(spec, { signal, say })).rejects.toThrow(code('unsupported'));
    expect(server.control.sandboxes.size).toBe(0);
  });

  it('is told nothing of the environment of this process, and no connection opens by itself', async () => {
    vi.stubEnv('DAYTONA_TARGET', 'elsewhere');
    vi.stubEnv('DAYTONA_API_KEY', 'another');
    vi.stubEnv('DAYTONA_API_URL', 'http://127.0.0.1:9/api');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { machine } = await opened(reachOf(backend).reach);
    await sh(machine, 'true');
    expect([...server.control.sandboxes.values()].map(({ dto }) => dto.target)).toEqual(['us']);
    expect(server.requests.filter((request) => /socket\.io/.test(request))).toEqual([]);
  });

  it('gives sizes to images, and enlarges what comes of a snapshot', async () => {
    const resources = { cpus: 1.5, memoryBytes: 2.5 * 1024 ** 3 };
    const size = { cpu: 2, memory: 3 };
    for (const spec of [holding(newKey(), { image: 'debian:12', resources }), holding(newKey(), { resources })]) {
      await reachOf(backend, { instanceId: 'one' }).reach.units.ensure(spec, { signal, say });
      expect(server.control.find([...server.control.sandboxes.keys()].at(-1) ?? '')?.dto).toMatchObject(size);
    }
  });

  it('makes no sandbox that stops by itself, and none with a network where the profile says so', async () => {
    const { reach } = reachOf(backend, { settings: { internet: false } });
    const { key } = await opened(reach);
    await server.control.tick(Date.now() + 1000 * 60_000);
    expect(await reach.units.inspect(key, o)).toEqual({ kind: 'running' });
    expect([...server.control.sandboxes.values()][0]?.dto).toMatchObject({
      networkBlockAll: true,
      autoDeleteInterval: -1,
    });
  });

  it('has a sandbox of the same name that is not ours', async () => {
    const { reach } = reachOf(backend);
    const { key } = await opened(reach);
    for (const { dto } of server.control.sandboxes.values()) dto.labels = { 'hangar.instance': 'other' };
    await expect(reach.units.remove(key, o)).rejects.toThrow(code('launch_failed'));
    expect(server.control.sandboxes.size).toBe(1);
    expect(await reach.units.sweep(async () => false, o)).toEqual({ removed: [], kept: 0 });
  });

  it('tells why a sandbox failed', async () => {
    const { reach } = reachOf(backend);
    const { key } = await opened(reach);
    const [sandbox] = server.control.sandboxes.values();
    const state = async (name: string, errorReason?: string) => {
      Object.assign(sandbox?.dto ?? {}, { state: name, errorReason });
      return reach.units.inspect(key, o);
    };
    expect(await state('build_failed', 'pull access denied for nobody')).toMatchObject({
      kind: 'exited',
      code: 'image_not_found',
    });
    expect(await state('error', 'runner died')).toMatchObject({ kind: 'exited', code: 'launch_failed' });
    expect(await state('pulling_snapshot')).toMatchObject({ kind: 'starting' });
    await expect(state('dreaming')).rejects.toThrow(code('driver_unavailable'));
    await state('started');
  });

  it('keeps memory where a pause is there', async () => {
    server.organization.sandboxClass = 'linux-vm';
    const { reach } = reachOf(backend);
    const { key } = await opened(reach);
    await reach.units.pause?.(key, o);
    expect([...server.control.sandboxes.values()][0]?.dto.state).toBe('paused');
    await reach.units.resume?.(key, o);
    expect(await reach.units.inspect(key, o)).toEqual({ kind: 'running' });
  });

  it('cuts output in the middle: never an exit code, even when the command has ended', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    server.faults.cutLogsAfter = 5_000;
    const channel = await machine.open(['sh', '-c', 'seq 1 10000'], { signal, stdin: false });
    const [printed] = await Promise.all([
      text(channel.stdout),
      expect(channel.exit).rejects.toThrow(code('connection_lost')),
    ]);
    expect(printed.length).toBeLessThan(5_000);
  });

  it('cuts a terminal: never an exit code', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const terminal = { columns: 80, rows: 24 };
    const channel = await machine.open(['sleep', '600'], { signal, stdin: false, terminal });
    for (const { terminals } of server.control.sandboxes.values()) terminals.dispose();
    await expect(channel.exit).rejects.toThrow(code('connection_lost'));
  });

  it('sends frames that end anywhere: each line is of its stream', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const script = 'i=0; while [ $i -lt 40 ]; do echo "öut $i"; echo "err $i" >&2; i=$((i+1)); done; printf ö';
    const lines = (word: string) => Array.from({ length: 40 }, (_, index) => `${word} ${index}\n`).join('');
    for (const frameBytes of [4, 5, 7, 11, 64]) {
      server.faults.frameBytes = frameBytes;
      expect(await sh(machine, script)).toMatchObject({ stdout: `${lines('öut')}ö`, stderr: lines('err'), code: 0 });
    }
  });

  it('sends frames that the SDK cannot read', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    server.faults.frameBytes = 1024 * 1024;
    const channel = await machine.open(['sh', '-c', 'seq 1 200000'], { signal, stdin: false });
    channel.stdout.resume();
    await expect(channel.exit).rejects.toThrow(code('connection_lost'));
  });

  it('falls silent: noticed by the heartbeat', async () => {
    const { machine } = await opened(reachOf(backend, { heartbeatMs: 200 }).reach);
    server.faults.silentLogs = true;
    const channel = await machine.open(['true'], { signal, stdin: false });
    await expect(channel.exit).rejects.toThrow(code('connection_lost'));
  });

  it('cuts a download: it has no end', async () => {
    const { machine } = await opened(reachOf(backend).reach);
    const folder = (await sh(machine, 'pwd')).stdout.trim();
    await machine.writeFile?.(`${folder}/file`, Readable.from([randomBytes(300_000)]), o);
    server.faults.cutDownloads = true;
    const stream = await machine.readFile?.(`${folder}/file`, o);
    await expect(stream && buffer(stream)).rejects.toThrow(code('connection_lost'));
  });

  it('leaves no session behind', async () => {
    const { driver, reach } = reachOf(backend);
    const { machine } = await opened(reach);
    await sh(machine, 'true');
    await driver[Symbol.asyncDispose]();
    const [sandbox] = server.control.sandboxes.values();
    expect((await sandbox?.sessions.list())?.body).toEqual([]);
  });

  it('leaves no session of a command that was given up while it was sent', async () => {
    const { driver, reach } = reachOf(backend);
    const { machine } = await opened(reach);
    for (const terminal of [undefined, { columns: 80, rows: 24 }]) {
      const giving = new AbortController();
      const stdin = { stdin: false, ...(terminal ? { terminal } : {}) };
      const opening = machine.open(['sleep', '600'], { signal: giving.signal, ...stdin });
      giving.abort(new Error('given up'));
      await expect(opening).rejects.toThrow('given up');
    }
    await driver[Symbol.asyncDispose]();
    const [sandbox] = server.control.sandboxes.values();
    expect((await sandbox?.sessions.list())?.body).toEqual([]);
  });

  it('is given up when the caller gives up', async () => {
    const { reach } = reachOf(backend);
    const reason = new Error('given up');
    await expect(reach.units.inspect(newKey(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('the driver', () => {
  it('says what it is without its package, and how to get it', async () => {
    const driver = createDaytonaDriver({
      ...{ brought: nothingBrought('i'), log },
      load: () => Promise.reject(new Error('Cannot find package')),
    });
    const profile = { name: 'p', settings: {}, limits: {}, secret: async () => 'key', hostKeys: NO_HOST_KEYS };
    const error = await driver
      .forProfile(profile)
      .units.inspect(newKey(), o)
      .catch((thrown) => thrown);
    expect(error).toMatchObject({
      code: 'driver_unavailable',
      wayOut: expect.stringContaining('npm install @daytona/sdk'),
    });
  });

  it('describes itself and refuses settings of others', async () => {
    // Nothing of this may load the SDK.
    const load = () => Promise.reject(new Error('loaded'));
    const driver = createDaytonaDriver({ brought: nothingBrought('i'), log, load });
    expect(await driver.describe(o)).toMatchObject({ name: 'daytona', available: true, capabilities: { pids: false } });
    const profile = {
      name: 'p',
      settings: { apiUrl: 'ftp://x' },
      limits: {},
      secret: async () => null,
      hostKeys: NO_HOST_KEYS,
    };
    expect(() => driver.forProfile(profile)).toThrow(code('validation_failed'));
  });

  it('begins no program that could not reach this server', async () => {
    const { units } = reachOf({ apiUrl: 'http://127.0.0.1:9/api', key: 'k' }).reach;
    const spec = holding(newKey(), { program: { kind: 'brought', name: 'probe', input: '' } });
    await expect(units.ensure(spec, { signal, say })).rejects.toThrow(code('launch_failed'));
  });
});
