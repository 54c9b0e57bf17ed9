import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeCertificate, startTinyproxy, TINYPROXY } from '../../../../../worker/src/testing/tinyproxy.ts';
import type { Channel, Machine, OpenOptions } from '../../../port/machine.ts';
import { type ApiOptions, type ClusterApi, createApi } from '../api/api.ts';
import { ExecServer, POD, podWith, refuse, UNIT } from '../testing/exec-server.ts';
import type { Place } from '../unit/parts.ts';
import { readPod } from '../unit/pod.ts';
import { createPodWatches } from '../unit/pods.ts';
import { createExecPod } from './exec-pod.ts';
import { createPodMachine } from './machine.ts';
import { createStarts } from './starts.ts';

const MIB = 1024 * 1024;
const signal = () => AbortSignal.timeout(60_000);
const leave: (() => unknown)[] = [];
let server: ExecServer;
let machine: Machine;
let address = '';

beforeEach(async () => {
  server = new ExecServer();
  address = `http://127.0.0.1:${await server.listen()}`;
  machine = machineAt({ server: address });
});
afterEach(async () => {
  server.close();
  for (const step of leave.splice(0).reverse()) await step();
  expect(server.wrong).toEqual([]);
});

function machineAt(o: Partial<ApiOptions> & { readonly server: string }): Machine {
  const api: ClusterApi = createApi({ insecure: false, credentials: async () => ({}), ...o });
  const watches = createPodWatches({ instanceId: 'i_exec', log: pino({ level: 'silent' }) });
  leave.push(api.close, watches.close);
  const seen = readPod(podWith({ running: {} }));
  if (!seen) throw new Error(`${POD} is no pod of ${UNIT}`);
  const place = async (): Promise<Place> => ({
    connection: { source: 'kubeconfig', context: 'c', namespace: 'n', api },
    namespace: 'n',
  });
  const podsOf = ({ connection, namespace }: Place) => watches.in(connection.api, namespace);
  return createPodMachine({ pod: createExecPod({ pod: seen, place, podsOf }), place, starts: createStarts() });
}

const open = (argv: readonly [string, ...string[]], o: Partial<OpenOptions> = {}, at = machine) =>
  at.open(argv, { stdin: false, signal: signal(), ...o });
const sh = (script: string, o: Partial<OpenOptions> = {}, at = machine) => open(['sh', '-c', script], o, at);
async function outcome(channel: Channel) {
  const [stdout, stderr, exit] = await Promise.all([buffer(channel.stdout), buffer(channel.stderr), channel.exit]);
  return { stdout: stdout.toString('latin1'), stderr: stderr.toString('latin1'), code: exit.code };
}
async function until(stream: Readable, words: string): Promise<void> {
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (text.includes(words)) return;
  }
  throw new Error(`it ended before it said ${words}: ${text}`);
}
const failure = (work: Promise<unknown>) =>
  work.then(
    (value) => expect.unreachable(`it did not fail: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );

describe('a process in a pod', () => {
  test('has both streams apart, its arguments as they are, and its exit code', async () => {
    const words = ['a b', '', "it's", '$HOME & \n?=%', 'é😀'];
    const channel = await open(['sh', '-c', `printf '%s|' "$@"; printf err >&2; exit 7`, 'sh', ...words]);
    expect(await outcome(channel)).toMatchObject({ stderr: 'err', code: 7 });
    expect(server.asked[0]?.query.getAll('command').slice(4)).toEqual(words);
    expect(await outcome(await open(['true']))).toEqual({ stdout: '', stderr: '', code: 0 });
  });

  test('takes every byte, and has an end of input', async () => {
    const bytes = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, n) => n)), randomBytes(3_000_000)]);
    const channel = await open(['cat'], { stdin: true });
    channel.stdin?.end(bytes);
    const [stdout, exit] = await Promise.all([buffer(channel.stdout), channel.exit]);
    expect(stdout.equals(bytes)).toBe(true);
    expect(exit).toEqual({ code: 0, signal: null });
    // Without input it is at its end from the start.
    expect(await outcome(await open(['cat']))).toMatchObject({ stdout: '', code: 0 });
  });

  test('that cannot run is an exit as in a shell, with why in stderr', async () => {
    expect(await outcome(await open(['hangar-no-such-program']))).toMatchObject({
      ...{ code: 127, stdout: '', stderr: expect.stringContaining('executable file not found') },
    });
    expect(await outcome(await open(['/etc/passwd']))).toMatchObject({
      ...{ code: 126, stderr: expect.stringContaining('permission denied') },
    });
  });

  test('in a terminal has its size, also when it changes, and a character as the end of its input', async () => {
    const channel = await open(['head', '-c', '8'], { stdin: true, terminal: { columns: 100, rows: 40 } });
    await channel.resize?.({ columns: 77, rows: 0 });
    channel.stdin?.end('line\nab');
    expect(await outcome(channel)).toEqual({ stdout: 'line\nab\x04', stderr: '', code: 0 });
    expect(server.asked[0]?.resizes).toEqual([
      { Width: 100, Height: 40 },
      { Width: 77, Height: 1 },
    ]);
    expect(server.asked[0]?.query.get('stderr')).toBe('false');
    await channel.resize?.({ columns: 80, rows: 24 });
  });

  test('runs as the account of the pod alone, and takes no argument that Linux does not', async () => {
    await expect(open(['true'], { user: 'root' })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(open(['echo', 'x'.repeat(131_072)])).rejects.toMatchObject({ code: 'command_too_long' });
    const many = Array.from({ length: 10 }, () => '%'.repeat(40_000));
    await expect(open(['echo', ...many])).rejects.toMatchObject({ code: 'command_too_long' });
    expect(server.asked).toEqual([]);
  });

  test('that is no longer listened to says so', async () => {
    const channel = await sh('echo begun; sleep 100');
    await until(channel.stdout, 'begun');
    channel.close();
    expect(await failure(channel.exit)).toMatchObject({ code: 'connection_lost' });
  });
});

describe('flow', () => {
  test('what nobody reads waits in the pod, and nothing of it is lost', async () => {
    const bytes = 64 * MIB;
    const channel = await sh(`head -c ${bytes} /dev/zero; echo end >&2`);
    await until(channel.stdout, '\0');
    await sleep(1_000);
    // What is in the buffers of the system.
    expect(server.asked[0]?.sent).toBeLessThan(32 * MIB);
    let length = 0;
    let most = 0;
    const stderr = buffer(channel.stderr);
    for await (const chunk of channel.stdout) {
      length += chunk.length;
      most = Math.max(most, channel.stdout.readableLength);
    }
    expect(length).toBeGreaterThan(bytes - MIB);
    expect(most).toBeLessThan(2 * MIB);
    expect((await stderr).toString()).toBe('end\n');
    expect(await channel.exit).toMatchObject({ code: 0 });
  });

  test('input that is not read makes its writer wait, and comes whole', async () => {
    const [pieces, piece] = [64, randomBytes(MIB)];
    const channel = await sh('echo begun; read line; sha256sum', { stdin: true });
    await until(channel.stdout, 'begun');
    let given = 0;
    const body = Readable.from(
      (async function* () {
        yield Buffer.from('go\n');
        for (; given < pieces; given += 1) yield piece;
      })(),
      { objectMode: false },
    );
    const [held] = server.asked;
    held?.socket.pause();
    body.pipe(channel.stdin as NonNullable<Channel['stdin']>);
    await sleep(1_000);
    expect(given).toBeLessThan(32);
    held?.socket.resume();
    const digest = createHash('sha256');
    for (let n = 0; n < pieces; n += 1) digest.update(piece);
    expect((await outcome(channel)).stdout).toContain(digest.digest('hex'));
  });

  test('of one stream only hears of all when it gives up the other', async () => {
    const channel = await sh('head -c 5000000 /dev/zero >&2; echo done');
    channel.stderr.destroy();
    expect((await buffer(channel.stdout)).toString()).toBe('done\n');
    expect(await channel.exit).toMatchObject({ code: 0 });
  });
});

describe('a refusal', () => {
  test.each([
    ['a missing right', 403, { reason: 'Forbidden', text: 'cannot create resource "pods/exec"' }, 'driver_auth_failed'],
    [
      'a protocol unknown',
      403,
      { text: 'requested protocol(s) are not supported: [v5.channel.k8s.io]' },
      'unsupported',
    ],
    ['a broken API server', 500, { reason: 'InternalError', text: 'no kubelet' }, 'driver_unavailable'],
    ['what is no API server', 302, { text: 'sign in' }, 'driver_unavailable'],
  ] as const)('for %s', async (_what, status, told, code) => {
    server.instead.push((socket) => refuse(socket, status, told));
    await expect(open(['true'])).rejects.toMatchObject({ code });
  });

  test.each([
    [403, { reason: 'Forbidden', text: 'no' }, 'get and create on pods/exec'],
    [414, { text: '<html>URI Too Long</html>' }, 'addresses of 32 KiB'],
  ])('with %i says what to do', async (status, told, wayOut) => {
    server.instead.push((socket) => refuse(socket, status, told));
    await expect(open(['true'])).rejects.toMatchObject({
      ...{ wayOut: expect.stringContaining(wayOut), message: expect.not.stringContaining('<') },
    });
  });

  test('because it is busy is waited for, and then said', async () => {
    const busy = { reason: 'TooManyRequests', text: 'later', retryAfter: '0.01' };
    server.instead.push((socket) => refuse(socket, 429, busy));
    expect(await outcome(await open(['true']))).toMatchObject({ code: 0 });
    for (let n = 0; n < 5; n += 1) server.instead.push((socket) => refuse(socket, 429, busy));
    await expect(open(['true'])).rejects.toMatchObject({
      ...{ code: 'driver_busy', details: { retryAfterMs: expect.any(Number) } },
    });
  });

  test('of a proof has it renewed once', async () => {
    const asked: boolean[] = [];
    const at = machineAt({
      server: address,
      credentials: async ({ fresh }) => {
        asked.push(fresh);
        return { authorization: `Bearer ${fresh ? 'new' : 'old'}` };
      },
    });
    const unknown = { reason: 'Unauthorized', text: 'Unauthorized' };
    server.instead.push((socket) => refuse(socket, 401, unknown));
    expect(await outcome(await open(['true'], {}, at))).toMatchObject({ code: 0 });
    expect(asked.slice(0, 2)).toEqual([false, true]);
    expect(server.asked[0]?.headers.authorization).toBe('Bearer new');
    for (let n = 0; n < 2; n += 1) server.instead.push((socket) => refuse(socket, 401, unknown));
    await expect(open(['true'], {}, at)).rejects.toMatchObject({
      ...{ code: 'driver_auth_failed', wayOut: expect.stringContaining('kubeconfig') },
    });
  });

  test('of a pod that is gone or has ended says so', async () => {
    server.setPod(null);
    const gone = { reason: 'NotFound', text: `pods "${POD}" not found` };
    server.instead.push((socket) => refuse(socket, 404, gone));
    await expect(open(['true'])).rejects.toMatchObject({ code: 'sandbox_gone' });
    server.setPod({ terminated: { exitCode: 137, reason: 'OOMKilled', message: '' } });
    server.instead.push((socket) => refuse(socket, 400, { reason: 'BadRequest', text: 'container not running' }));
    await expect(open(['true'])).rejects.toMatchObject({
      ...{ code: 'sandbox_gone', message: expect.stringContaining('Out of memory') },
    });
  });
});

describe('the connection', () => {
  test('that is cut is lost, and says nothing of the process', async () => {
    const channel = await sh('echo begun; sleep 100', { stdin: true });
    await until(channel.stdout, 'begun');
    const rest = failure(buffer(channel.stdout));
    server.asked[0]?.socket.terminate();
    expect(await failure(channel.exit)).toMatchObject({ code: 'connection_lost' });
    expect(await rest).toMatchObject({ code: 'connection_lost' });
  });

  test('that breaks before there is an answer may have begun something, and one that never was has not', async () => {
    server.instead.push((socket) => socket.destroy());
    await expect(open(['true'])).rejects.toMatchObject({ code: 'connection_lost' });
    const free = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => free.once('listening', resolve));
    const at = free.address();
    free.close();
    const nobody = machineAt({ server: `http://127.0.0.1:${typeof at === 'object' && at ? at.port : 0}` });
    await expect(open(['true'], {}, nobody)).rejects.toMatchObject({ code: 'driver_unavailable' });
  });

  test('that is given up while it is made is not waited for', async () => {
    const stop = new AbortController();
    server.instead.push(() => stop.abort(new Error('given up')));
    await expect(open(['true'], { signal: stop.signal })).rejects.toThrow('given up');
  });

  test('that ends with its pod says that the pod is gone, and what it brought can be read', async () => {
    const channel = await sh('echo begun; echo more; sleep 100');
    await until(channel.stdout, 'begun');
    server.setPod(null);
    server.asked[0]?.socket.terminate();
    expect(await failure(channel.exit)).toMatchObject({ code: 'sandbox_gone' });
    await buffer(channel.stdout);
  });

  test('that hangs open after the pod was removed ends all the same', async () => {
    const channel = await sh('echo begun; sleep 100');
    await until(channel.stdout, 'begun');
    server.setPod({ terminated: { exitCode: 143, reason: 'Error', message: '' } });
    expect(await failure(channel.exit)).toMatchObject({
      ...{ code: 'sandbox_gone', message: expect.stringContaining('has ended') },
    });
  });

  test('a process that was killed with its pod has no exit, and one that was killed alone has', async () => {
    const [alone, along] = await Promise.all([sh('kill -9 $$'), sh('read line; kill -9 $$', { stdin: true })]);
    expect(await outcome(alone)).toMatchObject({ code: 137 });
    server.setPod({ terminated: { exitCode: 137, reason: 'OOMKilled', message: '' } });
    along.stdin?.end('\n');
    expect(await failure(along.exit)).toMatchObject({
      ...{ code: 'sandbox_gone', message: expect.stringContaining('Out of memory') },
    });
  });

  test('that falls silent is lost; one whose process only leaves its input unread is not', async () => {
    const unread = await sh('echo begun; sleep 16; cat | wc -c', { stdin: true });
    const silent = await sh('echo begun; sleep 100');
    await Promise.all([until(unread.stdout, 'begun'), until(silent.stdout, 'begun')]);
    unread.stdin?.end(Buffer.alloc(8 * MIB));
    server.asked.find(({ query }) => query.get('stdin') === 'false')?.freeze();
    expect(await failure(silent.exit)).toMatchObject({ code: 'connection_lost' });
    expect(await outcome(unread)).toMatchObject({ stdout: `${8 * MIB}\n`, code: 0 });
  }, 60_000);
});

describe.skipIf(TINYPROXY === null)('an API server behind TLS and a proxy', () => {
  test('is reached with its authority and a certificate of our own', async () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'hangar-exec-'));
    const [theirs, ours] = [makeCertificate(dir), makeCertificate(dir)];
    const secure = new ExecServer({ ...theirs, requestCert: true, ca: ours.cert });
    const where = `127.0.0.1:${await secure.listen()}`;
    const proxy = await startTinyproxy();
    leave.push(
      () => rmSync(dir, { recursive: true }),
      () => secure.close(),
      () => proxy.stop(),
    );
    const proof = async () => ({ cert: ours.cert, key: ours.key });
    const at = machineAt({ server: `https://${where}`, ca: theirs.cert, proxyUrl: proxy.url, credentials: proof });
    expect(await outcome(await sh('echo hi; exit 3', {}, at))).toMatchObject({ stdout: 'hi\n', code: 3 });
    expect(proxy.asked()).toContain(`CONNECT ${where}`);
    const nobody = machineAt({ server: `https://${where}`, ca: theirs.cert });
    await expect(open(['true'], {}, nobody)).rejects.toMatchObject({ code: expect.stringMatching(/unavailable|lost/) });
    const foreign = machineAt({ server: `https://${where}`, ca: ours.cert, credentials: proof });
    await expect(open(['true'], {}, foreign)).rejects.toMatchObject({ code: 'driver_unavailable' });
    // What is plain goes through a tunnel, too: a proxy passes no upgrade on.
    const plain = machineAt({ server: address, env: { HTTP_PROXY: proxy.url } });
    const channel = await open(['cat'], { stdin: true }, plain);
    channel.stdin?.end('through');
    expect(await outcome(channel)).toMatchObject({ stdout: 'through', code: 0 });
  });
});

describe('starts', () => {
  test('only so many of one pod are under way; who is done, or stands still, lets the next begin', async () => {
    const starts = createStarts();
    const begun = await Promise.all(Array.from({ length: 16 }, () => starts.begin('u', signal())));
    const stop = new AbortController();
    const given = failure(starts.begin('u', stop.signal));
    let isNext = false;
    const next = starts.begin('u', signal()).then((done) => {
      isNext = true;
      return done;
    });
    (await starts.begin('other', signal()))();
    stop.abort(new Error('given up'));
    expect(await given).toMatchObject({ message: 'given up' });
    expect(isNext).toBe(false);
    begun[0]?.();
    begun[0]?.();
    const done = await next;
    // The second call of the same was no second place.
    const late = starts.begin('u', signal());
    done();
    (await late)();
    // Nobody calls the others: they stand still.
    await Promise.all(Array.from({ length: 16 }, () => starts.begin('u', signal())));
  }, 60_000);
});
