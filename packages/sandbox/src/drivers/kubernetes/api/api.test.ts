import { mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  makeCertificate,
  startTinyproxy,
  TINYPROXY,
  type Tinyproxy,
} from '../../../../../../packages/worker/src/testing/tinyproxy.ts';
import { createApi } from './api.ts';

describe.skipIf(TINYPROXY === null)('an API server behind a proxy', () => {
  let proxy: Tinyproxy;
  let server: https.Server;
  let dir: string;
  let where: string;
  let ca: string;
  beforeEach(async () => {
    proxy = await startTinyproxy();
    dir = mkdtempSync(path.join(os.tmpdir(), 'hangar-kubernetes-'));
    const { key, cert } = makeCertificate(dir);
    ca = cert;
    server = https.createServer({ key, cert }, (_, response) => response.end('{"kind":"PodList"}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    where = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await proxy.stop();
    rmSync(dir, { recursive: true });
  });

  const ask = async (o: { env?: Record<string, string>; proxyUrl?: string }) => {
    const api = createApi({ server: `https://${where}`, ca, insecure: false, credentials: async () => ({}), ...o });
    try {
      return await api.json('GET', '/api/v1/pods', { signal: AbortSignal.timeout(20_000) });
    } finally {
      api.close();
    }
  };

  test('is asked through that of the environment or of the kubeconfig, with its own certificate', async () => {
    expect(await ask({ env: { HTTPS_PROXY: proxy.url } })).toEqual({ kind: 'PodList' });
    expect(await ask({ env: { HTTPS_PROXY: 'http://127.0.0.1:1' }, proxyUrl: proxy.url })).toEqual({ kind: 'PodList' });
    expect(proxy.asked()).toEqual([`CONNECT ${where}`, `CONNECT ${where}`]);
    expect(await ask({ env: { https_proxy: proxy.url, no_proxy: where } })).toEqual({ kind: 'PodList' });
    expect(proxy.asked()).toHaveLength(2);
  });

  test('is away when the proxy is, and the way out names it', async () => {
    await expect(ask({ env: { ALL_PROXY: 'http://127.0.0.1:1' } })).rejects.toMatchObject({
      code: 'driver_unavailable',
      message: expect.stringContaining('The proxy at 127.0.0.1:1 does not answer'),
      wayOut: expect.stringContaining('NO_PROXY'),
    });
    await expect(ask({ proxyUrl: 'socks5://127.0.0.1:1' })).rejects.toMatchObject({
      message: expect.stringContaining('The proxy-url of the kubeconfig is no address of an HTTP proxy'),
    });
  });
});
