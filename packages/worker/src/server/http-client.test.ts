import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { HttpClient, type Outgoing } from './http-client.ts';

const DEAD = /abort|says nothing/;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(answer: RequestListener): Promise<{ url: string; server: Server; connections: () => number }> {
  let count = 0;
  const server = createServer(answer).on('connection', () => {
    count++;
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, connections: () => count };
}
function client(url: string): (out: Partial<Outgoing>) => ReturnType<HttpClient['call']> {
  const made = new HttpClient(url, 'token');
  closing.push(() => made.close());
  return (out) => made.call({ method: 'GET', path: '/x', silenceMs: 400, ...out }, AbortSignal.timeout(20_000));
}
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'hangar-client-'));
  closing.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

it('gives up an upload that nobody takes any more', async () => {
  const held: Socket[] = [];
  const deaf = createTcp((socket) => held.push(socket.pause()));
  await new Promise<void>((done) => deaf.listen(0, '127.0.0.1', done));
  closing.push(() => {
    for (const socket of held) socket.destroy();
    deaf.close();
  });
  const call = client(`http://127.0.0.1:${(deaf.address() as AddressInfo).port}`);
  const body = () => Readable.from([Buffer.alloc(64 * 1024)]);
  // 64 KiB have 2 s more: a slow link would need them.
  const started = performance.now();
  await expect(call({ method: 'PUT', body, bodyBytes: 64 * 1024, silenceMs: 100 })).rejects.toThrow(DEAD);
  expect(performance.now() - started).toBeGreaterThan(1_500);
});

it('gives up a download that stops in its middle, not one that is slow', async () => {
  const { url } = await serve((request, response) => {
    response.writeHead(200);
    let n = 0;
    const timer = setInterval(() => {
      if (n++ < 8) response.write('piece ');
      else if (request.url?.endsWith('slow')) {
        clearInterval(timer);
        response.end();
      }
    }, 150);
    response.once('close', () => clearInterval(timer));
  });
  const call = client(url);
  const file = join(folder(), 'download');
  await expect(call({ path: '/stops', toFile: file })).rejects.toThrow(DEAD);
  expect((await call({ path: '/slow', toFile: file })).status).toBe(200);
  expect(readFileSync(file, 'utf8')).toBe('piece '.repeat(8));
});

it('does not trust the connections it keeps once one is dead', async () => {
  let isDead = false;
  const { url, connections } = await serve((_request, response) => {
    if (!isDead) response.end('{}');
  });
  const call = client(url);
  await Promise.all([call({}), call({}), call({})]);
  expect(connections()).toBe(3);
  isDead = true;
  await expect(call({})).rejects.toThrow(DEAD);
  isDead = false;
  await sleep(50);
  await call({});
  expect(connections()).toBe(4);
});
