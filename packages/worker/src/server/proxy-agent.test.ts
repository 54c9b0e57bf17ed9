import { mkdtempSync, rmSync } from 'node:fs';
import { type Agent, createServer, type IncomingMessage, request, type Server } from 'node:http';
import {
  createServer as createSecureServer,
  request as requestSecurely,
  type AgentOptions as SecureOptions,
} from 'node:https';
import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, startTinyproxy, TINYPROXY, type Tinyproxy } from '../testing/tinyproxy.ts';
import { HttpClient } from './http-client.ts';
import { openProxyAgent } from './proxy-agent.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(server: Server | ReturnType<typeof createSecureServer>): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const say = (incoming: IncomingMessage): string => `${incoming.method} ${incoming.url} for ${incoming.headers.host}`;

async function ask(url: string, agent: Agent, ca?: string, body = ''): Promise<string> {
  closing.push(() => agent.destroy());
  const send = url.startsWith('https:') ? requestSecurely : request;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { agent, method: 'POST', signal: AbortSignal.timeout(20_000), ...(ca === undefined ? {} : { ca }) };
    send(url, options, resolve).on('error', reject).end(body);
  });
  let text = '';
  for await (const part of answer) text += part;
  return `${answer.statusCode} ${text}`;
}

describe.skipIf(TINYPROXY === null)('calls through a real proxy', () => {
  let proxy: Tinyproxy;
  let locked: Tinyproxy;
  let dir: string;
  let certificate: ReturnType<typeof makeCertificate>;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'hangar-proxy-'));
    certificate = makeCertificate(dir);
    [proxy, locked] = await Promise.all([
      startTinyproxy(),
      startTinyproxy({ signIn: { user: 'me', password: 'secret7' } }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([proxy.stop(), locked.stop()]);
    rmSync(dir, { recursive: true, force: true });
  });

  it('reaches a plain server with the full address', async () => {
    const port = await listen(createServer((incoming, answer) => answer.end(say(incoming))));
    const agent = await openProxyAgent(new URL(proxy.url), false, { keepAlive: true });
    for (const path of ['/one?x=1', '/two'])
      expect(await ask(`http://127.0.0.1:${port}${path}`, agent)).toBe(`200 POST ${path} for 127.0.0.1:${port}`);
    expect(proxy.asked()).toContain(`POST http://127.0.0.1:${port}/one?x=1`);
  });

  it('reaches a server with TLS through a tunnel, whose certificate counts', async () => {
    const server = createSecureServer({ key: certificate.key, cert: certificate.cert }, (incoming, answer) => {
      let size = 0;
      incoming.on('data', (part: Buffer) => {
        size += part.length;
      });
      incoming.on('end', () => answer.end(`${say(incoming)}, ${size} bytes`));
    });
    const port = await listen(server);
    const agent = await openProxyAgent(new URL(proxy.url), true, { keepAlive: true });
    const url = `https://localhost:${port}/big`;
    const body = 'x'.repeat(3_000_000);
    expect(await ask(url, agent, certificate.cert, body)).toBe(`200 POST /big for localhost:${port}, 3000000 bytes`);
    expect(await ask(url, agent, certificate.cert)).toBe(`200 POST /big for localhost:${port}, 0 bytes`);
    expect(proxy.asked().filter((line) => line === `CONNECT localhost:${port}`)).toHaveLength(1);
    await expect(ask(url, await openProxyAgent(new URL(proxy.url), true))).rejects.toThrow(/self-signed/);
  });

  it('a key that is none fails the request through a tunnel, and nothing else', async () => {
    const secure = await listen(createSecureServer(certificate, (_incoming, answer) => answer.end('in')));
    const half: SecureOptions = { cert: certificate.cert, key: certificate.key.slice(0, 200) };
    const agent = await openProxyAgent(new URL(proxy.url), true, half);
    await expect(ask(`https://127.0.0.1:${secure}/`, agent, certificate.cert)).rejects.toThrow(/PEM|DECODER/);
  });

  it('signs in where the proxy asks for it, and says what a proxy answered that does not let through', async () => {
    const plain = await listen(createServer((_incoming, answer) => answer.end('in')));
    const secure = await listen(createSecureServer(certificate, (_incoming, answer) => answer.end('in')));
    const known = new URL(locked.url);
    expect(await ask(`http://127.0.0.1:${plain}/`, await openProxyAgent(known, false))).toBe('200 in');
    const url = `https://127.0.0.1:${secure}/`;
    expect(await ask(url, await openProxyAgent(known, true), certificate.cert)).toBe('200 in');
    const unknown = new URL(`http://me:wrong@${known.host}`);
    await expect(ask(url, await openProxyAgent(unknown, true), certificate.cert)).rejects.toMatchObject({
      code: 'proxy_refused',
      message: expect.stringMatching(new RegExp(`^The proxy at ${known.host} answered 40[17] `)),
    });
    expect(await ask(`http://127.0.0.1:${plain}/`, await openProxyAgent(unknown, false))).toMatch(/^40[17] /);
  });
});

it('says so when there is no proxy, and a call ends in time when the proxy hangs', async () => {
  const held: Socket[] = [];
  const deaf = createTcp((socket) => held.push(socket));
  await new Promise<void>((done) => deaf.listen(0, '127.0.0.1', done));
  const proxy = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`;
  const client = new HttpClient('https://hangar.invalid', 'token', { https_proxy: proxy });
  closing.push(() => client.close());
  const call = client.call({ method: 'GET', path: '/x', silenceMs: 200 }, new AbortController().signal);
  await expect(call).rejects.toThrow('The server says nothing');
  for (const socket of held) socket.destroy();
  await new Promise((done) => deaf.close(done));
  await expect(ask('https://hangar.invalid/', await openProxyAgent(new URL(proxy), true))).rejects.toMatchObject({
    code: 'proxy_refused',
    message: expect.stringMatching(/does not answer: connect ECONNREFUSED/),
  });
});
