// P4: jobs accepted a second by one server process, beside bare insert transactions on the same database with as many connections;
// with 100, 1,000 and 10,000 jobs that wait; and nothing lost or doubled when the server is killed in the middle.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '@hangar/contract';
import pg from 'pg';
import { makeRepo, ServerProcess } from '../tests/e2e/server-process.ts';
import { jobClient } from './job-client.ts';
import { type LoadResult, perSecond, runLoad } from './load.ts';
import { cpuSeconds, type Growth, median, quantile, record } from './measure.ts';

const CONNECTIONS = 32;
const ROUNDS = 5;
const SECONDS = 4;
const SIZES = [100, 1_000, 10_000];

const spec = `# Bring the parser up to date\n\n${'Read the notes, change the parser so that it takes the new grammar, and keep its tests green.\n'.repeat(8)}\n\`\`\`sh\nnpm ci\nnpm test\n\`\`\`\n`;
const body = JSON.stringify({
  spec,
  repo: { url: 'https://git.example.org/team/parser.git', ref: 'main' },
  env: { CI: '1', NPM_TOKEN: 'npm_0123456789abcdefghijklmnopqrstuvwxyz' },
  resources: { cpus: 2 },
  timeoutSeconds: 1800,
});

// One place that is taken: what is measured is accepting, not running.
const server = await (
  await ServerProcess.make({
    HANGAR_JOBS_AT_ONCE: '1',
    ...(process.env.HANGAR_DATABASE_URL ? { HANGAR_DATABASE_URL: process.env.HANGAR_DATABASE_URL } : {}),
  })
).start();
const database: pg.ClientConfig = process.env.HANGAR_DATABASE_URL
  ? { connectionString: process.env.HANGAR_DATABASE_URL }
  : { host: join(server.dir, 'data/postgres'), user: 'hangar', database: 'postgres' };
const db = new pg.Client(database);
try {
  const client = await jobClient(server);
  const { items } = await client.call<{ items: { id: string }[] }>('GET', '/plans');
  for (const plan of items) {
    const { id, ...rest } = plan;
    await client.call('PUT', `/plans/${id}`, { ...rest, jobsWaiting: 100_000 });
  }
  const repo = await makeRepo(join(server.dir, 'repo'));
  const long = await client.call<Job>(
    'POST',
    '/jobs',
    await client.fromCheckout(repo, '# Long\n\n```sh\nsleep 3000\n```\n'),
  );
  while ((await client.call<Job>('GET', `/jobs/${long.id}`)).state !== 'running') await sleep(100);
  await db.connect();
  await db.query('create table if not exists bench_floor (id text primary key, body text not null)');

  const waiting = async () =>
    Number(
      (await db.query('select count(*) from job where admitted_at is null and finished_at is null')).rows[0].count,
    );
  const target = { host: '127.0.0.1', port: server.port, headers: { authorization: `Bearer ${client.key}` }, body };
  let runs = 0;
  const submit = (seconds: number, atMost?: number): Promise<LoadResult> =>
    runLoad({
      kind: 'submit',
      ...target,
      connections: CONNECTIONS,
      seconds,
      keyPrefix: `r${runs++}`,
      keepIds: false,
      ...(atMost === undefined ? {} : { atMost }),
    });
  const floor = (transaction: boolean): Promise<LoadResult> =>
    runLoad({
      kind: 'insert',
      transaction,
      database,
      table: 'bench_floor',
      body,
      connections: CONNECTIONS,
      seconds: SECONDS,
      keyPrefix: `f${Date.now()}`,
    });
  const clear = () => db.query('delete from job where admitted_at is null');

  await submit(2);
  const rate: number[] = [];
  const bare: number[] = [];
  const single: number[] = [];
  const cores: number[] = [];
  const slow: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(perSecond(await floor(true)));
    single.push(perSecond(await floor(false)));
    await clear();
    const before = cpuSeconds(server.pid);
    const result = await submit(SECONDS);
    rate.push(perSecond(result));
    cores.push((cpuSeconds(server.pid) - before) / result.seconds);
    slow.push(quantile(result.ms, 0.99));
  }

  const sizes: { size: string; value: number }[] = [];
  for (const size of SIZES) {
    await clear();
    for (let n = await waiting(); n < size; n = await waiting()) await submit(600, size - n);
    const begun = performance.now();
    const batch = Math.max(100, Math.min(1000, size));
    await submit(600, batch);
    sizes.push({ size: `${size} waiting`, value: (batch * 1000) / (performance.now() - begun) });
  }
  const growth: Growth[] = [{ of: 'accepted', unit: '/s', sizes }];

  await clear();
  const crash = runLoad({
    kind: 'submit',
    ...target,
    connections: CONNECTIONS,
    seconds: 60,
    atMost: 4000,
    keyPrefix: 'crash',
    keepIds: true,
  });
  for (let kill = 0; kill < 3; kill++) {
    await sleep(1_000);
    await server.kill('SIGKILL');
    await server.start();
  }
  const { ids, retries } = await crash;
  const stored = (await db.query(`select idempotency_key as key, id from job where idempotency_key like 'crash-%'`))
    .rows;
  const answered = new Map(ids);
  const wrong = stored.filter(({ key, id }) => answered.get(key) !== id).length;
  const whole = stored.length === answered.size && wrong === 0;

  const ratio = median(rate) / median(bare);
  record({
    id: 'P4',
    what: `jobs accepted a second, one server process, ${CONNECTIONS} clients`,
    bar: '≥ 0.4 × bare insert transactions, ≥ 500/s; none lost or doubled across kill -9',
    met: ratio >= 0.4 && median(rate) >= 500 && whole,
    result: `${ratio.toFixed(2)} × (${(median(rate) / median(single)).toFixed(2)} × single insert statements), ${median(rate).toFixed(0)}/s; ${answered.size} acknowledged across 3 kills with ${retries} retries: ${stored.length} stored, ${wrong} wrong`,
    series: [
      { label: 'begin, insert, commit', unit: '/s', values: bare },
      { label: 'insert statement', unit: '/s', values: single },
      { label: 'POST /jobs', unit: '/s', values: rate },
      { label: 'POST /jobs, p99', ms: slow },
      { label: 'server', unit: 'cores', values: cores },
    ],
    growth,
    command: 'node bench/p4-accept.bench.ts',
  });
} finally {
  await db.end().catch(() => undefined);
  await server.remove();
}
