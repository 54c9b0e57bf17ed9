import http from 'node:http';
import { Readable } from 'node:stream';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startTinyproxy, TINYPROXY, type Tinyproxy } from '../../../../../packages/worker/src/testing/tinyproxy.ts';
import { readBlobUrl } from '../../platform/blobs/place.ts';
import { openBlobsInS3 } from './index.ts';

describe.skipIf(TINYPROXY === null)('a bucket behind a proxy', () => {
  let proxy: Tinyproxy;
  let store: http.Server;
  let where: string;
  let asked: string[];
  beforeEach(async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    asked = [];
    proxy = await startTinyproxy();
    store = http.createServer((request, response) => {
      asked.push(`${request.method} ${request.url?.split('?')[0]}`);
      request.resume().on('end', () => response.setHeader('etag', '"x"').end());
    });
    await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
    const address = store.address();
    where = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    store.closeAllConnections();
    store.close();
    await proxy.stop();
  });

  const open = (env: Record<string, string>) => {
    const place = readBlobUrl(`s3://bucket/logs?endpoint=http://${where}`);
    if (place.kind !== 's3') throw new Error('not an object store');
    return openBlobsInS3({ place, log: pino({ level: 'silent' }), env });
  };

  test('is read and written through it, unless NO_PROXY names it', async () => {
    const blobs = await open({ HTTP_PROXY: proxy.url });
    await blobs.put('a/b', Readable.from([Buffer.from('hello')]), { maxBytes: 100 });
    expect(asked.some((line) => line.startsWith('PUT /bucket/logs/a/b'))).toBe(true);
    expect(proxy.asked().length).toBe(asked.length);
    expect(proxy.asked().every((line) => line.includes(`http://${where}/bucket`))).toBe(true);
    const before = proxy.asked().length;
    await open({ HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' });
    expect(proxy.asked()).toHaveLength(before);
  });

  test('is away when the proxy is: the server starts all the same', async () => {
    const blobs = await open({ HTTP_PROXY: 'http://127.0.0.1:1' });
    await expect(blobs.put('a/b', Readable.from([Buffer.from('hello')]), { maxBytes: 100 })).rejects.toMatchObject({
      code: 'blob_store_unavailable',
    });
  });
});
