import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { HangarError } from '@hangar/contract';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApp } from '../../platform/http/app.ts';
import { jobBytesRoutes } from './jobs-routes.ts';
import type { ArtifactRow } from './store/jobs-tables.ts';

const ID = `j_${'a'.repeat(20)}`;
const diff: ArtifactRow = {
  ...{ jobId: ID, name: 'diff', kind: 'diff', contentType: 'text/plain', sizeBytes: 4_000_000, sha256: 'x' },
  ...{ partial: false, blobKey: 'a', turn: 1, createdAt: new Date() },
};
let app: FastifyInstance;
let url: string;
let body: Readable;

beforeAll(async () => {
  app = await createApp({
    router: {},
    rawRoutes: [
      jobBytesRoutes({
        jobs: { artifact: async () => diff, mayReadLog: async () => undefined },
        uploads: { receive: () => Promise.reject(new HangarError('internal')) },
        blobs: { get: async () => ({ body, sizeBytes: diff.sizeBytes }) },
        answerLog: async () => null,
      }),
    ],
    identify: async () => ({
      ...{ kind: 'apiKey', userId: 'u_ada', userName: 'Ada', label: '', expiresAt: null },
      actor: { userId: 'u_ada', userName: 'Ada', role: 'member' },
    }),
    refuseForeignOrigin: () => undefined,
    isDraining: () => false,
    ...{ log: pino({ level: 'silent' }), trustProxy: false, secure: false, webDir: null },
  });
  url = await app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  const closed = app.close();
  app.server.closeAllConnections();
  await closed;
});

const download = (signal: AbortSignal) =>
  fetch(`${url}/api/jobs/${ID}/artifacts/diff`, {
    headers: { authorization: 'Bearer one', 'accept-encoding': 'gzip' },
    signal,
  });

it('a diff comes packed to who takes it so', async () => {
  body = Readable.from([Buffer.from('one\n'), Buffer.from('two\n')]);
  const answer = await app.inject({
    url: `/api/jobs/${ID}/artifacts/diff`,
    headers: { authorization: 'Bearer one', 'accept-encoding': 'gzip' },
  });
  expect(answer.headers['content-encoding']).toBe('gzip');
  expect(gunzipSync(answer.rawPayload).toString()).toBe('one\ntwo\n');
});

it('a store that breaks in the middle of a diff cuts this answer, and nothing else', async () => {
  const broken = Promise.withResolvers<void>();
  body = Readable.from(
    (async function* () {
      yield randomBytes(500_000);
      await broken.promise;
      throw new HangarError('blob_store_unavailable');
    })(),
    { objectMode: false },
  );
  const answer = await download(AbortSignal.timeout(5_000));
  expect(answer.status).toBe(200);
  broken.resolve();
  await expect(answer.arrayBuffer()).rejects.toThrow('terminated');
});

it('a store that breaks before the first byte is an error that can be read', async () => {
  body = new Readable({
    read() {
      this.destroy(new HangarError('blob_store_unavailable'));
    },
  });
  const answer = await download(AbortSignal.timeout(5_000));
  expect(answer.status).toBe(503);
  expect(answer.headers.get('content-disposition')).toBeNull();
  expect(await answer.json()).toMatchObject({ code: 'blob_store_unavailable' });
});

it('a reader who leaves lets go of the bytes in the store', async () => {
  body = new Readable({
    read() {
      this.push(randomBytes(65_536));
    },
  });
  const gone = new AbortController();
  expect((await download(gone.signal)).status).toBe(200);
  gone.abort();
  await expect.poll(() => body.destroyed).toBe(true);
});
