import { Daytona, type Sandbox } from '@daytona/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DaytonaServer, startDaytonaServer } from './daytona-server.ts';

let server: DaytonaServer;
let sandbox: Sandbox;
let daytona: Daytona;
beforeEach(async () => {
  server = await startDaytonaServer({ graceMs: 300 });
  daytona = new Daytona({ apiKey: server.key, apiUrl: server.url, target: 'us', useDeprecatedPolling: true });
  sandbox = await daytona.create({ name: 'one', labels: { a: 'b' } });
});
afterEach(async () => {
  await daytona[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${server.url.replace('/api', '')}${path}`, {
    ...init,
    headers: { Authorization: `Bearer ${server.key}`, ...init.headers },
  }).then(({ status }) => status);
const post = (path: string, body: string, type = 'application/json') =>
  ask(path, { method: 'POST', body, headers: { 'Content-Type': type } });
const toolbox = (path: string) => `/toolbox/${sandbox.id}${path}`;
const all = async (session: string, command: string) => {
  const heard = { stdout: '', stderr: '' };
  await sandbox.process.getSessionCommandLogs(
    session,
    command,
    (text) => {
      heard.stdout += text;
    },
    (text) => {
      heard.stderr += text;
    },
  );
  return heard;
};

describe('the server that stands in for Daytona', () => {
  it('lets nobody in without the right key', async () => {
    for (const path of ['/api/sandbox', '/api/config', toolbox('/system/metrics')]) {
      expect(await ask(path, { headers: { Authorization: '' } })).toBe(401);
      expect(await ask(path, { headers: { Authorization: `Bearer ${server.key}x` } })).toBe(401);
      expect(await ask(path, { headers: { Authorization: server.key } })).toBe(401);
      expect(await ask(path)).toBe(200);
    }
  });

  it('knows no other routes, methods, bodies and types', async () => {
    expect(await ask('/api/nothing')).toBe(404);
    expect(await ask('/api/sandbox/other')).toBe(404);
    expect(await ask('/toolbox/other/system/metrics')).toBe(404);
    expect(await ask(toolbox('/nothing'))).toBe(404);
    expect(await ask('/api/sandbox/one/start')).toBe(404);
    expect(await post('/api/sandbox', '{}', 'text/plain')).toBe(415);
    expect(await post('/api/sandbox', '{')).toBe(400);
    expect(await post('/api/sandbox', '{"colour":"red"}')).toBe(400);
    expect(await post('/api/sandbox', '{"cpu":1.5}')).toBe(400);
    expect(await post('/api/sandbox', '{"cpu":1}')).toBe(400);
    expect(await post('/api/sandbox', '{"name":"one"}')).toBe(409);
    expect(await post(toolbox('/process/session'), '{}')).toBe(400);
    expect(await post(toolbox('/process/session'), 'sessionId=a', 'application/x-www-form-urlencoded')).toBe(415);
    expect(await post(toolbox('/process/session/none/exec'), '{"command":"true"}')).toBe(404);
    expect(await post(toolbox('/files/bulk-upload'), '{}')).toBe(400);
    expect(await post(toolbox('/files/bulk-download'), '{"paths":["x"]}', 'text/plain')).toBe(415);
    expect(await ask(toolbox('/files/info?path=/etc/passwd'))).toBe(403);
    expect(await ask('/api/sandbox?limit=100000')).toBe(400);
  });

  it('refuses what is stopped, and stops what is stopped only once', async () => {
    await sandbox.stop();
    expect(await ask(toolbox('/system/metrics'))).toBe(400);
    expect(await post('/api/sandbox/one/stop', '')).toBe(409);
    expect(await post('/api/sandbox/one/pause', '')).toBe(400);
    expect(await post('/api/sandbox/one/archive', '')).toBe(200);
    await sandbox.start();
    expect(await ask(toolbox('/system/metrics'))).toBe(200);
  });

  it('stops what looks idle, and keeps to its limits', async () => {
    await server.control.tick(Date.now() + 14 * 60_000);
    await sandbox.refreshData();
    expect(sandbox.state).toBe('started');
    await server.control.tick(Date.now() + 16 * 60_000);
    await sandbox.refreshData();
    expect(sandbox.state).toBe('stopped');
    server.organization.mostSandboxes = 1;
    expect(await post('/api/sandbox', '{}')).toBe(403);
  });

  it('lists in pages, by labels', async () => {
    for (const name of ['two', 'three']) await daytona.create({ name, labels: { a: name } });
    const names = async (query: Parameters<Daytona['list']>[0]) => {
      const found: string[] = [];
      for await (const { name } of daytona.list(query)) found.push(name);
      return found;
    };
    expect(await names({ limit: 1 })).toEqual(['one', 'two', 'three']);
    expect(await names({ labels: { a: 'b' } })).toEqual(['one']);
  });

  it('prints line by line: a newline is added, NULs get lost, the log starts over for each follower', async () => {
    await sandbox.process.createSession('s');
    const command = 'printf "a\\0b\\n"; printf end; printf err >&2';
    const { cmdId } = await sandbox.process.executeSessionCommand('s', { command, runAsync: true });
    const heard = { stdout: 'ab\nend\n', stderr: 'err\n' };
    expect(await all('s', cmdId)).toEqual(heard);
    expect(await all('s', cmdId)).toEqual(heard);
    expect(await sandbox.process.getSessionCommandLogs('s', cmdId)).toMatchObject(heard);
    expect(await sandbox.process.getSessionCommand('s', cmdId)).toMatchObject({ exitCode: 0 });
  });

  it('runs commands of a session one after the other, with input that never ends', async () => {
    await sandbox.process.createSession('s');
    const first = await sandbox.process.executeSessionCommand('s', {
      command: 'read a; echo "got $a"; cat',
      runAsync: true,
    });
    const second = await sandbox.process.executeSessionCommand('s', { command: 'echo second', runAsync: true });
    await sandbox.process.sendSessionCommandInput('s', first.cmdId, 'hello\n');
    await expect
      .poll(async () => (await sandbox.process.getSessionCommandLogs('s', first.cmdId)).stdout, { timeout: 30_000 })
      .toBe('got hello\n');
    expect((await sandbox.process.getSessionCommand('s', second.cmdId)).exitCode).toBeUndefined();
    expect((await sandbox.process.getSessionCommandLogs('s', second.cmdId)).stdout).toBe('');
    await sandbox.process.deleteSession('s');
    await expect(sandbox.process.getSession('s')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('ends a session with its tree, but not what has left it', async () => {
    await sandbox.process.createSession('s');
    const stays = `( setsid sh -c 'trap "" TERM; echo $$ > stays; sleep 600' & )`;
    const command = `${stays}; (trap '' TERM; echo $BASHPID > goes; while :; do sleep 1; done) & sleep 600`;
    await sandbox.process.executeSessionCommand('s', { command, runAsync: true });
    const run = async (line: string) => sandbox.process.executeCommand(line, undefined, undefined, 30);
    await expect.poll(async () => (await run('cat stays goes | wc -l')).result.trim(), { timeout: 30_000 }).toBe('2');
    await sandbox.process.deleteSession('s');
    expect(await run('kill -0 $(cat stays)')).toMatchObject({ exitCode: 0 });
    await expect.poll(async () => (await run('kill -0 $(cat goes)')).exitCode, { timeout: 30_000 }).not.toBe(0);
  });

  it('gives both streams of a command in one, and ends it by its own clock', async () => {
    const both = await sandbox.process.executeCommand('echo out; echo err >&2; exit 3', undefined, { A: 'b' }, 30);
    expect(both).toMatchObject({ exitCode: 3, result: 'out\nerr\n' });
    const late = sandbox.process.executeCommand('sleep 600', undefined, undefined, 1);
    await expect(late).rejects.toMatchObject({ statusCode: 408 });
  });

  it('moves files onto nothing that is there', async () => {
    const { fs } = sandbox;
    await fs.uploadFile(Buffer.from('a'), 'a');
    await fs.uploadFile(Buffer.from('b'), 'b');
    await expect(fs.moveFiles('a', 'b')).rejects.toMatchObject({ statusCode: 409 });
    await fs.moveFiles('a', 'c');
    await fs.createFolder('d', '755');
    await fs.setFilePermissions('c', { mode: '600' });
    const listed = await fs.listFiles('.');
    expect(listed.map(({ name, isDir }) => [name, isDir]).sort()).toEqual([
      ['b', false],
      ['c', false],
      ['d', true],
    ]);
    expect(await fs.getFileDetails('c')).toMatchObject({ size: 1, permissions: '0600' });
    await expect(fs.deleteFile('d')).rejects.toMatchObject({ statusCode: 400 });
    await fs.deleteFile('d', true);
    expect(String(await fs.downloadFile('c'))).toBe('a');
  });
});
