import { request } from 'node:http';
import { createServer as createSecureServer, type Server } from 'node:https';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  makeCertificate,
  startTinyproxy,
  TINYPROXY,
  type Tinyproxy,
} from '../../../../packages/worker/src/testing/tinyproxy.ts';
import { FakeServer } from '../testing/fake-server.ts';
import { Desk } from '../testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let server: FakeServer;
let desk: Desk;
beforeEach(async () => {
  server = await new FakeServer().start();
  desk = new Desk();
});
afterEach(async () => {
  await server.stop();
  desk.dispose();
});

describe.skipIf(TINYPROXY === null)('behind a proxy', () => {
  let proxy: Tinyproxy;
  beforeEach(async () => {
    proxy = await startTinyproxy({ signIn: { user: 'ada', password: 'pass' } });
  });
  afterEach(() => proxy.stop());

  /** The same server over TLS, with a certificate nobody knows. */
  async function secure(): Promise<{ url: string; certFile: string; stop: () => Promise<void> }> {
    const { key, cert, certFile } = makeCertificate(desk.dir);
    const front: Server = createSecureServer({ key, cert }, (asked, answer) => {
      const { method = 'GET', url = '/', headers } = asked;
      const passed = request(`${server.url}${url}`, { method, headers }, (got) => {
        answer.writeHead(got.statusCode ?? 500, got.headers);
        got.on('error', () => answer.destroy()).pipe(answer);
      });
      passed.on('error', () => answer.destroy());
      asked.pipe(passed);
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    const address = front.address();
    const stop = async () => {
      front.closeAllConnections();
      await new Promise((resolve) => front.close(resolve));
    };
    return { url: `https://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`, certFile, stop };
  }

  it('signs in, asks and follows through it, and past it where NO_PROXY says so', async () => {
    const env = { HANGAR_SERVER: server.url, http_proxy: proxy.url };
    expect((await desk.run(['cloud', 'login', '--with-token'], { env, input: server.apiKey })).code).toBe(0);
    const id = server.addJob();
    expect((await desk.json(['status', id], { env })).id).toBe(id);
    const logs = desk.start(['logs', id, '--follow'], { env });
    server.addLines(id, ['through the proxy']);
    await logs.saw('through the proxy');
    server.finish(id, null);
    expect((await logs.ended).code).toBe(0);
    const through = proxy.asked().length;
    expect(through).toBe(server.requests.length);
    for (const none of [{ NO_PROXY: '127.0.0.1' }, { no_proxy: '*' }])
      expect((await desk.json(['status', id], { env: { ...env, ...none } })).id).toBe(id);
    expect(proxy.asked()).toHaveLength(through);
  });

  it('reaches a server over TLS in a tunnel, with an authority of its own', async () => {
    const front = await secure();
    try {
      const env = {
        ...{ HANGAR_SERVER: front.url, HANGAR_TOKEN: server.apiKey, HTTPS_PROXY: proxy.url },
      };
      const id = server.addJob();
      const unknown = JSON.parse((await desk.run(['status', id, '--json'], { env })).stdout);
      expect(unknown.error).toMatchObject({ code: 'certificate_refused', exitCode: 4 });
      expect(unknown.error.wayOut).toContain('NODE_EXTRA_CA_CERTS');
      const trusting = { ...env, NODE_EXTRA_CA_CERTS: front.certFile };
      expect((await desk.json(['status', id], { env: trusting })).id).toBe(id);
      const logs = desk.start(['logs', id, '--follow'], { env: trusting });
      server.addLines(id, ['in the tunnel']);
      await logs.saw('in the tunnel');
      server.finish(id, null);
      expect((await logs.ended).code).toBe(0);
      expect(new Set(proxy.asked())).toEqual(new Set([`CONNECT ${new URL(front.url).host}`]));
    } finally {
      await front.stop();
    }
  });

  it('says what is wrong with a proxy, does not try for long, and never shows its password', async () => {
    const front = await secure();
    const id = server.addJob();
    const to = { http_proxy: server.url, https_proxy: front.url };
    try {
      for (const [name, server] of Object.entries(to))
        for (const [url, words] of [
          [proxy.url.replace(/ada:[^@]*@/, ''), 'asks for a sign-in'],
          [proxy.url.replace(/ada:[^@]*@/, 'ada:hidden@'), 'answered 401|asks for a sign-in'],
          ['http://ada:hidden@127.0.0.1:1', 'ECONNREFUSED'],
        ] as const) {
          const env = { HANGAR_SERVER: server, HANGAR_TOKEN: 'hk_x', [name]: url };
          const ended = await desk.run(['status', id, '--json'], { env });
          const { error } = JSON.parse(ended.stdout);
          expect(error, url).toMatchObject({ code: 'proxy_refused', exitCode: 4 });
          expect(error.message).toMatch(new RegExp(words));
          expect(error.message).toContain(`The proxy at ${new URL(url).host}`);
          expect(error.wayOut).toContain('NO_PROXY');
          expect(ended.stdout + ended.stderr).not.toContain('hidden');
        }
      const env = { HANGAR_SERVER: server.url, HANGAR_TOKEN: 'hk_x', ALL_PROXY: 'socks5://ada:hidden@127.0.0.1:1' };
      const { error } = JSON.parse((await desk.run(['status', id, '--json'], { env })).stdout);
      expect(error).toMatchObject({ code: 'proxy_invalid', exitCode: 2 });
      // A refusal of the proxy does not pass by itself.
      const follow = {
        HANGAR_SERVER: server.url,
        HANGAR_TOKEN: 'hk_x',
        http_proxy: proxy.url.replace(/ada:[^@]*@/, ''),
      };
      expect((await desk.run(['logs', id, '--follow'], { env: follow })).code).toBe(4);
    } finally {
      await front.stop();
    }
  });
});
