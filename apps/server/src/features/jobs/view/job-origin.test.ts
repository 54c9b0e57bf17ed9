import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createBlobsInMemory } from '../../../platform/blobs/testing/index.ts';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { ada, bob, claimedJob, code, finish } from '../testing/jobs-parts.ts';
import { createJobOrigins } from './job-origin.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const never = () => Promise.reject(new Error('nobody asks for it'));
const signal = new AbortController().signal;

/** A job whose agent failed after it had saved a diff; it was sent with a bundle. */
async function failedJob() {
  const blobs = createBlobsInMemory();
  const { store, worker, row, identity } = await claimedJob(
    database,
    {},
    {
      blobs,
      logs: { append: never, storedSeq: async () => 0 },
    },
  );
  await blobs.put('uploads/one', Readable.from(['the bundle']), { maxBytes: 100, signal });
  await database.pool.query(
    `insert into upload (id, user_id, size_bytes, sha256, blob_key, expires_at)
     values ($1, $2, 10, '', 'uploads/one', now() + interval '1 day')`,
    [`up_${row.id.slice(2)}`, ada.userId],
  );
  await database.pool.query('update job set bundle_id = $1, repo_commit = $2 where id = $3', [
    ...[`up_${row.id.slice(2)}`, 'a'.repeat(40), row.id],
  ]);
  await worker.artifact(
    identity,
    {
      ...{ name: 'diff', kind: 'diff', partial: true, number: 1, contentType: 'text/plain', sha256: undefined },
      counts: { filesChanged: 1, insertions: 1, deletions: 0 },
    },
    Readable.from(['the diff']),
    signal,
  );
  const origins = createJobOrigins({
    ...{ store, blobs, credentials: { open: never }, allowLocalRepos: false },
    ...{ environment: { open: () => '{}' }, sandboxes: { environmentOf: never } },
  });
  const end = () =>
    worker.finish(identity, { ...finish, outcome: 'failed', reason: 'No', lastLogSeq: 0 }).then(() => undefined);
  return { origins, id: row.id, end };
}

it('gives what an ended job began with and what it left, to its owner alone', async () => {
  const { origins, id, end } = await failedJob();
  expect(await code(origins.originOf(ada.userId, id))).toBe('job_not_ended');
  await end();
  expect(await origins.originOf(ada.userId, id)).toMatchObject({ profile: 'local', env: {} });
  const files = await origins.filesOf(ada.userId, id);
  expect(files).toMatchObject({ repo: { bundle: true, patch: false }, credential: null, diff: true, partial: true });
  expect(await text(await files.open('bundle', { signal }))).toBe('the bundle');
  expect(await text(await files.open('diff', { signal }))).toBe('the diff');
  expect(await code(origins.originOf(bob.userId, id))).toBe('job_not_found');
  expect(await code(origins.filesOf(bob.userId, id))).toBe('job_not_found');
});

it('says what is not kept any more', async () => {
  const { origins, id, end } = await failedJob();
  await end();
  await database.pool.query('delete from artifact where job_id = $1', [id]);
  expect((await origins.filesOf(ada.userId, id)).diff).toBe(false);
  await database.pool.query('update job set artifacts_removed_at = now() where id = $1', [id]);
  expect(await code(origins.originOf(ada.userId, id))).toBe('artifact_removed');
  await database.pool.query('update job set artifacts_removed_at = null where id = $1', [id]);
  await database.pool.query('delete from upload where id = $1', [`up_${id.slice(2)}`]);
  expect(await code(origins.originOf(ada.userId, id))).toBe('upload_not_found');
});
