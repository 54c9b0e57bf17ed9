import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Blobs } from '../../platform/blobs/blobs.ts';
import { readBlobUrl, type S3Place } from '../../platform/blobs/place.ts';
import { blobsSuite } from '../../platform/blobs/testing/index.ts';
import { openBlobsInS3 } from './index.ts';
import { PART_BYTES } from './multipart.ts';
import { type FaultyLink, faultyLink, type ObjectStore, objectStoreForTests } from './testing/index.ts';

const log = pino({ level: 'silent' });
const MB = 1024 * 1024;
const found = await objectStoreForTests();

if ('skipped' in found) test('blobs in an object store', ({ skip }) => skip(found.skipped));
else inObjectStore(found);

function inObjectStore(store: ObjectStore): void {
  beforeAll(() => {
    // The standard chain of the client looks here first.
    Object.assign(process.env, store.env);
  });
  afterAll(() => store.remove());

  let stores = 0;
  function place(endpoint = store.endpoint, prefix = `test-${++stores}`): S3Place {
    const read = readBlobUrl(`s3://${store.bucket}/${prefix}?endpoint=${endpoint}`);
    if (read.kind !== 's3') throw new Error('not an object store');
    return read;
  }
  const open = (at: S3Place) => openBlobsInS3({ place: at, log });

  blobsSuite('blobs in an object store', () => open(place()));

  /** Bytes that differ everywhere, made as they are read, so that no test holds a large body. */
  function noise(bytes: number): { body: Readable; sha256: () => string } {
    const block = randomBytes(MB);
    const hash = createHash('sha256');
    async function* parts() {
      for (let left = bytes; left > 0; left -= MB) {
        block.writeUInt32LE(left % 2 ** 32);
        const part = Buffer.from(block.subarray(0, Math.min(left, MB)));
        hash.update(part);
        yield part;
      }
    }
    return { body: Readable.from(parts(), { objectMode: false }), sha256: () => hash.digest('hex') };
  }
  async function sha256Of(body: Readable): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of body) hash.update(chunk);
    return hash.digest('hex');
  }
  async function keysOf(blobs: Blobs): Promise<string[]> {
    const keys: string[] = [];
    for await (const key of blobs.list('')) keys.push(key);
    return keys;
  }
  /** What uploads that were not completed hold. */
  const unfinished = (blobs: Blobs) => blobs.removeUnfinished(new Date(Date.now() + 60_000));

  describe('large blobs', () => {
    test.each([PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, 3 * PART_BYTES + 17])(
      '%i bytes come back as they went in',
      async (bytes) => {
        const blobs = await open(place());
        const sent = noise(bytes);
        const stored = await blobs.put('a', sent.body, { maxBytes: bytes });
        expect(stored).toEqual({ sizeBytes: bytes, sha256: sent.sha256() });
        const read = await blobs.get('a');
        expect(read?.sizeBytes).toBe(bytes);
        expect(read && (await sha256Of(read.body))).toBe(stored.sha256);
        expect(await unfinished(blobs)).toBe(0);
      },
    );

    test('a gigabyte passes in flat memory, in both directions', async () => {
      const blobs = await open(place());
      const bytes = 1024 * MB;
      const sent = noise(bytes);
      let most = 0;
      const before = process.memoryUsage().rss;
      const watch = setInterval(() => {
        most = Math.max(most, process.memoryUsage().rss - before);
      }, 50);
      const stored = await blobs.put('a', sent.body, { maxBytes: bytes });
      expect(stored).toEqual({ sizeBytes: bytes, sha256: sent.sha256() });
      const read = await blobs.get('a');
      expect(read && (await sha256Of(read.body))).toBe(stored.sha256);
      clearInterval(watch);
      expect(most).toBeLessThan(300 * MB);
      await blobs.remove('a');
    }, 180_000);

    test('over the limit in the middle of parts nothing is left', async () => {
      const blobs = await open(place());
      const { body } = noise(4 * PART_BYTES);
      await expect(blobs.put('a', body, { maxBytes: 3 * PART_BYTES })).rejects.toMatchObject({
        code: 'body_too_large',
      });
      expect(body.destroyed).toBe(false);
      expect(await keysOf(blobs)).toEqual([]);
      expect(await unfinished(blobs)).toBe(0);
    });

    test('given up in the middle of parts nothing is left', async () => {
      const blobs = await open(place());
      const stop = new AbortController();
      const { body } = noise(20 * PART_BYTES);
      const putting = blobs.put('a', body, { maxBytes: 100 * PART_BYTES, signal: stop.signal });
      setTimeout(() => stop.abort(new Error('given up')), 100);
      await expect(putting).rejects.toThrow('given up');
      expect(await keysOf(blobs)).toEqual([]);
      expect(await unfinished(blobs)).toBe(0);
    });

    test('reading that is given up, or never begun, lets go of its connection', async () => {
      const blobs = await open(place());
      await blobs.put('a', noise(4 * PART_BYTES).body, { maxBytes: 4 * PART_BYTES });
      // More than the client has connections: one that was kept would stop the rest.
      for (let n = 0; n < 60; n++) {
        const read = await blobs.get('a');
        if (n % 2 === 0) for await (const _part of read?.body ?? []) break;
        read?.body.destroy();
      }
      expect((await blobs.get('a'))?.sizeBytes).toBe(4 * PART_BYTES);
    });
  });

  test('a thousand blobs and more are listed and removed page by page, and those of others are left', async () => {
    const at = place();
    const blobs = await open(at);
    const beside = await open({ ...at, prefix: `${at.prefix.slice(0, -1)}0/` });
    await beside.put('logs/one', Readable.from(['x']), { maxBytes: 1 });
    const names = Array.from({ length: 1_100 }, (_, n) => `logs/j_1/${String(n).padStart(4, '0')}`);
    for (let n = 0; n < names.length; n += 20)
      await Promise.all(names.slice(n, n + 20).map((name) => blobs.put(name, Readable.from(['x']), { maxBytes: 1 })));
    expect(await keysOf(blobs)).toEqual(names);
    await blobs.removeAll('logs/');
    expect(await keysOf(blobs)).toEqual([]);
    expect(await keysOf(beside)).toEqual(['logs/one']);
  }, 120_000);

  test('what a server that died has left of an upload is removed, what is on its way is not', async () => {
    const at = place();
    const blobs = await open(at);
    const endless = new Readable({ read() {} });
    for (let n = 0; n < 3; n++) endless.push(Buffer.alloc(PART_BYTES));
    const stop = new AbortController();
    const putting = blobs.put('a', endless, { maxBytes: 100 * PART_BYTES, signal: stop.signal }).catch(() => null);
    const deadline = Date.now() + 10_000;
    let left = 0;
    expect(await blobs.removeUnfinished(new Date(Date.now() - 60_000))).toBe(0);
    while (left === 0 && Date.now() < deadline) {
      left = await unfinished(blobs);
      await sleep(50);
    }
    expect(left).toBe(1);
    // A part that was on its way may have come after; who sends it takes it back.
    stop.abort();
    await putting;
    expect(await unfinished(blobs)).toBe(0);
  });

  describe('over a link with faults', () => {
    let link: FaultyLink;
    let blobs: Blobs;
    beforeEach(async () => {
      link = await faultyLink(store.port);
      blobs = await open(place(link.endpoint));
      link.seen.length = 0;
    });
    afterEach(() => link.close());
    const large = 3 * PART_BYTES;

    test('503 now and then: tried again, the blob is whole', async () => {
      link.fault = ({ nth }) => (nth % 3 === 1 ? { status: 503, code: 'SlowDown' } : null);
      const sent = noise(large);
      const stored = await blobs.put('a', sent.body, { maxBytes: large });
      expect(stored.sha256).toBe(sent.sha256());
      const read = await blobs.get('a');
      expect(read && (await sha256Of(read.body))).toBe(stored.sha256);
    });

    test('cut in the middle of each part: the part is sent again', async () => {
      const cut = new Set<string>();
      link.fault = ({ method, url }) => {
        const part = /partNumber=\d+/.exec(url)?.[0];
        if (method !== 'PUT' || part === undefined || cut.has(part)) return null;
        cut.add(part);
        return { cutBodyAt: 100_000 };
      };
      const sent = noise(large);
      const stored = await blobs.put('a', sent.body, { maxBytes: large });
      expect(cut.size).toBeGreaterThan(1);
      link.fault = () => null;
      const read = await blobs.get('a');
      expect(read && (await sha256Of(read.body))).toBe(sent.sha256());
      expect(stored.sizeBytes).toBe(large);
      expect(await unfinished(blobs)).toBe(0);
    });

    test('the answer to the completion is lost: the blob is there, and that is seen', async () => {
      let lost = 0;
      link.fault = ({ method, url }) =>
        method === 'POST' && url.includes('uploadId=') && lost++ === 0 ? { cutAnswerAt: 0 } : null;
      const sent = noise(large);
      const stored = await blobs.put('a', sent.body, { maxBytes: large });
      expect(lost).toBeGreaterThan(0);
      expect(stored.sha256).toBe(sent.sha256());
      expect((await blobs.get('a'))?.sizeBytes).toBe(large);
    });

    test('cut in the middle of the download, again and again: read on from there', async () => {
      const sent = noise(large);
      await blobs.put('a', sent.body, { maxBytes: large });
      const range = { start: 1_000, end: large - 1_001 };
      link.seen.length = 0;
      link.fault = ({ method }) => (method === 'GET' ? { cutAnswerAt: 6 * MB } : null);
      const whole = await blobs.get('a');
      expect(whole && (await sha256Of(whole.body))).toBe(sent.sha256());
      expect(link.seen.filter((line) => line.startsWith('GET')).length).toBeGreaterThan(2);
      const some = await blobs.get('a', { range });
      expect(some?.sizeBytes).toBe(large);
      expect(some && (await buffer(some.body)).length).toBe(range.end - range.start + 1);
    });

    test('a store that always fails in the middle: 503 with a way out, nothing left once it is back', async () => {
      link.fault = ({ url }) => (/partNumber=2/.test(url) ? { status: 503 } : null);
      await expect(blobs.put('a', noise(large).body, { maxBytes: large })).rejects.toMatchObject({
        code: 'blob_store_unavailable',
        status: 503,
      });
      link.fault = () => null;
      expect(await keysOf(blobs)).toEqual([]);
      expect(await unfinished(blobs)).toBe(0);
      await blobs.put('a', Readable.from(['again']), { maxBytes: 10 });
      const read = await blobs.get('a');
      expect(read && (await text(read.body))).toBe('again');
    }, 60_000);

    test('the old blob stays whole while a new one does not arrive', async () => {
      await blobs.put('a', Readable.from(['old']), { maxBytes: 3 });
      link.fault = ({ method }) => (method === 'PUT' || method === 'POST' ? { status: 503 } : null);
      await expect(blobs.put('a', noise(large).body, { maxBytes: large })).rejects.toMatchObject({
        code: 'blob_store_unavailable',
      });
      link.fault = () => null;
      const read = await blobs.get('a');
      expect(read && (await text(read.body))).toBe('old');
    }, 60_000);

    test('slow answers are waited for, and a signal ends the wait at once', async () => {
      link.fault = () => ({ delayMs: 300 });
      await blobs.put('a', Readable.from(['slow']), { maxBytes: 10 });
      link.fault = () => ({ delayMs: 60_000 });
      const stop = new AbortController();
      const reading = blobs.get('a', { signal: stop.signal });
      setTimeout(() => stop.abort(new Error('no longer wanted')), 50);
      await expect(reading).rejects.toThrow('no longer wanted');
    });

    test.each([
      { status: 507, code: 'InsufficientStorage', becomes: 'disk_full' },
      { status: 403, code: 'QuotaExceeded', becomes: 'disk_full' },
      { status: 403, code: 'AccessDenied', becomes: 'blob_store_refused' },
      { status: 404, code: 'NoSuchBucket', becomes: 'blob_store_refused' },
      { status: 500, code: 'InternalError', becomes: 'blob_store_unavailable' },
    ])(
      '$status $code is said as $becomes',
      async ({ status, code, becomes }) => {
        link.fault = () => ({ status, code });
        await expect(blobs.put('a', Readable.from(['x']), { maxBytes: 1 })).rejects.toMatchObject({ code: becomes });
        await expect(blobs.get('a')).rejects.toMatchObject({ code: becomes });
        await expect(keysOf(blobs)).rejects.toMatchObject({ code: becomes });
        await expect(blobs.remove('a')).rejects.toMatchObject({ code: becomes });
        await expect(blobs.removeAll('a/')).rejects.toMatchObject({ code: becomes });
      },
      60_000,
    );
  });

  describe('a store that is not as it should be', () => {
    test('a bucket that is not there, and credentials that are not accepted, are said at the start', async () => {
      await expect(open({ ...place(), bucket: 'no-such-bucket' })).rejects.toMatchObject({
        code: 'blob_store_refused',
        message: expect.stringContaining('no-such-bucket'),
      });
      process.env.AWS_SECRET_ACCESS_KEY = 'another';
      try {
        await expect(open(place())).rejects.toMatchObject({ code: 'blob_store_refused' });
      } finally {
        Object.assign(process.env, store.env);
      }
    });

    test('one that is away keeps nobody from starting, says 503, and is used once it is back', async () => {
      const blobs = await open(place());
      await blobs.put('a', Readable.from(['kept']), { maxBytes: 4 });
      await store.stop();
      await expect(blobs.get('a')).rejects.toMatchObject({ code: 'blob_store_unavailable', status: 503 });
      const late = await open(place());
      await store.start();
      const read = await blobs.get('a');
      expect(read && (await text(read.body))).toBe('kept');
      await late.put('b', Readable.from(['late']), { maxBytes: 4 });
    }, 60_000);
  });

  test('a signed link fetches the blob without credentials, as a download, for its time', async () => {
    const at = place();
    const blobs = await open({ ...at, links: true });
    expect((await open(at)).link).toBeUndefined();
    await blobs.put('a', Readable.from(['by link']), { maxBytes: 10 });
    const link = await blobs.link?.('a', { fileName: 'für dich.txt', expiresSeconds: 60 });
    const answer = await fetch(link ?? '');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-disposition')).toContain("attachment; filename*=UTF-8''f%C3%BCr%20dich.txt");
    expect(await answer.text()).toBe('by link');
    expect((await fetch(`${store.endpoint}/${store.bucket}/${at.prefix}a`)).status).toBe(403);
  });
}
