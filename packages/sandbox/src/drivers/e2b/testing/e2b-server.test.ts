import { E2B } from 'e2b';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type E2bServer, startE2bServer } from './e2b-server.ts';

let server: E2bServer;
beforeAll(async () => {
  server = await startE2bServer({ maxHours: 1 });
});
afterAll(() => server[Symbol.asyncDispose]());

const JSON_TYPE = { 'Content-Type': 'application/json' };
async function api(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(`${server.apiUrl}${path}`, {
    method,
    headers: { 'X-API-KEY': server.account.apiKey, ...(body === undefined ? {} : JSON_TYPE), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    body: text === '' ? null : JSON.parse(text),
    next: answer.headers.get('x-next-token'),
  };
}
const sdk = () => {
  const { apiUrl, sandboxUrl, account } = server;
  return new E2B({ apiKey: account.apiKey, apiUrl, sandboxUrl, retries: 0 }).Sandbox;
};
async function until<T>(look: () => T | Promise<T>, right: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look();
    if (right(value)) return value;
    await new Promise((done) => setTimeout(done, 20));
  }
}

describe('the control plane refuses', () => {
  const create = (o: object) => api('POST', '/v2/sandboxes', { templateID: 'base', ...o });

  test.each([
    ['no key', () => api('GET', '/v2/sandboxes', undefined, { 'X-API-KEY': '' }), 401],
    ['a wrong key', () => api('GET', '/v2/sandboxes', undefined, { 'X-API-KEY': 'e2b_other' }), 401],
    ['a template it has not', () => create({ templateID: 'none' }), 404],
    ['a field it does not know', () => create({ timeoutMs: 1000 }), 400],
    ['a time over the plan', () => create({ timeout: 3601 }), 400],
    ['no time at all', () => create({ timeout: 0 }), 400],
    ['resuming by itself what is not paused by itself', () => create({ autoResume: { enabled: true } }), 400],
    [
      'another content type',
      () => api('POST', '/v2/sandboxes', '{"templateID":"base"}', { 'Content-Type': 'text/plain' }),
      400,
    ],
    ['what is no JSON', () => api('POST', '/v2/sandboxes', '{'), 400],
    ['a sandbox it does not know', () => api('GET', '/sandboxes/inone'), 404],
    ['to kill it', () => api('DELETE', '/sandboxes/inone'), 404],
    ['to connect to it', () => api('POST', '/v2/sandboxes/inone/connect', {}), 404],
    ['its timeout', () => api('POST', '/sandboxes/inone/timeout', { timeout: 5 }), 404],
    ['to pause it', () => api('POST', '/sandboxes/inone/pause', {}), 404],
    ['a call of another version', () => api('POST', '/sandboxes', { templateID: 'base' }), 404],
    ['a page it never gave', () => api('GET', '/v2/sandboxes?nextToken=none'), 400],
  ])('%s', async (_name, ask, status) => {
    expect(await ask()).toMatchObject({ status, body: { code: status, message: expect.any(String) } });
  });

  test('a pause of what is paused, and a timeout of it', async () => {
    const { body } = await create({});
    expect((await api('POST', `/sandboxes/${body.sandboxID}/pause`, {})).status).toBe(204);
    expect((await api('POST', `/sandboxes/${body.sandboxID}/pause`, {})).status).toBe(409);
    expect((await api('POST', `/sandboxes/${body.sandboxID}/timeout`, { timeout: 60 })).status).toBe(409);
    expect((await api('POST', `/v2/sandboxes/${body.sandboxID}/connect`, {})).status).toBe(201);
    expect((await api('POST', `/v2/sandboxes/${body.sandboxID}/connect`, {})).status).toBe(200);
    expect((await api('DELETE', `/sandboxes/${body.sandboxID}`)).status).toBe(204);
  });

  test('lists by metadata, page by page', async () => {
    for (const n of ['1', '2', '3']) await create({ metadata: { 'a key': 'v&1', n } });
    const query = `metadata=${encodeURIComponent(`${encodeURIComponent('a key')}=${encodeURIComponent('v&1')}`)}`;
    const first = await api('GET', `/v2/sandboxes?limit=2&${query}`);
    expect(first.body.map(({ metadata }: { metadata: { n: string } }) => metadata.n)).toEqual(['3', '2']);
    const second = await api('GET', `/v2/sandboxes?limit=2&${query}&nextToken=${first.next}`);
    expect(second).toMatchObject({ next: null, body: [{ metadata: { n: '1' } }] });
    const Sandbox = sdk();
    const pages = Sandbox.list({ query: { metadata: { 'a key': 'v&1' } }, limit: 2 });
    expect([(await pages.nextItems()).length, (await pages.nextItems()).length, pages.hasNext]).toEqual([2, 1, false]);
  });
});

describe('envd refuses', () => {
  const START = '/process.Process/Start';
  const envelope = (message: object) => {
    const body = Buffer.from(JSON.stringify(message));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    return Buffer.concat([head, body]);
  };
  async function ask(
    path: string,
    o: { headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer>; method?: string; id?: string } = {},
  ) {
    sandboxed ??= sdk().create({ timeoutMs: 600_000 });
    const sandbox = await sandboxed;
    const known = server.sandboxes.get(sandbox.sandboxId);
    return fetch(`${server.sandboxUrl}${path}`, {
      method: o.method ?? 'POST',
      headers: {
        ...{ 'E2b-Sandbox-Id': o.id ?? sandbox.sandboxId, 'E2b-Sandbox-Port': '49983' },
        ...{ 'X-Access-Token': known?.token ?? '', 'Content-Type': 'application/connect+json', ...o.headers },
      },
      ...(o.body === undefined ? {} : { body: o.body }),
    });
  }
  let sandboxed: Promise<{ sandboxId: string }> | undefined;
  const start = (process: object, more: object = {}) => envelope({ process, ...more });

  test.each([
    ['a sandbox that is not there', { id: 'inone' }, 502],
    ['a missing token', { headers: { 'X-Access-Token': '' } }, 401],
    ['the token of another', { headers: { 'X-Access-Token': 'f'.repeat(32) } }, 401],
    ['a port that is not its own', { headers: { 'E2b-Sandbox-Port': '8080' } }, 502],
    ['a stream in the type of a single call', { headers: { 'Content-Type': 'application/json' } }, 415],
    ['another method', { method: 'PUT' }, 404],
  ])('%s', async (_name, o, status) => {
    expect((await ask(START, { body: start({ cmd: 'true' }), ...o })).status).toBe(status);
  });

  test.each([
    ['a field it does not know', start({ cmd: 'true', command: 'false' }), 'invalid_argument'],
    ['a folder that is not there', start({ cmd: 'true', cwd: '/none/at/all' }), 'invalid_argument'],
    ['a program that is not there', start({ cmd: '/none/at/all' }), 'invalid_argument'],
    ['an envelope that is cut', start({ cmd: 'true' }).subarray(0, 9), 'invalid_argument'],
    ['nothing', Buffer.alloc(0), 'invalid_argument'],
  ])('%s, within the stream', async (_name, body, code) => {
    const answer = await ask(START, { body: new Uint8Array(body) });
    expect(answer.status).toBe(200);
    expect(
      JSON.parse(
        Buffer.from(await answer.arrayBuffer())
          .subarray(5)
          .toString(),
      ),
    ).toMatchObject({ error: { code } });
  });

  test('files without a token, of strange types, and where a folder is', async () => {
    const octets = { 'Content-Type': 'application/octet-stream' };
    expect((await ask('/files?path=x', { headers: { ...octets, 'X-Access-Token': 'wrong' }, body: 'x' })).status).toBe(
      401,
    );
    expect((await ask('/files?path=x', { headers: { 'Content-Type': 'text/plain' }, body: 'x' })).status).toBe(400);
    expect((await ask('/files', { headers: octets, body: 'x' })).status).toBe(400);
    expect((await ask('/files?path=~', { headers: octets, body: 'x' })).status).toBe(400);
    expect((await ask('/files?path=none', { method: 'GET' })).status).toBe(404);
    expect((await ask('/files?path=x&username=nobody-here', { headers: octets, body: 'x' })).status).toBe(401);
  });

  test('a call to a paused sandbox', async () => {
    const sandbox = await sdk().create({ timeoutMs: 60_000 });
    await sandbox.pause();
    expect(await sandbox.isRunning()).toBe(false);
    await expect(sandbox.commands.run('true')).rejects.toMatchObject({ name: 'SandboxNotFoundError' });
    await sandbox.connect();
    expect((await sandbox.commands.run('echo back')).stdout).toBe('back\n');
  });
});

describe('has the traps of the real one', () => {
  const made = () => sdk().create({ timeoutMs: 600_000 });

  test('bytes that are no text come out broken', async () => {
    const sandbox = await made();
    const { stdout } = await sandbox.commands.run("printf '\\377\\000\\376A'");
    expect(Buffer.from(stdout).toString('hex')).toBe('efbfbd00efbfbd41');
  });

  test('what is printed while nobody listens is lost; how it ended is kept, and told to who asks late', async () => {
    const sandbox = await made();
    const handle = await sandbox.commands.run(
      'echo first; read line; echo unheard; touch said; read line; echo heard; exit 5',
      {
        ...{ background: true, stdin: true, timeoutMs: 0 },
      },
    );
    await until(
      () => handle.stdout,
      (text) => text.includes('first'),
    );
    await handle.disconnect();
    const [kept] = [...server.sandboxes.values()].filter(({ id }) => id === sandbox.sandboxId);
    await until(
      () => kept?.open.size,
      (open) => open === 0,
    );
    await sandbox.commands.sendStdin(handle.pid, 'go\n');
    await until(
      () => sandbox.files.exists('said'),
      (said) => said,
    );
    // What was printed before the file was made has been read when another call has come and gone.
    await sandbox.files.exists('said');
    const late = await sandbox.commands.connect(handle.pid, { timeoutMs: 0 });
    await sandbox.commands.sendStdin(handle.pid, 'go\n');
    await expect(late.wait()).rejects.toMatchObject({ exitCode: 5, stdout: 'heard\n' });
    await expect((await sandbox.commands.connect(handle.pid)).wait()).rejects.toMatchObject({
      exitCode: 5,
      stdout: '',
    });
  });

  test('kill hits one pid: its child lives on, and what that prints is not heard', async () => {
    const sandbox = await made();
    const handle = await sandbox.commands.run('sleep 300 & echo $!; wait', { background: true, timeoutMs: 0 });
    const child = await until(
      () => handle.stdout.trim(),
      (text) => text !== '',
    );
    expect(await handle.kill()).toBe(true);
    await expect(handle.wait()).rejects.toMatchObject({ exitCode: -1, error: 'signal: killed' });
    expect((await sandbox.commands.run(`kill -0 ${child} && kill -9 ${child}`)).exitCode).toBe(0);
    expect(await sandbox.commands.kill(handle.pid)).toBe(false);
  });

  test('a caller who leaves does not end it, a timeout does', async () => {
    const sandbox = await made();
    const given = new AbortController();
    const handle = await sandbox.commands.run('sleep 300', { background: true, timeoutMs: 0, signal: given.signal });
    given.abort();
    await expect(handle.wait()).rejects.toBeDefined();
    expect((await sandbox.commands.list()).map(({ pid }) => pid)).toEqual([handle.pid]);
    await expect(sandbox.commands.run('sleep 300', { timeoutMs: 200 })).rejects.toMatchObject({ name: 'TimeoutError' });
    await until(
      () => sandbox.commands.list(),
      ({ length }) => length === 1,
    );
  });

  test('a child that holds the output keeps the command from having ended', async () => {
    const sandbox = await made();
    const handle = await sandbox.commands.run('sleep 300 & echo $!', { background: true, timeoutMs: 0 });
    const child = await until(
      () => handle.stdout.trim(),
      (text) => text !== '',
    );
    expect(handle.exitCode).toBeUndefined();
    await sandbox.commands.run(`kill -9 ${child}`);
    expect((await handle.wait()).exitCode).toBe(0);
  });

  test('a sandbox whose time is over is gone, with what escaped into a session of its own', async () => {
    const sandbox = await made();
    const { stdout } = await sandbox.commands.run('setsid sleep 300 >/dev/null 2>&1 & echo $!');
    expect(stdout).toMatch(/\d+/);
    await sandbox.setTimeout(1000);
    await until(
      () => sandbox.isRunning(),
      (running) => !running,
    );
    await until(
      () => server.sandboxes.has(sandbox.sandboxId),
      (there) => !there,
    );
    await expect(sandbox.getInfo()).rejects.toMatchObject({ name: 'SandboxNotFoundError' });
    await until(
      () => {
        try {
          return process.kill(Number(stdout), 0);
        } catch {
          return false;
        }
      },
      (lives) => !lives,
    );
  });

  test('files as a form and as a stream, and what stands around them', async () => {
    const { files } = await made();
    await files.write([
      { path: 'a/one', data: 'first' },
      { path: 'a/two', data: new Uint8Array([0, 255]).buffer },
    ]);
    expect((await files.list('a')).map(({ name, size }) => [name, size])).toEqual([
      ['one', 5],
      ['two', 2],
    ]);
    expect([...(await files.read('a/two', { format: 'bytes' }))]).toEqual([0, 255]);
    expect(await files.makeDir('a')).toBe(false);
    expect((await files.rename('a/one', 'b/uno')).path).toMatch(/\/home\/user\/b\/uno$/);
    expect([await files.exists('a/one'), await files.exists('b/uno')]).toEqual([false, true]);
    await files.remove('b');
    await expect(files.getInfo('b/uno')).rejects.toMatchObject({ name: 'FileNotFoundError' });
  });

  test('input as a stream, and a polite end', async () => {
    const sandbox = await made();
    const handle = await sandbox.commands.run(
      'trap "echo asked; exit 4" TERM; read line; echo "<$line>"; while :; do sleep 0.1; done',
      {
        ...{ background: true, stdin: true, timeoutMs: 0 },
      },
    );
    const call = async (method: string, type: string, body: Uint8Array<ArrayBuffer>) => {
      const headers = {
        ...{ 'E2b-Sandbox-Id': sandbox.sandboxId, 'E2b-Sandbox-Port': '49983', 'Content-Type': type },
        'X-Access-Token': server.sandboxes.get(sandbox.sandboxId)?.token ?? '',
      };
      const answer = await fetch(`${server.sandboxUrl}/process.Process/${method}`, { method: 'POST', headers, body });
      return Buffer.from(await answer.arrayBuffer()).toString();
    };
    const process = { pid: handle.pid };
    const parts = [
      JSON.stringify({ start: { process } }),
      ...['to ', 'it\n'].map((text) =>
        JSON.stringify({ data: { input: { stdin: Buffer.from(text).toString('base64') } } }),
      ),
    ];
    const enveloped = parts.flatMap((part) => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(Buffer.byteLength(part), 1);
      return [head, Buffer.from(part)];
    });
    expect(
      await call('StreamInput', 'application/connect+json', new Uint8Array(Buffer.concat(enveloped))),
    ).not.toContain('error');
    await until(
      () => handle.stdout,
      (text) => text === '<to it>\n',
    );
    const body = JSON.stringify({ process, signal: 'SIGNAL_SIGTERM' });
    expect(await call('SendSignal', 'application/json', new Uint8Array(Buffer.from(body)))).toBe('{}');
    await expect(handle.wait()).rejects.toMatchObject({ exitCode: 4 });
  });
});
