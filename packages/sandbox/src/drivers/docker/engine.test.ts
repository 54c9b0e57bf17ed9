import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTinyproxy, TINYPROXY, type Tinyproxy } from '../../../../../packages/worker/src/testing/tinyproxy.ts';
import { containerBody, readFrames, unitState, wayToServer } from './container.ts';
import { chooseApi, createEngine, EngineError } from './engine.ts';
import { asHangarError, asPullError } from './errors.ts';
import { pullImage } from './pull.ts';

/** An Engine of our own on a socket: what a real one does only when something breaks. */
let dir: string;
let server: http.Server;
let answer: (request: http.IncomingMessage, response: http.ServerResponse) => void;
let host: string;
let paths: string[];

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'hangar-engine-'));
  paths = [];
  server = http.createServer((request, response) => {
    paths.push(`${request.method} ${request.url}`);
    if (request.url === '/version') {
      response.end(
        JSON.stringify({ Version: '28.0', ApiVersion: '1.48', MinAPIVersion: '1.24', Arch: 'amd64', Os: 'linux' }),
      );
    } else answer(request, response);
  });
  const socket = path.join(dir, 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  host = `unix://${socket}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true });
});
const signal = () => AbortSignal.timeout(20_000);

describe('the API version', () => {
  test.each([
    ['1.41', '1.12', '1.41'],
    ['1.43', '1.24', '1.43'],
    ['1.52', '1.24', '1.47'],
    ['1.60', '1.50', '1.50'],
    ['1.40', '1.12', null],
  ])('of an Engine that speaks up to %s and from %s on is %s', (newest, oldest, expected) => {
    expect(chooseApi(newest, oldest)).toBe(expected);
  });

  test('is asked once for many calls', async () => {
    answer = (_, response) => response.end('{}');
    const engine = createEngine(host);
    await engine.json('GET', '/a', { signal: signal() });
    await engine.json('GET', '/b', { signal: signal() });
    expect(paths).toEqual(['GET /version', 'GET /v1.47/a', 'GET /v1.47/b']);
  });
});

describe.skipIf(TINYPROXY === null)('an Engine behind a proxy', () => {
  let proxy: Tinyproxy;
  let tcp: string;
  beforeEach(async () => {
    proxy = await startTinyproxy({ signIn: { user: 'ada', password: 'secret' } });
    await new Promise((resolve) => server.close(resolve));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    tcp = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    answer = (_, response) => response.end('{"fine":true}');
  });
  afterEach(() => proxy.stop());

  test('is asked through it, connections that are taken over too, unless NO_PROXY names it', async () => {
    server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
      socket.pipe(socket);
    });
    const engine = createEngine(`tcp://${tcp}`, { HTTP_PROXY: proxy.url });
    expect(await engine.json('GET', '/a', { signal: signal() })).toEqual({ fine: true });
    const taken = await engine.upgrade('/containers/x/attach', { signal: signal() });
    const echo = new Promise((resolve) => taken.once('data', resolve));
    taken.write('hello');
    expect(String(await echo)).toBe('hello');
    taken.destroy();
    expect(proxy.asked()).toEqual([`CONNECT ${tcp}`, `CONNECT ${tcp}`, `CONNECT ${tcp}`]);
    const direct = createEngine(`tcp://${tcp}`, { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.0/8' });
    expect(await direct.json('GET', '/a', { signal: signal() })).toEqual({ fine: true });
    expect(proxy.asked()).toHaveLength(3);
  });

  test('is away when the proxy refuses or is no proxy, and the way out names it', async () => {
    for (const [url, words] of [
      [proxy.url.replace('secret', 'wrong'), /The proxy at 127.0.0.1:\d+ answered 40[17]/],
      ['http://127.0.0.1:1', /The proxy at 127.0.0.1:1 does not answer/],
      ['socks5://127.0.0.1:1', /socks5/],
    ] as const)
      await expect(createEngine(`tcp://${tcp}`, { http_proxy: url }).info({ signal: signal() })).rejects.toMatchObject({
        ...{ code: 'driver_unavailable', message: expect.stringMatching(words) },
        wayOut: expect.stringContaining('NO_PROXY'),
      });
  });
});

describe('an Engine out of reach', () => {
  test.each([
    ['unix:///no/such/docker.sock', /no such socket/],
    ['tcp://127.0.0.1:1', /refused/],
    ['http://no-such-host.invalid:2375', /./],
  ])('%s', async (where, words) => {
    await expect(createEngine(where).info({ signal: signal() })).rejects.toMatchObject({
      ...{ code: 'driver_unavailable', message: expect.stringMatching(words) },
    });
  });

  test('that never answers is given up at the deadline', async () => {
    answer = () => {};
    const call = createEngine(host).json('GET', '/a', { signal: signal(), deadlineMs: 100 });
    await expect(call).rejects.toMatchObject({ code: 'driver_unavailable', message: expect.stringMatching(/in time/) });
  });

  test('that stops in the middle of an answer', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('{', () => response.destroy());
    };
    const call = createEngine(host).json('GET', '/a', { signal: signal() });
    await expect(call).rejects.toMatchObject({ code: 'driver_unavailable' });
  });

  test.each([200, 401, 403, 404, 429, 502])(
    'something before it that answers %i with a page proves nothing',
    async (status) => {
      answer = (_, response) =>
        response.writeHead(status, { 'Content-Type': 'text/html' }).end('<!DOCTYPE html><title>Sign in</title>');
      const engine = createEngine(host);
      const calls = [
        engine.json('GET', '/containers/x/json', { signal: signal() }),
        engine.upgrade('/exec/x/start', { signal: signal() }),
      ];
      for (const call of calls)
        await expect(call).rejects.toMatchObject({
          code: 'driver_unavailable',
          message: expect.stringContaining(host),
        });
    },
  );

  test('and a caller that gives up gets its own reason back', async () => {
    answer = () => {};
    const controller = new AbortController();
    const call = createEngine(host).json('GET', '/a', { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('cancelled by me')), 50);
    await expect(call).rejects.toThrow('cancelled by me');
  });
});

test('a connection is taken over with what was sent and what came with the answer', async () => {
  let sent = '';
  server.on('upgrade', (_request, socket, head) => {
    socket.unshift(head);
    socket.on('data', (chunk) => {
      sent += chunk;
      if (!sent.endsWith('}')) return;
      socket.end('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly');
    });
  });
  const taken = await createEngine(host).upgrade('/exec/x/start', { body: { Tty: false }, signal: signal() });
  expect(await text(taken)).toBe('early');
  expect(JSON.parse(sent)).toEqual({ Tty: false });
});

describe('what it refuses', () => {
  test.each([
    [500, 'write /var/lib/docker/x: no space left on device', 'disk_full'],
    [404, 'No such image: nope:latest', 'image_not_found'],
    [400, 'invalid reference format', 'image_not_found'],
    [
      400,
      'failed to create shim: exec: "/hangar/start": stat /hangar/start: no such file or directory',
      'image_unsuitable',
    ],
    [400, 'exec /hangar/start: exec format error', 'image_unsuitable'],
    [400, 'invalid mount config for type "bind": bind source path does not exist: /x', 'launch_failed'],
    [400, 'failed to create shim: exec: "docker-init": executable file not found in $PATH', 'launch_failed'],
    [500, 'something else', 'launch_failed'],
  ])('%i %s', async (status, message, code) => {
    answer = (_, response) => response.writeHead(status).end(JSON.stringify({ message }));
    const error = await createEngine(host)
      .json('POST', '/containers/create', { signal: signal() })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EngineError);
    expect(asHangarError(error, { image: 'nope' })).toMatchObject({ code });
  });

  test.each([
    ['manifest for nope:latest not found: manifest unknown', 'image_not_found'],
    ['pull access denied for nope, repository does not exist or may require docker login', 'image_not_found'],
    ['no matching manifest for linux/arm64 in the manifest list entries', 'image_not_found'],
    ['Get "https://r/v2/": dial tcp: lookup r: no such host', 'driver_unavailable'],
    ['Get "https://r/v2/": x509: certificate signed by unknown authority', 'driver_unavailable'],
    ['toomanyrequests: You have reached your pull rate limit', 'driver_unavailable'],
    ['write /x: no space left on device', 'disk_full'],
  ])('a pull: %s', (text, code) => {
    expect(asPullError(text, 'nope')).toMatchObject({ code });
  });
});

describe('a pull', () => {
  test('tells how far it is, not more than once a second', async () => {
    answer = (_, response) => {
      let current = 0;
      const timer = setInterval(() => {
        current += 10_000_000;
        const line = { status: 'Downloading', id: 'a', progressDetail: { current, total: 200_000_000 } };
        response.write(`${JSON.stringify(line)}\r\n`);
        if (current === 200_000_000) {
          clearInterval(timer);
          response.end('{"status":"Status: Downloaded"}\n');
        }
      }, 80);
    };
    const said: string[] = [];
    await pullImage(createEngine(host), 'node:24', { signal: signal(), say: (reason) => said.push(reason) });
    expect(said[0]).toBe('Pulling image node:24');
    expect(said.length).toBeLessThanOrEqual(3);
    expect(said[1]).toMatch(/^Pulling image node:24 \(\d+ of 200 MB\)$/);
  });

  test('fails with what the registry says in the middle of it', async () => {
    answer = (_, response) => response.end('{"status":"Pulling"}\n{"error":"manifest unknown: manifest unknown"}\n');
    await expect(pullImage(createEngine(host), 'nope', { signal: signal(), say: () => {} })).rejects.toMatchObject({
      code: 'image_not_found',
    });
  });

  test('of a name without tag takes the latest only', async () => {
    answer = (_, response) => response.end();
    for (const image of ['node', 'registry:5000/node', 'node:24', 'node@sha256:abc']) {
      await pullImage(createEngine(host), image, { signal: signal(), say: () => {} });
    }
    const asked = paths.filter((one) => one.includes('?')).map((one) => one.split('?')[1]);
    expect(asked).toEqual([
      ...['fromImage=node&tag=latest', 'fromImage=registry%3A5000%2Fnode&tag=latest'],
      ...['fromImage=node%3A24', 'fromImage=node%40sha256%3Aabc'],
    ]);
  });
});

describe('the worker’s way to the server', () => {
  const brought = { httpUrl: 'http://127.0.0.1:7070', socketDir: '/data/socket' };
  const settings = { host: '', image: 'x', pull: 'missing', network: 'bridge' } as const;
  test('is the socket beside an Engine on this machine', () => {
    expect(wayToServer({ isLocal: true, host }, settings, brought)).toEqual({
      ...{ url: 'unix:/run/hangar/worker.sock', socketDir: '/data/socket' },
    });
  });
  test('is what the profile says, wherever the Engine is', () => {
    const url = { ...settings, serverUrl: 'http://host.docker.internal:7070' };
    const server = wayToServer({ isLocal: true, host }, url, brought);
    expect(server).toEqual({ url: 'http://host.docker.internal:7070', socketDir: null });
    const plan = { image: 'x', network: 'bridge', resources: {}, labels: {}, server, deadlineSeconds: null };
    for (const runs of [{ kind: 'brought', name: 'worker', input: '' }, { kind: 'hold' }] as const)
      expect(containerBody({ ...plan, runs }, null)).toMatchObject({
        HostConfig: { ExtraHosts: ['host.docker.internal:host-gateway'] },
      });
  });
  test('from another machine is never loopback', () => {
    expect(() => wayToServer({ isLocal: false, host: 'tcp://build:2375' }, settings, brought)).toThrow(/cannot reach/);
    const httpUrl = 'https://hangar.example';
    expect(wayToServer({ isLocal: false, host }, settings, { ...brought, httpUrl })).toEqual({
      url: httpUrl,
      socketDir: null,
    });
  });
});

describe('the state of a container', () => {
  const begun = { StartedAt: '2026-01-01T00:00:00Z', FinishedAt: '2026-01-01T00:01:00Z' };
  const container = (Status: string, ExitCode = 0, more = {}) => ({
    State: { Status, ExitCode, OOMKilled: false, Error: '', ...begun, ...more },
    Config: { Env: [], Labels: {} },
    HostConfig: { Memory: 2 * 1024 ** 3 },
  });
  const holder = (ExitCode: number) => ({
    ...container('exited', ExitCode),
    Config: { Labels: { 'hangar.program': 'hold' } },
  });
  test.each([
    [container('created'), { kind: 'starting' }],
    [container('running'), { kind: 'running' }],
    [container('paused'), { kind: 'paused' }],
    [container('exited'), { kind: 'exited', exitCode: 0 }],
    [container('exited', 137, { OOMKilled: true }), { outOfMemory: true, reason: 'Out of memory at 2 GiB' }],
    [container('exited', 137), { outOfMemory: false, reason: 'The worker was killed' }],
    [container('exited', 91), { code: 'image_unsuitable', reason: 'The image has no git' }],
    [container('exited', 3), { exitCode: 3, reason: 'The worker ended with exit code 3: last words' }],
    [container('dead', 1), { kind: 'exited', exitCode: 1 }],
    [holder(143), { exitCode: 143, reason: 'The machine has ended' }],
    [holder(124), { exitCode: 124, reason: 'The time of the machine was over' }],
    [holder(91), { exitCode: 91, reason: 'The machine ended with exit code 91: last words' }],
  ])('%o', async (from, state) => {
    expect(
      await unitState(
        from,
        async () => 'last words',
        async () => true,
      ),
    ).toMatchObject(state);
  });
  test('names the C library when Node does not fit the image', async () => {
    const words = "/hangar/node: /lib/libc.so.6: version `GLIBC_2.28' not found";
    expect(
      await unitState(
        container('exited', 1),
        async () => words,
        async () => true,
      ),
    ).toMatchObject({ code: 'image_unsuitable' });
  });
  test('tells an image without a shell from worker files that were removed', async () => {
    const words = '[FATAL tini (7)] exec /hangar/start failed: No such file or directory';
    const said = async () => words;
    expect(await unitState(container('exited', 127), said, async () => true)).toMatchObject({
      code: 'image_unsuitable',
    });
    expect(await unitState(container('exited', 127), said, async () => false)).toMatchObject({ code: 'launch_failed' });
  });
  test('log frames are put together', () => {
    const frame = (text: string) => {
      const head = Buffer.alloc(8);
      head[0] = 1;
      head.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    expect(readFrames(Buffer.concat([frame('one\n'), frame('zwö\n'), frame('cut').subarray(0, 9)]))).toBe(
      'one\nzwö\nc',
    );
  });
});
