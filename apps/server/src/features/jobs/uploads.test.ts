import { Readable } from 'node:stream';
import type { Upload } from '@hangar/contract';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createBlobsInMemory } from '../../platform/blobs/testing/blobs-in-memory.ts';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { newId } from '../../platform/secrets/index.ts';
import { PATIENCE } from './lifecycle/job-facts.ts';
import { createJobsStore, type JobsStore } from './store/jobs-store.ts';
import { createUploads, type Uploads } from './uploads.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let store: JobsStore;
let blobs: ReturnType<typeof createBlobsInMemory>;
let uploads: Uploads;
let user: string;

beforeAll(async () => {
  database = await createTestDatabase();
  store = createJobsStore(database, { patience: PATIENCE, publish: async () => undefined });
});
afterAll(() => database.drop());
beforeEach(() => {
  blobs = createBlobsInMemory();
  uploads = createUploads({
    store,
    blobs,
    mostUnusedBytes: 100,
  });
  user = newId('u');
});

const send = (bytes: number, who = user) =>
  uploads.receive(who, Readable.from([Buffer.alloc(bytes)]), AbortSignal.timeout(10_000));
async function lying(): Promise<number> {
  let count = 0;
  for await (const _key of blobs.list('uploads/')) count += 1;
  return count;
}
async function jobWith(bundle: Upload): Promise<void> {
  await store.accept({
    row: {
      ...{ id: newId('j'), userId: user, userName: 'Ada', title: 'Try', agent: 'shell' },
      ...{ profile: 'local', driver: 'local', repoName: 'a', timeoutSeconds: 60, requestHash: '', reason: 'Waiting' },
      bundleId: bundle.id,
    },
    order: { spec: '', envSealed: null, envNames: [] },
    waitingLimit: 5,
  });
}

it('what a person has sent and no job has used may hold so much, and no more', async () => {
  const first = await send(60);
  await send(40);
  await expect(send(1)).rejects.toMatchObject({
    code: 'quota_uploads',
    message: expect.stringMatching(/hold 100 B; 100 B may.* frees its place on \d{4}-\d\d-\d\d at \d\d:\d\d UTC/),
    details: { usedBytes: 100, limitBytes: 100, freeAt: first.expiresAt },
  });
  expect(await lying()).toBe(2);
  await send(1, newId('u'));
  // What a job was started with is no heap: it is needed to start the job again.
  await jobWith(first);
  await send(60);
  await expect(send(1)).rejects.toMatchObject({ code: 'quota_uploads' });
});

it('what does not fit beside the others is refused with the same words, and nothing of it is kept', async () => {
  await send(60);
  await expect(send(41)).rejects.toMatchObject({ code: 'quota_uploads', details: { usedBytes: 60 } });
  expect(await lying()).toBe(1);
  await send(40);
});

it('one that is larger than any may be is told so', async () => {
  await expect(send(101)).rejects.toMatchObject({ code: 'body_too_large' });
});

it('those that come at the same time do not slip through together', async () => {
  const sent = await Promise.allSettled([1, 2, 3, 4, 5].map(() => send(40)));
  expect(sent.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  expect(await lying()).toBe(2);
});

it('what has expired takes no place', async () => {
  const { id } = await send(100);
  await database.pool.query(`update upload set expires_at = now() - interval '1 second' where id = $1`, [id]);
  await send(100);
});

it('those on their way share one room: together they never hold more than there is', async () => {
  let held = 0;
  let most = 0;
  const counting = {
    ...blobs,
    async put(...[key, body, o]: Parameters<typeof blobs.put>) {
      let own = 0;
      async function* counted() {
        for await (const chunk of body) {
          own += chunk.length;
          held += chunk.length;
          most = Math.max(most, held);
          yield chunk;
        }
      }
      return blobs.put(key, Readable.from(counted(), { objectMode: false }), o).catch((error: unknown) => {
        held -= own;
        throw error;
      });
    },
  };
  const here = createUploads({
    ...{ store, blobs: counting, mostUnusedBytes: 100 },
  });
  const slowly = () =>
    Readable.from(
      (async function* () {
        for (let n = 0; n < 6; n += 1) yield Buffer.alloc(10);
      })(),
      { objectMode: false },
    );
  const sent = await Promise.allSettled(
    [1, 2, 3, 4].map(() => here.receive(user, slowly(), AbortSignal.timeout(10_000))),
  );
  expect(most).toBeLessThanOrEqual(100);
  for (const each of sent) if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'quota_uploads' });
  expect((await database.pool.query('select 1 from upload_arriving')).rowCount).toBe(0);
  // Nothing of what was refused takes room.
  const { bytes } = await store.unusedUploads(user);
  await here.receive(user, Readable.from([Buffer.alloc(100 - bytes)]), AbortSignal.timeout(10_000));
});

it('of one person only so many arrive at the same time, and those of a server that died are forgotten', async () => {
  await database.pool.query(
    `insert into upload_arriving select 'dead' || n, $1, 90, now() - interval '1 second' from generate_series(1, 20) n`,
    [user],
  );
  let [now, most] = [0, 0];
  const slow = {
    ...blobs,
    async put(...[key, body, o]: Parameters<typeof blobs.put>) {
      const chunks = await body.toArray();
      now += 1;
      most = Math.max(most, now);
      await new Promise((done) => setTimeout(done, 50));
      now -= 1;
      return blobs.put(key, Readable.from(chunks), o);
    },
  };
  const here = createUploads({
    ...{ store, blobs: slow },
  });
  const one = () => here.receive(user, Readable.from([Buffer.alloc(1)]), AbortSignal.timeout(20_000));
  await Promise.all(Array.from({ length: 12 }, one));
  expect(most).toBeLessThanOrEqual(8);
});

it('who sends hundreds at the same time waits in line, and does not keep the database busy with it', async () => {
  const transactions = vi.spyOn(database.db, 'transaction');
  const here = createUploads({
    ...{ store: createJobsStore(database, { patience: PATIENCE, publish: async () => undefined }), blobs },
  });
  const [first, gone] = [Promise.withResolvers<void>(), new AbortController()];
  const held = async function* () {
    yield Buffer.alloc(1);
    await first.promise;
  };
  const signal = AbortSignal.timeout(25_000);
  const holding = Array.from({ length: 8 }, () => here.receive(user, Readable.from(held()), signal));
  await expect
    .poll(async () => (await database.pool.query('select 1 from upload_arriving where owner = $1', [user])).rowCount)
    .toBe(8);
  const behind = Array.from({ length: 60 }, () => here.receive(user, Readable.from([Buffer.alloc(1)]), signal));
  // One who goes away meanwhile holds nobody up.
  const waiting = Promise.allSettled([here.receive(user, Readable.from([Buffer.alloc(1)]), gone.signal), ...behind]);
  setTimeout(() => gone.abort(), 500);
  await new Promise((done) => setTimeout(done, 2_000));
  const asked = transactions.mock.calls.length;
  transactions.mockRestore();
  first.resolve();
  await Promise.all(holding);
  const sent = await waiting;
  expect(sent.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  expect(asked).toBeLessThan(70);
});
