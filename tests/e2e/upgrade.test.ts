import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Job, JobDetail } from '@hangar/contract';
import { execa } from 'execa';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readArchive } from '../../apps/server/src/backup/archive-reader.ts';
import { knownMigrations } from '../../apps/server/src/platform/database/migrate.ts';
import { createTestDatabase } from '../../apps/server/src/platform/database/testing/index.ts';
import { ROOT, ServerProcess } from './server-process.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures/schema-0000');
const ARCHIVE = join(FIXTURES, 'backup.tgz');
interface Expected {
  readonly apiKey: string;
  readonly masterKey: string;
  readonly jobs: readonly { id: string; state: string; title: string; logSha256: string; diffSha256: string | null }[];
}
const expected = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as Expected;
const ENDED = ['succeeded', 'failed', 'timed out', 'cancelled', 'lost', 'hot'];

/** Migrations of the last release. */
const RELEASED = 5;

/** What the fixture says that its jobs are to do. */
const specs = new Map<string, string>();

/**
 * A database as the schema of 0000 left it, with the rows of the fixture, and its files as they lay in the blob store; brought on as
 * far as `migrations` of all that there are.
 */
async function openFixture(url: string, blobDir: string, migrations = 1): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const sql = readFileSync(join(ROOT, 'apps/server/migrations/0000_initial.sql'), 'utf8');
    for (const statement of sql.split('--> statement-breakpoint')) await client.query(statement);
    await client.query('create schema drizzle');
    await client.query(
      'create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)',
    );
    await readArchive(
      ARCHIVE,
      {
        async head({ migrations: [first, ...more] }) {
          expect(more).toEqual([]);
          await client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [
            first?.hash,
            first?.createdAt,
          ]);
        },
        async rows(table, rows) {
          if (table === 'job')
            for (const row of rows) {
              const { id, spec } = JSON.parse(row) as { id: string; spec: string };
              specs.set(id, spec);
            }
          await client.query(
            `insert into ${table} select * from json_populate_recordset(null::public.${table}, $1::json)`,
            [`[${rows.join(',')}]`],
          );
        },
        async blob(key, body) {
          mkdirSync(dirname(join(blobDir, key)), { recursive: true });
          writeFileSync(join(blobDir, key), await buffer(body));
        },
      },
      AbortSignal.timeout(30_000),
    );
    // The built-in counter of the activity goes on after its rows.
    await client.query(`select setval('activity_message_n_seq', (select max(n) from activity_message))`);
    for (const { hash, createdAt, statements } of knownMigrations().slice(1, migrations)) {
      for (const statement of statements) await client.query(statement);
      await client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [
        hash,
        createdAt,
      ]);
    }
  } finally {
    await client.end();
  }
}

describe('the data of the release before', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  let server: ServerProcess;
  let url: string;
  beforeEach(async () => {
    database = await createTestDatabase();
    await database.pool.query('create database upgraded');
    url = database.url.replace(/\/[^/]+$/, '/upgraded');
    server = await ServerProcess.make({ HANGAR_DATABASE_URL: url });
    mkdirSync(join(server.dir, 'keys'));
    writeFileSync(join(server.dir, 'keys/master.key'), expected.masterKey, { mode: 0o600 });
  });
  afterEach(async () => {
    await server.remove();
    await database.pool.query('drop database upgraded with (force)');
    await database.drop();
  });

  const call = async (path: string) => {
    const answer = await fetch(`${server.url}/api${path}`, {
      headers: { authorization: `Bearer ${expected.apiKey}` },
      signal: AbortSignal.timeout(20_000),
    });
    expect(answer.status, `${path}\n${server.output.slice(-1_000)}`).toBe(200);
    return answer;
  };
  const sha256 = async (path: string) =>
    createHash('sha256')
      .update(Buffer.from(await (await call(path)).arrayBuffer()))
      .digest('hex');

  /** Every job is shown, what had ended reads as it did, what waited runs with its secrets, what ran is not run again. */
  async function nothingIsLost(): Promise<void> {
    const { items } = (await (await call('/jobs?limit=100')).json()) as { items: Job[] };
    expect(items.map(({ id }) => id).sort()).toEqual(expected.jobs.map(({ id }) => id).sort());
    for (const job of expected.jobs.filter(({ title }) => ENDED.includes(title))) {
      const { state, spec } = (await (await call(`/jobs/${job.id}`)).json()) as JobDetail;
      expect(state, job.title).toBe(job.state);
      if (specs.size > 0) expect(spec, job.title).toBe(specs.get(job.id));
      expect(await sha256(`/jobs/${job.id}/logs?format=text`), job.title).toBe(job.logSha256);
      if (job.diffSha256 !== null)
        expect(await sha256(`/jobs/${job.id}/artifacts/diff`), job.title).toBe(job.diffSha256);
    }
    const jobOf = async (title: string) => {
      const id = expected.jobs.find((job) => job.title === title)?.id ?? '';
      return (await (await call(`/jobs/${id}`)).json()) as JobDetail;
    };
    // Its worker is long gone; once its timeout is over too, that is what is said.
    for (const title of ['running', 'running too'])
      await expect
        .poll(async () => (await jobOf(title)).state, { timeout: 60_000, interval: 500 })
        .toMatch(/^(lost|timed_out)$/);
    await expect
      .poll(async () => (await jobOf('queued')).state, { timeout: 60_000, interval: 500 })
      .toMatch(/^(succeeded|failed)$/);
    const queued = await jobOf('queued');
    expect(queued.state).toBe('succeeded');
    expect(await (await call(`/jobs/${queued.id}/logs?format=text`)).text()).toContain('the secret is there');
    const { items: credentials } = (await (await call('/credentials')).json()) as { items: { name: string }[] };
    expect(credentials.map(({ name }) => name)).toEqual(['host']);
    const { items: plans } = (await (await call('/plans')).json()) as { items: { id: string; keepLogDays: unknown }[] };
    expect(plans.map(({ id, keepLogDays }) => [id, keepLogDays])).toEqual([
      ['small', null],
      ['standard', null],
    ]);
  }

  it('is opened where it lies, migrated, and nothing is lost', async () => {
    await openFixture(url, join(server.dir, 'data/blobs'));
    await server.start();
    await nothingIsLost();
  }, 120_000);

  it('is opened as the last release left it: specs, environments, profiles and minutes are where they belong', async () => {
    await openFixture(url, join(server.dir, 'data/blobs'), RELEASED);
    await server.start();
    await nothingIsLost();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      const { rows } = await client.query(
        `select (select count(*)::int from job) as jobs, (select count(*)::int from job_order where spec <> '') as orders,
           (select count(*)::int from profile p join profile_revision r on r.profile = p.name and r.revision = p.revision and r.settings = p.settings) as profiles,
           (select sum(ms)::float8 from minutes_used) as kept,
           (select sum(extract(epoch from greatest(finished_at - greatest(started_at, date_trunc('month', finished_at at time zone 'utc') at time zone 'utc'), interval '0')) * 1000)::float8
              from job where started_at is not null and finished_at is not null) as counted,
           (select count(*)::int from profile) as all_profiles`,
      );
      const [row] = rows;
      expect(row.orders).toBe(row.jobs);
      expect(row.profiles).toBe(row.all_profiles);
      expect(Math.abs(row.kept - row.counted)).toBeLessThan(100);
    } finally {
      await client.end();
    }
  }, 120_000);

  it('comes from a backup made by that release', async () => {
    const { PATH = '' } = process.env;
    const file = join(server.dir, 'backup.tgz');
    cpSync(ARCHIVE, file);
    await execa(process.execPath, [join(ROOT, 'apps/server/dist/main.mjs'), 'restore', file], {
      env: { PATH, ...server.env },
      extendEnv: false,
    });
    await server.start();
    await nothingIsLost();
  }, 120_000);

  it('a database of a newer release is refused in words, and stays as it is', async () => {
    await openFixture(url, join(server.dir, 'data/blobs'));
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(
        `insert into drizzle.__drizzle_migrations (hash, created_at) values ('of a release to come', 9e15::bigint)`,
      );
      const { PATH = '' } = process.env;
      const refused = await execa(process.execPath, [join(ROOT, 'apps/server/dist/main.mjs'), 'start'], {
        ...{ env: { PATH, ...server.env }, extendEnv: false, reject: false, timeout: 30_000 },
      });
      expect(refused.exitCode).toBe(4);
      expect(refused.stderr).toContain('written by a newer Hangar');
      const { rows } = await client.query(
        `select count(*)::int as n from information_schema.columns where table_name = 'plan' and column_name like 'keep%'`,
      );
      expect(rows[0]?.n).toBe(0);
    } finally {
      await client.end();
    }
  }, 60_000);
});
