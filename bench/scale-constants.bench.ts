// The constants of docs/scale.md: what a heartbeat, a batch of a log, a report and a look at a job cost PostgreSQL and the server, by the
// server's own code on a database of its own; and how a look and a pass of admission grow with the jobs at work. No bar: the sums are there.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { openBlobsOnDisk } from '../apps/server/src/adapters/blob-disk/index.ts';
import { createJobsStore, PATIENCE } from '../apps/server/src/features/jobs/index.ts';
import { readPostmaster } from '../apps/server/src/platform/database/embedded/postmaster.ts';
import { openDatabase } from '../apps/server/src/platform/database/index.ts';
import { createLogs } from '../apps/server/src/platform/logs/index.ts';
import { createAdmit } from '../apps/server/src/platform/places/admission.ts';
import { createReconciler } from '../apps/server/src/platform/reconcile/reconciler.ts';
import { ROOT } from '../tests/e2e/server-process.ts';
import { median, timed } from './measure.ts';

/** Each thing is done so often in a round, one after the other, and the median of the rounds counts. */
const ROUND = 20;
const ROUNDS = 5;
const SIZES = [100, 1_000, 10_000];
const LINES_A_BATCH = 5;

const dir = mkdtempSync(join(tmpdir(), 'hangar-scale-'));
const log = pino({ level: 'silent' });
const database = await openDatabase({ dataDir: join(dir, 'data'), log });
try {
  const postmaster = (await readPostmaster(join(dir, 'data/postgres')))?.pid ?? 0;
  const store = createJobsStore(database, { patience: PATIENCE, publish: async () => undefined });
  const logs = createLogs({ database, blobs: await openBlobsOnDisk(join(dir, 'blobs')), log });

  const number = async (text: string): Promise<number> =>
    Number((await database.pool.query({ text, rowMode: 'array' })).rows[0]?.[0]);
  const written = () => number(`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')`);

  /** For each time that it is done: milliseconds until it is, milliseconds of processor time, bytes of WAL. */
  async function costOf(once: (n: number) => Promise<unknown>) {
    const [here, there, wal, wall]: [number[], number[], number[], number[]] = [[], [], [], []];
    for (let round = -1; round < ROUNDS; round++) {
      const before = [process.cpuUsage(), databaseMs(postmaster), await written()] as const;
      const ms = await timed(async () => {
        for (let n = 0; n < ROUND; n++) await once((round + 1) * ROUND + n);
      });
      const used = process.cpuUsage(before[0]);
      if (round < 0) continue;
      wall.push(ms / ROUND);
      here.push((used.user + used.system) / 1000 / ROUND);
      there.push((databaseMs(postmaster) - before[1]) / ROUND);
      wal.push(((await written()) - before[2]) / ROUND);
    }
    return { ms: median(wall), serverMs: median(here), databaseMs: median(there), walBytes: median(wal) };
  }

  const batch = (seq: number) => ({
    seq,
    lines: Array.from({ length: LINES_A_BATCH }, (_, n) => ({
      ...{ at: new Date().toISOString(), stream: 'stdout' as const },
      text: `line ${seq * LINES_A_BATCH + n}: reads the notes, changes the parser, and runs its tests again`,
    })),
  });

  await seed(0, SIZES[0] ?? 0);
  const some = (n: number) => idOf(1 + (n % 100));
  const heartbeat = await costOf((n) => store.heard(some(n), 1));
  const report = await costOf(async (n) => {
    await store.byId(some(n));
    await store.advance(some(n), (_row, now) => ({ heardAt: now, usage: usageAt(n) }));
  });
  const made = new Map<string, number>();
  const chunk = await costOf(async (n) => {
    const seq = (made.get(some(n)) ?? 0) + 1;
    made.set(some(n), seq);
    await logs.append(some(n), '1', batch(seq), { maxBytes: 2 ** 30 });
  });
  const growth: Record<string, number>[] = [];
  let there = SIZES[0] ?? 0;
  for (const size of SIZES) {
    if (size > there) await seed(there, size);
    there = size;
    await database.pool.query('analyze job');
    growth.push({ jobs: size, ...(await looks()), ...(await admission()) });
  }
  const chunkBytes = await number(`select pg_total_relation_size('log_chunk')::float8 / count(*) from log_chunk`);
  const jobBytes = await number('select avg(pg_column_size(job.*)) from job');
  await logs.close();

  const result = {
    machine: `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 1024 ** 3)} GiB, Node ${process.versions.node}`,
    command: 'node bench/scale-constants.bench.ts',
    ...{ linesABatch: LINES_A_BATCH, heartbeat, report, chunk, chunkBytes, jobBytes, growth },
  };
  const results = join(ROOT, 'bench/results');
  mkdirSync(results, { recursive: true });
  const text = JSON.stringify(
    result,
    (_, value) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value),
    2,
  );
  writeFileSync(join(results, `${new Date().toISOString().slice(0, 10)}-scale.json`), `${text}\n`);
  console.log(text);

  /** Looks of the reconciler at jobs whose worker was heard a moment ago, as it takes them by itself. */
  async function looks() {
    const due = ROUND * 2;
    await database.pool.query('update job set heard_at = now()');
    const all = Promise.withResolvers<void>();
    let done = 0;
    const reconciler = createReconciler({
      ...{ database, table: 'job', concurrency: 32, log },
      async handle({ id, claim }) {
        const { decision } = await store.advance(id, () => ({}), { claim });
        done += 1;
        if (done === due) all.resolve();
        return decision.wakeMs;
      },
    });
    await database.pool.query('update job set wake_at = now() where id = any($1)', [
      Array.from({ length: due }, (_, n) => idOf(n + 1)),
    ]);
    const before = [process.cpuUsage(), databaseMs(postmaster), await written()] as const;
    await reconciler.start();
    await all.promise;
    await reconciler.stop();
    const used = process.cpuUsage(before[0]);
    return {
      lookServerMs: (used.user + used.system) / 1000 / due,
      lookDatabaseMs: (databaseMs(postmaster) - before[1]) / due,
      lookWalBytes: ((await written()) - before[2]) / due,
    };
  }

  async function admission() {
    const admit = createAdmit(database, store.reconciled.noun.table);
    const pass = () => admit(async () => ({ ofUser: () => 0, ofProfile: () => 0 }), Number.MAX_SAFE_INTEGER);
    await pass();
    const ms: number[] = [];
    for (let n = 0; n < ROUNDS; n++) ms.push(await timed(pass));
    return { admissionMs: median(ms) };
  }

  /** Jobs whose worker has just begun. */
  async function seed(after: number, upTo: number): Promise<void> {
    await database.pool.query(
      `insert into job (id, user_id, user_name, title, agent, profile, driver, repo_name, timeout_seconds, request_hash, reason,
         state, admitted_at, launched_at, claimed_at, heard_at, worker_id, started_at, reported_phase, wake_at, activity_id, phases)
       select 'j_' || lpad(n::text, 16, '0'), 'u_' || n % 500, 'Ada', 'Job ' || n,
         'shell', 'pods', 'kubernetes', 'team/repo-' || n % 50, 86400, 'x', 'The agent works', 'running', now(), now(), now(), now(),
         'w-' || n, now(), 'running', now() + interval '1 hour', 'a_' || lpad(n::text, 16, '0'),
         jsonb_build_array(jsonb_build_object('name', 'running', 'startedAt', now(), 'endedAt', null, 'reason', 'The agent works'))
       from generate_series($1::int + 1, $2::int) n`,
      [after, upTo],
    );
  }
} finally {
  await database.close();
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}

function idOf(n: number): string {
  return `j_${String(n).padStart(16, '0')}`;
}

function usageAt(n: number) {
  const tokens = { inputTokens: 9_000 * n, cachedInputTokens: 8_000 * n, outputTokens: 400 * n };
  return { ...tokens, costUsd: 0.02 * n, model: 'a-model-of-some-name', turns: n };
}

/** Time on a processor of all processes of PostgreSQL that live. */
function databaseMs(postmaster: number): number {
  let ns = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (parent !== postmaster) continue;
      ns += Number(readFileSync(`/proc/${name}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // It has just ended.
    }
  }
  return ns / 1e6;
}
