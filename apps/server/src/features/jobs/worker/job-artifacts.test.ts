import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createBlobsInMemory } from '../../../platform/blobs/testing/blobs-in-memory.ts';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { claimedJob } from '../testing/jobs-parts.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function runningJob() {
  const blobs = createBlobsInMemory();
  const { store, worker, row, identity } = await claimedJob(database, { maxArtifactBytes: 1e6 }, { blobs });
  let uploads = 0;
  const put = (name: string, kind: 'diff' | 'file', body: string, claimed = body, number = ++uploads) =>
    worker.artifact(
      identity,
      {
        ...{ name, kind, partial: true, number, contentType: 'text/plain' },
        sha256: createHash('sha256').update(claimed).digest('hex'),
        counts: kind === 'diff' ? { filesChanged: 1, insertions: body.length, deletions: 0 } : null,
      },
      Readable.from([body]),
      AbortSignal.timeout(10_000),
    );
  const stored = async (name: string) => {
    const artifact = await store.artifact(row.id, name);
    const blob = artifact && (await blobs.get(artifact.blobKey));
    return blob && text(blob.body);
  };
  const keys = async () => {
    const found: string[] = [];
    for await (const key of blobs.list('jobs/')) found.push(key);
    return found;
  };
  return { put, stored, keys, store, id: row.id };
}

it('a partial diff is known to the job as soon as it is saved, with its counts', async () => {
  const { put, store, id } = await runningJob();
  await put('diff', 'diff', 'one');
  const row = await store.byId(id);
  expect(row?.diff).toEqual({ filesChanged: 1, insertions: 3, deletions: 0, sizeBytes: 3, partial: true });
});

it('what is refused leaves what was saved before, what is taken replaces it and leaves nothing behind', async () => {
  const { put, stored, keys } = await runningJob();
  await put('diff', 'diff', 'one');
  await expect(put('diff', 'diff', 'broken on the way', 'two')).rejects.toMatchObject({ code: 'bad_request' });
  expect(await stored('diff')).toBe('one');
  await put('diff', 'diff', 'two');
  expect(await stored('diff')).toBe('two');
  await Promise.all(['a', 'b', 'c'].map((body) => put('diff', 'diff', body)));
  expect(await keys()).toHaveLength(1);
});

it('one that was overtaken on its way replaces nothing, and leaves nothing behind', async () => {
  const { put, stored, keys, store, id } = await runningJob();
  await put('diff', 'diff', 'first', 'first', 1);
  await put('diff', 'diff', 'the last one', 'the last one', 3);
  await put('diff', 'diff', 'late', 'late', 2);
  expect(await stored('diff')).toBe('the last one');
  expect((await store.byId(id))?.diff).toMatchObject({ insertions: 'the last one'.length });
  expect(await keys()).toHaveLength(1);
  // Its own answer got lost: said again it is taken.
  await put('diff', 'diff', 'the last one', 'the last one', 3);
  expect(await stored('diff')).toBe('the last one');
  expect(await keys()).toHaveLength(1);
});

it('files may be named as they like', async () => {
  const { put, stored } = await runningJob();
  for (const name of ['out/report 1.html', 'äöü.txt', '.hidden']) {
    await put(name, 'file', name);
    expect(await stored(name)).toBe(name);
  }
});

it('artifacts that come side by side hold the limit together, and what is refused is not kept', async () => {
  const { put, keys } = await runningJob();
  const answers = await Promise.allSettled(
    Array.from({ length: 5 }, (_, n) => put(`file-${n}`, 'file', 'x'.repeat(400_000))),
  );
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  for (const answer of answers)
    if (answer.status === 'rejected')
      expect(answer.reason).toMatchObject({ code: 'quota_artifacts', details: { limitBytes: 1e6 } });
  expect(await keys()).toHaveLength(2);
});

it('no file is the diff, and nothing but the diff escapes the count of files', async () => {
  const { put, keys, stored } = await runningJob();
  await put('diff', 'diff', 'whole');
  await expect(put('one', 'diff', 'x')).rejects.toMatchObject({ code: 'bad_request' });
  await expect(put('diff', 'file', 'x')).rejects.toMatchObject({ code: 'bad_request' });
  expect(await stored('diff')).toBe('whole');
  expect(await keys()).toHaveLength(1);
});

it('a job leaves so many artifacts and no more, and its diff all the same', async () => {
  const { put, keys, id } = await runningJob();
  await database.pool.query(
    `insert into artifact (job_id, name, kind, content_type, size_bytes, sha256, partial, blob_key)
     select $1, 'file ' || n, 'file', 'text/plain', 1, '', false, 'elsewhere' from generate_series(1, 1000) n`,
    [id],
  );
  await expect(put('one more', 'file', 'x')).rejects.toMatchObject({
    code: 'quota_artifacts',
    details: { limit: 1000 },
  });
  expect(await keys()).toEqual([]);
  await put('file 7', 'file', 'changed');
  await put('diff', 'diff', 'whole');
  expect(await keys()).toHaveLength(2);
});
