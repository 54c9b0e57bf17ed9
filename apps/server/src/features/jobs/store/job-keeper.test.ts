import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { LOG_LINE_BYTES, type Plan } from '@hangar/contract';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Blobs } from '../../../platform/blobs/blobs.ts';
import { createOrphanSweep } from '../../../platform/blobs/orphans.ts';
import { createBlobsInMemory } from '../../../platform/blobs/testing/blobs-in-memory.ts';
import { openSnapshot, whileNoBackup } from '../../../platform/database/index.ts';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { createLogs, type Logs } from '../../../platform/logs/index.ts';
import { createRetention } from '../../../platform/retention/retention.ts';
import { createJobKeeper, jobBlobs } from './job-keeper.ts';

const FOREVER: Plan = {
  ...{
    id: 'test',
    title: 'Test',
    jobsAtOnce: 2,
    jobsWaiting: 5,
    sandboxesAtOnce: 5,
    minutesPerMonth: null,
    maxTimeoutSeconds: 600,
  },
  ...{ maxArtifactBytes: 1e6, maxLogBytes: 1e6, keepLogDays: null, keepArtifactDays: null, keepBytes: null },
};
const log = pino({ level: 'silent' });
const never = new AbortController().signal;

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let blobs: Blobs;
let logs: Logs;
let plan: Plan;
let dies: string | null;
beforeEach(async () => {
  database = await createTestDatabase();
  blobs = createBlobsInMemory();
  logs = createLogs({ database, blobs, log });
  plan = FOREVER;
  dies = null;
});
afterEach(async () => {
  await logs.close();
  await database.drop();
});

const alone = <T>(work: () => Promise<T>) => whileNoBackup(database, work);
const retention = () => {
  const keeper = createJobKeeper({
    database,
    blobs: {
      async remove(key) {
        if (dies === 'blobs') throw new Error('killed here');
        await blobs.remove(key);
      },
    },
    logs: {
      stats: (ids) => logs.stats(ids),
      async remove(id) {
        if (dies === 'logs') throw new Error('killed here');
        await logs.remove(id);
      },
    },
  });
  return createRetention({ keepers: [keeper], planOf: async () => plan, whileNoBackup: alone, log });
};
const sweep = (store: Blobs) =>
  createOrphanSweep({ blobs: store, owners: [...jobBlobs(database), logs.owner], whileNoBackup: alone, log })(never);

/** A job with a log of `logBytes` and one artifact; ended so many days ago, or not when null. */
async function job(daysAgo: number | null, o: { logBytes?: number; artifactBytes?: number; compact?: boolean } = {}) {
  const id = `j_${randomBytes(6).toString('hex')}`;
  await database.pool.query(
    `insert into job (id, user_id, user_name, title, agent, profile, driver, repo_name, timeout_seconds, request_hash, reason, state, finished_at)
     values ($1, 'u_1', 'Ada', 'T', 'shell', 'local', 'local', 'a', 60, '', '', $2, now() - $3 * interval '1 day')`,
    [id, daysAgo === null ? 'running' : 'succeeded', daysAgo],
  );
  await logs.append(
    id,
    '1',
    {
      seq: 1,
      lines: [
        { at: new Date().toISOString(), stream: 'stdout', text: 'x'.repeat((o.logBytes ?? 100) - LOG_LINE_BYTES) },
      ],
    },
    { maxBytes: 1e6 },
  );
  if (daysAgo !== null) await logs.end(id, { state: 'succeeded' });
  if (o.compact) await logs.compact(id);
  const blobKey = `jobs/${id}/1/diff-${randomBytes(4).toString('hex')}`;
  const stored = await blobs.put(blobKey, Readable.from(['y'.repeat(o.artifactBytes ?? 5)]), { maxBytes: 1e6 });
  await database.pool.query(
    `insert into artifact (job_id, name, kind, content_type, size_bytes, sha256, partial, blob_key) values ($1, 'diff', 'diff', 'text/x-diff', $2, $3, false, $4)`,
    [id, stored.sizeBytes, stored.sha256, blobKey],
  );
  return { id, blobKey };
}

async function left({ id, blobKey }: { id: string; blobKey: string }) {
  const { rows } = await database.pool.query(
    `select log_removed_at is null as log, artifacts_removed_at is null as artifacts,
       (select count(*)::int from log where log.id = job.id) as logs, (select count(*)::int from artifact where job_id = job.id) as artifact_rows
     from job where id = $1`,
    [id],
  );
  const [row] = rows;
  const logBlobs: string[] = [];
  for await (const key of blobs.list(`logs/${id}/`)) logBlobs.push(key);
  const said = { log: row.log, artifacts: row.artifacts };
  const there = {
    log: row.logs > 0 && (await logs.read(id, { limit: 10 })).lines.length > 0,
    artifacts: row.artifact_rows > 0 && (await blobs.get(blobKey)) !== null,
  };
  expect(there, 'what is said is what is there').toEqual(said);
  if (!said.log) expect(logBlobs).toEqual([]);
  if (!said.artifacts) expect(await blobs.get(blobKey)).toBeNull();
  return said;
}

it('without a limit everything stays; with days what ended before goes, in the table and in the store', async () => {
  const old = await job(11);
  const packed = await job(20, { compact: true });
  const young = await job(9);
  const running = await job(null);
  await retention()(never);
  expect(await left(old)).toEqual({ log: true, artifacts: true });

  plan = { ...FOREVER, keepLogDays: 10 };
  await retention()(never);
  for (const gone of [old, packed]) expect(await left(gone)).toEqual({ log: false, artifacts: true });
  plan = { ...FOREVER, keepArtifactDays: 10 };
  await retention()(never);
  for (const gone of [old, packed]) expect(await left(gone)).toEqual({ log: false, artifacts: false });
  for (const kept of [young, running]) expect(await left(kept)).toEqual({ log: true, artifacts: true });
});

it('with a number of bytes the oldest go until the rest fits; a job that runs is never touched', async () => {
  plan = { ...FOREVER, keepBytes: 350 };
  const running = await job(null, { logBytes: 1000 });
  const jobs = [];
  for (const days of [1, 2, 3, 4]) jobs.push(await job(days, { logBytes: 100, artifactBytes: 50 }));
  await retention()(never);
  const [first, second, third, fourth] = await Promise.all(jobs.map(left));
  expect([first, second]).toEqual([
    { log: true, artifacts: true },
    { log: true, artifacts: true },
  ]);
  expect([third, fourth]).toEqual([
    { log: false, artifacts: false },
    { log: false, artifacts: false },
  ]);
  expect(await left(running)).toEqual({ log: true, artifacts: true });
});

it('a log that has not ended stays, though its job has', async () => {
  plan = { ...FOREVER, keepLogDays: 1, keepBytes: 0 };
  const { id, blobKey } = await job(5);
  await database.pool.query('update log set ended_at = null where id = $1', [id]);
  await retention()(never);
  expect(await left({ id, blobKey })).toEqual({ log: true, artifacts: false });
});

it('killed between two steps, nothing is promised that is gone, and the next turns finish', async () => {
  plan = { ...FOREVER, keepLogDays: 1, keepArtifactDays: 1 };
  const one = await job(5, { compact: true });
  dies = 'logs';
  await retention()(never);
  const marked = await database.pool.query('select log_removed_at from job where id = $1', [one.id]);
  expect(marked.rows[0]?.log_removed_at).not.toBeNull();
  dies = 'blobs';
  await retention()(never);
  expect((await database.pool.query('select 1 from artifact')).rowCount).toBe(0);
  expect(await blobs.get(one.blobKey)).not.toBeNull();
  dies = null;
  await retention()(never);
  expect((await database.pool.query('select 1 from log')).rowCount).toBe(0);
  // Too young for the sweep: the row of such a blob may not be written yet.
  expect(await sweep(blobs)).toBe(0);
  const sleeping: Blobs = { ...blobs, list: (prefix) => blobs.list(prefix) };
  const kept = await job(0, { compact: true });
  await blobs.put('elsewhere/1', Readable.from(['z']), { maxBytes: 10 });
  expect(await sweep(sleeping)).toBe(1);
  expect(await left(one)).toEqual({ log: false, artifacts: false });
  expect(await left(kept)).toEqual({ log: true, artifacts: true });
  expect(await blobs.get('elsewhere/1')).not.toBeNull();
});

it('while a backup is made nothing goes; two servers at once remove each thing once', async () => {
  plan = { ...FOREVER, keepLogDays: 1, keepArtifactDays: 1 };
  const jobs = [await job(5), await job(6), await job(7)];
  const snapshot = await openSnapshot({ connectionString: database.url });
  await expect(openSnapshot({ connectionString: database.url })).rejects.toMatchObject({
    code: 'backup_running',
  });
  await retention()(never);
  for (const kept of jobs) expect(await left(kept)).toEqual({ log: true, artifacts: true });
  await snapshot.close();
  await Promise.all([retention()(never), retention()(never)]);
  for (const gone of jobs) expect(await left(gone)).toEqual({ log: false, artifacts: false });
});

it('a download in hand when its log goes breaks off instead of ending as if it were whole', async () => {
  const { id } = await job(5);
  await database.pool.query('update log set ended_at = null where id = $1', [id]);
  const lines = Array.from({ length: 50 }, () => ({
    at: new Date().toISOString(),
    stream: 'stdout' as const,
    text: 'z'.repeat(60_000),
  }));
  for (let seq = 2; seq < 12; seq += 1)
    await logs.append(id, '1', { seq, lines: lines.slice(0, 10) }, { maxBytes: 1e9 });
  const download = logs.download(id, 'text');
  const reading = download[Symbol.asyncIterator]();
  await reading.next();
  await logs.remove(id);
  await expect(
    (async () => {
      for (;;) if ((await reading.next()).done) return 'whole';
    })(),
  ).rejects.toMatchObject({ code: 'log_removed' });
  expect(await text(logs.download(id, 'text'))).toBe('');
});
