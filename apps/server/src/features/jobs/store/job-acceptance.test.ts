import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { newId } from '../../../platform/secrets/index.ts';
import { createAcceptance, type Submission } from './job-acceptance.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let accept: ReturnType<typeof createAcceptance>;
let announced: string[];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from job');
  announced = [];
  accept = createAcceptance(database, async (_tx, said) => {
    for (const { correlationId, message } of said)
      if (correlationId !== null && message.type === 'DEVOPS_STARTED') announced.push(correlationId);
  });
});

function submission(row: Partial<Submission['row']> = {}, waitingLimit = 1000): Submission {
  return {
    row: {
      id: newId('j'),
      userId: 'u_1',
      userName: 'Ada',
      title: 'Title',
      agent: 'shell',
      profile: 'local',
      driver: 'local',
      repoName: 'a/b',
      timeoutSeconds: 60,
      requestHash: 'x',
      reason: 'Waiting',
      resources: { cpus: 2 },
      ...row,
    },
    order: { spec: '# Title "quoted" \\ and ünïcode 🙂\n', envSealed: 'sealed', envNames: ['A'] },
    waitingLimit,
  };
}

const count = async () => (await database.pool.query('select count(*)::int as n from job')).rows[0].n;

it('stores the row that it answers with, and says so', async () => {
  const { order } = submission();
  const { row, place } = await accept(submission());
  expect(place).toEqual({ position: 1, running: 0 });
  const { rows } = await database.pool.query('select to_jsonb(j) as job from job j');
  expect(rows[0].job).toMatchObject({
    id: row.id,
    state: row.state,
    attempt: row.attempt,
    claim: row.claim,
    resources: row.resources,
    phases: row.phases,
    wake_at: null,
  });
  expect(new Date(rows[0].job.created_at)).toEqual(row.createdAt);
  const orders = await database.pool.query('select * from job_order where job_id = $1', [row.id]);
  expect(orders.rows).toEqual([{ job_id: row.id, spec: order.spec, env_sealed: 'sealed', env_names: ['A'] }]);
  expect(announced).toEqual([row.id]);
  const events = await database.pool.query('select n, state from job_event where job_id = $1', [row.id]);
  expect(events.rows).toEqual([{ n: 1, state: 'queued' }]);
});

it('gives many at once a place each, in order', async () => {
  const all = await Promise.all(Array.from({ length: 250 }, () => accept(submission())));
  expect(all.map(({ place }) => place?.position)).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
  expect(await count()).toBe(250);
});

it('is queued by the clock of the database, in the order in which jobs came', async () => {
  vi.useFakeTimers({ now: new Date('2020-01-01T00:00:00Z'), toFake: ['Date'] });
  try {
    const all = await Promise.all(Array.from({ length: 30 }, () => accept(submission())));
    const { rows } = await database.pool.query(
      `select id, created_at, state_since, phases, abs(extract(epoch from now() - created_at)) < 60 as is_now from job order by created_at, id`,
    );
    expect(rows.map((row) => row.id)).toEqual(all.map(({ row }) => row.id));
    expect(rows.every((row) => row.is_now)).toBe(true);
    expect(rows.every((row) => row.phases[0].startedAt === row.created_at.toISOString())).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

it('a key makes one job, in one round and in many', async () => {
  const first = await Promise.all(Array.from({ length: 20 }, () => accept(submission({ idempotencyKey: 'k' }))));
  const again = await accept(submission({ idempotencyKey: 'k' }));
  expect(new Set([...first, again].map(({ row }) => row.id)).size).toBe(1);
  expect(first.filter(({ place }) => place !== null)).toHaveLength(1);
  expect(await count()).toBe(1);
  await expect(accept(submission({ idempotencyKey: 'k', requestHash: 'other' }))).rejects.toMatchObject({
    code: 'idempotency_conflict',
  });
  const other = await accept(submission({ idempotencyKey: 'k', userId: 'u_2' }));
  expect(other.place).not.toBeNull();
});

it('no more wait than the plan allows; a known key still gets its answer', async () => {
  const limit = 5;
  const answers = await Promise.allSettled(
    Array.from({ length: 12 }, (_, n) => accept(submission({ idempotencyKey: `k${n}` }, limit))),
  );
  expect(answers.map(({ status }) => status === 'fulfilled')).toEqual(Array.from({ length: 12 }, (_, n) => n < limit));
  await expect(accept(submission({}, limit))).rejects.toMatchObject({
    code: 'quota_jobs',
    details: { waiting: 5, limit },
  });
  expect((await accept(submission({ idempotencyKey: 'k3' }, limit))).place).toBeNull();
});

it('what cannot be stored is refused alone', async () => {
  const answers = await Promise.allSettled([
    accept(submission({ title: 'good' })),
    accept(submission({ title: 'bad \0' })),
    accept(submission({ title: 'good too' })),
  ]);
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await count()).toBe(2);
});

it('lets no more wait than the plan allows, whichever of several servers they are sent to', async () => {
  const servers = Array.from({ length: 3 }, () => createAcceptance(database, async () => undefined));
  for (let turn = 0; turn < 5; turn += 1) {
    await database.pool.query('delete from job');
    const sent = servers.flatMap((server) => Array.from({ length: 8 }, () => server(submission({}, 10))));
    const results = await Promise.allSettled(sent);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(await count()).toBe(10);
    const places = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.place?.position] : []));
    expect(new Set(places).size).toBe(10);
  }
});

it('large ones that come together are written in several rounds: no statement grows with what people send', async () => {
  const transactions = vi.spyOn(database.db, 'transaction');
  const spec = `# Large\n${'\u0001'.repeat(1024 * 1024 - 8)}`;
  const large = () => ({ ...submission(), order: { ...submission().order, spec } });
  const accepted = await Promise.all(Array.from({ length: 12 }, () => accept(large())));
  expect(accepted.every(({ place }) => place !== null)).toBe(true);
  expect(transactions.mock.calls.length).toBeGreaterThanOrEqual(3);
  transactions.mockRestore();
});

it('was made when it came, by the clock of the database, and after what its person sent before', async () => {
  const now = async () =>
    (await database.pool.query<{ now: Date }>('select clock_timestamp() as now')).rows[0]?.now ?? 0;
  const begun = await now();
  const first = await accept(submission());
  const ended = await now();
  expect(Number(first.row.createdAt)).toBeGreaterThanOrEqual(Number(begun));
  expect(Number(first.row.createdAt)).toBeLessThanOrEqual(Number(ended) + 1);
  // One that stands in the future, as after a clock was set back, is followed for a second at most.
  await database.pool.query(`update job set created_at = clock_timestamp() + interval '500 ms'`);
  const { rows } = await database.pool.query<{ at: Date }>('select created_at as at from job');
  const second = await accept(submission());
  expect(Number(second.row.createdAt)).toBeGreaterThan(Number(rows[0]?.at) - 1);
  const other = await accept(submission({ userId: 'u_2' }));
  expect(Number(other.row.createdAt)).toBeLessThanOrEqual(Number(await now()) + 1);
});
