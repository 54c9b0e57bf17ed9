import { setTimeout as sleep } from 'node:timers/promises';
import { type Finish, HangarError, type NewJob, type Plan } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { newId } from '../../platform/secrets/index.ts';
import { PATIENCE } from './job-facts.ts';
import { createJobWorker } from './job-worker.ts';
import { createJobs } from './jobs.ts';
import { createJobsReconciler } from './jobs-reconciler.ts';
import { createJobsStore } from './jobs-store.ts';
import type { Launcher, LaunchRequest, UnitKey, UnitState } from './launcher.ts';

const plan: Plan = {
  id: 'test',
  title: 'Test',
  jobsAtOnce: 2,
  jobsWaiting: 5,
  minutesPerMonth: 100,
  maxTimeoutSeconds: 600,
  maxArtifactBytes: 1e6,
  maxLogBytes: 1e6,
  keepLogDays: 30,
  keepArtifactDays: null,
  keepBytes: null,
};
const ada = { userId: 'u_ada', userName: 'Ada', role: 'member' as const };
const bob = { userId: 'u_bob', userName: 'Bob', role: 'member' as const };
const request: NewJob = {
  spec: '# Try\n\n```sh\ntrue\n```\n',
  repo: { url: 'https://example.org/a/b.git' },
  env: {},
  resources: {},
};
const finish: Finish = {
  outcome: 'succeeded',
  exitCode: 0,
  signal: null,
  failure: null,
  reason: 'Done',
  diff: null,
  at: new Date().toISOString(),
  lastLogSeq: 0,
};

/** A backend in memory that starts nothing: units are what the test says they are. */
class Backend implements Launcher {
  units = new Map<string, UnitState>();
  launches: string[] = [];
  removed: string[] = [];
  asked = 0;
  fail: HangarError | null = null;
  /** What a launch says, and that it then hangs until it is told to stop. */
  pulling: string[] = [];
  /** What cannot be written to a log. */
  unsayable: string | null = null;
  async launch(unit: LaunchRequest, o: { signal: AbortSignal; say: (reason: string) => void }): Promise<void> {
    if (this.fail) throw this.fail;
    for (const words of this.pulling) o.say(words);
    if (this.pulling.length > 0) await sleep(60_000, undefined, { signal: o.signal });
    this.launches.push(unit.jobId);
    if (!this.units.has(unit.jobId)) this.units.set(unit.jobId, { kind: 'running' });
  }
  inspect = async ({ jobId }: UnitKey): Promise<UnitState> => {
    this.answers();
    return this.units.get(jobId) ?? { kind: 'missing' };
  };
  cancel = async ({ jobId }: UnitKey): Promise<void> => {
    this.answers();
    this.units.set(jobId, { kind: 'exited', exitCode: 137, outOfMemory: false, reason: 'killed' });
  };
  answers(): void {
    this.asked += 1;
    if (this.fail) throw this.fail;
  }
  remove = async ({ jobId }: UnitKey): Promise<void> => {
    this.answers();
    this.units.delete(jobId);
    this.removed.push(jobId);
  };
  sweep = async () => ({ removed: [], kept: 0 });
  test = async () => [];
}

/** Settings of the profile: which it has now, where its second are led to, and whether its driver has gone. */
interface Settings {
  now?: number;
  second?: Backend;
  isGone?: boolean;
}

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

function build(
  backend: Backend,
  o: {
    jobsAtOnce?: number;
    onProfiles?: Record<string, number>;
    allowLocalRepos?: boolean;
    held?: boolean;
    settings?: Settings;
    endLog?: () => void;
  } = {},
) {
  const store = createJobsStore(database, {
    patience: { ...PATIENCE, silenceMs: 300, claimMs: 2_000, cancelMs: 300 },
    onMove: async () => undefined,
  });
  const said: string[] = [];
  const holds = async (ids: readonly string[]) =>
    new Map(o.held ? ids.map((id) => [id, 'Held in this test'] as const) : []);
  const jobs = createJobs({
    store,
    newId: () => newId('j'),
    newActivityId: () => newId('a'),
    planOf: async () => plan,
    profile: async (name) => ({ name: name ?? 'local', driver: 'local' }),
    allowLocalRepos: o.allowLocalRepos ?? false,
    hasCredential: async () => false,
    seal: (_id, plain) => `sealed:${Buffer.from(plain).toString('hex')}`,
    open: (_id, sealed) => Buffer.from(sealed.slice(7), 'hex').toString(),
    logLines: async () => new Map(),
    lastLines: async () => [],
    placesOf: async () => ({ profiles: new Map(Object.entries(o.onProfiles ?? {})), total: o.jobsAtOnce ?? 100 }),
    jobsAtOnce: async (ids) => new Map(ids.map((id) => [id, plan.jobsAtOnce])),
    holds,
  });
  const worker = createJobWorker({
    store,
    blobs: { put: never, get: never, remove: never, removeAll: never, list: never, removeUnfinished: never },
    planOf: async () => plan,
    credential: never,
    open: (_id, sealed) => Buffer.from(sealed.slice(7), 'hex').toString(),
    appendLog: async (_job, _attempt, batch) => batch.seq,
    storedSeq: async () => 3,
    untilPoked: (_id, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    allowLocalRepos: o.allowLocalRepos ?? false,
    heartbeatSeconds: 1,
    checkpointSeconds: 60,
  });
  const reconciler = createJobsReconciler({
    database,
    store,
    log: pino({ level: 'silent' }),
    revisionOf: async () => o.settings?.now ?? 1,
    launcherOf: async (_profile, revision) => {
      if (o.settings?.isGone) throw new HangarError('driver_unknown', { message: 'This server has no such driver.' });
      return revision === 1 ? backend : (o.settings?.second ?? backend);
    },
    workerToken: () => 'token',
    holds,
    jobsAtOnceOfUsers: async (ids) => new Map(ids.map((id) => [id, plan.jobsAtOnce])),
    jobsAtOnceOfProfiles: async () => new Map(Object.entries(o.onProfiles ?? {})),
    jobsAtOnce: o.jobsAtOnce ?? 100,
    say: async (_id, _key, words) => {
      if (words === backend.unsayable) throw new HangarError('database_unavailable');
      said.push(words);
    },
    endLog: async () => o.endLog?.(),
  });
  return { store, jobs, worker, reconciler, said };
}
const never = () => {
  throw new Error('not in this test');
};

async function until<T>(look: () => Promise<T>, good: (value: T) => boolean, what: string): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const value = await look();
    if (good(value)) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not come: ${JSON.stringify(value)}`);
    await sleep(20);
  }
}
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof HangarError ? error.code : String(error)),
  );

describe('asking for jobs', () => {
  let parts: ReturnType<typeof build>;
  beforeEach(async () => {
    await database.pool.query('delete from job');
    parts = build(new Backend());
  });

  it('the same idempotency key gives the same job, however many ask at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => parts.jobs.submit(ada, { ...request, idempotencyKey: 'once' })),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(await code(parts.jobs.submit(ada, { ...request, title: 'Another', idempotencyKey: 'once' }))).toBe(
      'idempotency_conflict',
    );
    const other = await parts.jobs.submit(bob, { ...request, idempotencyKey: 'once' });
    expect(other.id).not.toBe(answers[0]?.id);
  });

  it('gives the job of a key also when what it was allowed with is used up by then', async () => {
    const wish = { ...request, idempotencyKey: 'again' };
    const { id } = await parts.jobs.submit(ada, wish);
    await database.pool.query(
      `update job set state = 'succeeded', admitted_at = now(), started_at = now(), finished_at = now() + interval '100 minutes' where id = $1`,
      [id],
    );
    expect(await code(parts.jobs.submit(ada, request))).toBe('quota_minutes');
    expect((await parts.jobs.submit(ada, wish)).id).toBe(id);
    expect(await code(parts.jobs.submit(ada, { ...wish, title: 'Another' }))).toBe('quota_minutes');
  });

  it('a retry with an idempotency key makes one job', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await parts.jobs.cancel(ada, id);
    const again = await Promise.all([1, 2, 3].map(() => parts.jobs.retry(ada, id, 'retry-once')));
    expect(new Set(again.map((job) => job.id)).size).toBe(1);
    expect((await parts.jobs.retry(ada, id)).id).not.toBe(again[0]?.id);
  });

  it('nobody sees or touches the job of another, who cannot tell that it is there', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    const { get, cancel, retry, artifacts, mayReadLog } = parts.jobs;
    for (const attempt of [get, cancel, retry, artifacts, mayReadLog])
      expect(await code(attempt(bob, id))).toBe('job_not_found');
    expect((await parts.jobs.list(bob, { mine: true, limit: 10 })).items).toEqual([]);
    expect(await code(parts.jobs.list(bob, { mine: false, limit: 10 }))).toBe('admin_only');
    expect((await parts.jobs.get({ ...bob, role: 'admin' }, id)).id).toBe(id);
  });

  it('says what is wrong with a request', async () => {
    expect(await code(parts.jobs.submit(ada, { ...request, spec: ' \n' }))).toBe('spec_empty');
    expect(await code(parts.jobs.submit(ada, { ...request, spec: 'x'.repeat(1024 * 1024 + 1) }))).toBe(
      'spec_too_large',
    );
    expect(await code(parts.jobs.submit(ada, { ...request, spec: '---\na: [\n---\nx' }))).toBe('spec_front_matter');
    expect(await code(parts.jobs.submit(ada, { ...request, spec: '# No commands' }))).toBe('spec_no_commands');
    expect(await code(parts.jobs.submit(ada, { ...request, agent: 'cluade' }))).toBe('agent_unknown');
    expect(await code(parts.jobs.submit(ada, { ...request, timeoutSeconds: 601 }))).toBe('timeout_too_long');
    expect(await code(parts.jobs.submit(ada, { ...request, credential: 'gone' }))).toBe('credential_not_found');
    expect(
      await code(parts.jobs.submit(ada, { ...request, repo: { bundle: 'up_123456', commit: 'a'.repeat(40) } })),
    ).toBe('upload_not_found');
    expect(await code(parts.jobs.submit(ada, { ...request, repo: { url: 'https://u:p@example.org/x' } }))).toBe(
      'repo_url_invalid',
    );
  });

  it('refuses a repository on the machine of the worker unless that is allowed', async () => {
    const urls = [
      'http://127.0.0.1:3000/x',
      'https://[::1]/x',
      'ssh://git@0x7f.1/x',
      'git@localhost:x',
      'http://169.254.169.254/x',
    ];
    const allowing = build(new Backend(), { allowLocalRepos: true });
    for (const url of urls) {
      expect(await code(parts.jobs.submit(ada, { ...request, repo: { url } })), url).toBe('repo_url_refused');
      const sent = await allowing.jobs.submit(ada, { ...request, repo: { url } });
      expect(sent.state).toBe('queued');
      // Sent again on a server that does not allow it any more.
      await allowing.jobs.cancel(ada, sent.id);
      expect(await code(parts.jobs.retry(ada, sent.id)), url).toBe('repo_url_refused');
    }
    expect(await code(parts.jobs.submit(ada, { ...request, repo: { url: 'ssh://-oProxyCommand=x/y' } }))).toBe(
      'repo_url_invalid',
    );
    expect(await code(parts.jobs.submit(ada, { ...request, repo: { url: 'http://10.1.2.3/x' } }))).toBe('no error');
  });

  it('a full queue answers with the numbers', async () => {
    for (let n = 0; n < plan.jobsWaiting; n++) await parts.jobs.submit(ada, request);
    await expect(parts.jobs.submit(ada, request)).rejects.toMatchObject({
      code: 'quota_jobs',
      status: 429,
      message: expect.stringContaining('5 of your jobs wait already; your plan allows 5. A place is free when'),
      details: { waiting: 5, limit: 5, running: 0, freeAt: null },
    });
    await parts.jobs.submit(bob, request);
  });

  it('a full queue says when it is expected to free, from earlier jobs of the same kind', async () => {
    const begun = await parts.jobs.submit(ada, request);
    for (let n = 0; n < 3; n++) await parts.jobs.submit(ada, request);
    // Two that took ten minutes, and one under way for four.
    await database.pool.query(
      `update job set state = 'succeeded', admitted_at = now() - interval '1 hour', finished_at = now() - interval '50 minutes'
       where id in (select id from job where id <> $1 limit 2)`,
      [begun.id],
    );
    await database.pool.query(
      `update job set state = 'running', admitted_at = now() - interval '4 minutes' where id = $1`,
      [begun.id],
    );
    for (let n = 0; n < plan.jobsWaiting - 1; n++) await parts.jobs.submit(ada, request);
    const refused = await parts.jobs.submit(ada, request).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      message: expect.stringMatching(/A place is expected to be free within [56] min\.$/),
      details: { running: 1 },
    });
  });

  it('minutes that are used up are told with the numbers and when they come back; others are not held up', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await database.pool.query(
      `update job set state = 'succeeded', admitted_at = now(), started_at = now(), finished_at = now() + interval '100 minutes' where id = $1`,
      [id],
    );
    const refused = await parts.jobs.submit(ada, request).catch((error: unknown) => error);
    const { periodEndsAt } = await parts.jobs.useOf(ada.userId);
    expect(refused).toMatchObject({
      code: 'quota_minutes',
      status: 402,
      message: `100 of 100 minutes of this month are used; the next month begins ${periodEndsAt.slice(0, 10)}.`,
      details: { limitMinutes: 100, freeAt: periodEndsAt },
    });
    expect(Date.parse(periodEndsAt)).toBeGreaterThan(Date.now());
    expect(await code(parts.jobs.submit(bob, request))).toBe('no error');
  });

  it('a timeout longer than the plan allows is told with both', async () => {
    await expect(parts.jobs.submit(ada, { ...request, timeoutSeconds: 601 })).rejects.toMatchObject({
      code: 'timeout_too_long',
      message: 'The timeout of 601 s is longer than the 600 s of your plan.',
      details: { limitSeconds: 600 },
    });
    expect((await parts.jobs.submit(ada, request)).timeoutSeconds).toBe(600);
  });

  it('pages without a gap or a repeat', async () => {
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push((await parts.jobs.submit(ada, request)).id);
    const first = await parts.jobs.list(ada, { mine: true, limit: 3 });
    const second = await parts.jobs.list(ada, { mine: true, limit: 3, cursor: first.nextCursor ?? '' });
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids.reverse());
    expect(second.nextCursor).toBeNull();
  });

  it('keeps environment values sealed, and masks nothing away from a retry', async () => {
    const { id } = await parts.jobs.submit(ada, { ...request, env: { KEY: 'very-secret' } });
    await parts.jobs.cancel(ada, id);
    const again = await parts.jobs.retry(ada, id);
    expect((await parts.jobs.get(ada, again.id)).envNames).toEqual(['KEY']);
    expect(again.retryOf).toBe(id);
    const { rows } = await database.pool.query('select * from job');
    expect(JSON.stringify(rows)).not.toContain('very-secret');
  });
});

describe('reconciling', () => {
  let parts: ReturnType<typeof build>;
  let backend: Backend;
  beforeEach(async () => {
    await database.pool.query('delete from job');
    backend = new Backend();
    parts = build(backend);
    await parts.reconciler.start();
    return () => parts.reconciler.stop();
  });
  const state = (id: string) => parts.jobs.get(ada, id).then((job) => job.state);
  const reach = (id: string, wanted: string) =>
    until(
      () => state(id),
      (seen) => seen === wanted,
      wanted,
    );
  const launched = (id: string) =>
    until(
      async () => (await parts.store.byId(id))?.launchedAt ?? null,
      (at) => at !== null,
      'launch',
    );

  it('runs a job from submit to end, in true states', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    const identity = { jobId: id, attempt: 1 };
    const order = await parts.worker.claim(identity, 'worker-one');
    expect(order).toMatchObject({ jobId: id, repo: { url: 'https://example.org/a/b.git' } });
    await reach(id, 'cloning');
    await parts.worker.report(identity, { phase: 'running', at: new Date().toISOString(), commit: 'a'.repeat(40) });
    expect(await state(id)).toBe('running');
    await parts.worker.report(identity, { phase: 'collecting', at: new Date().toISOString() });
    expect(await code(parts.worker.finish(identity, { ...finish, lastLogSeq: 9 }))).toBe('bad_request');
    await parts.worker.finish(identity, finish);
    await parts.worker.finish(identity, finish);
    const job = await parts.jobs.get(ada, id);
    expect(job).toMatchObject({ state: 'succeeded', repo: { commit: 'a'.repeat(40) } });
    expect(job.phases.map(({ name }) => name)).toEqual(['queued', 'starting', 'cloning', 'running', 'collecting']);
    expect(job.phases.every(({ endedAt }) => endedAt !== null)).toBe(true);
    await until(
      async () => backend.removed,
      (removed) => removed.includes(id),
      'cleaning',
    );
    expect(job.events.map((event) => event.state)).toEqual([
      'queued',
      'starting',
      'cloning',
      'running',
      'collecting',
      'succeeded',
    ]);
  });

  it('gives the work order to one worker only, and to none after the end', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    const identity = { jobId: id, attempt: 1 };
    const answers = await Promise.all(
      ['worker-one', 'worker-two', 'worker-six'].map((workerId) => code(parts.worker.claim(identity, workerId))),
    );
    expect(answers.filter((answer) => answer === 'no error')).toHaveLength(1);
    const winner = ['worker-one', 'worker-two', 'worker-six'][answers.indexOf('no error')] ?? '';
    expect(await code(parts.worker.claim(identity, winner))).toBe('no error');
    await parts.worker.finish(identity, finish);
    expect(await code(parts.worker.claim(identity, winner))).toBe('worker_fenced');
    expect(await code(parts.worker.claim({ jobId: id, attempt: 2 }, winner))).toBe('worker_token_invalid');
    expect(await code(parts.worker.report(identity, { phase: 'running', at: new Date().toISOString() }))).toBe(
      'worker_fenced',
    );
  });

  it('starts again what vanished before its worker spoke, never what was taken', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    backend.units.delete(id);
    await until(
      async () => backend.launches.length,
      (count) => count >= 2,
      'a second launch',
    );
    await parts.worker.claim({ jobId: id, attempt: 1 }, 'worker-one');
    const before = backend.launches.length;
    backend.units.delete(id);
    await reach(id, 'lost');
    expect(backend.launches).toHaveLength(before);
    expect((await parts.jobs.get(ada, id)).failure).toMatchObject({ code: 'worker_lost' });
  });

  it('cancels by force when the worker does not answer', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    await parts.worker.claim({ jobId: id, attempt: 1 }, 'worker-one');
    await parts.jobs.cancel(ada, id);
    expect(await parts.worker.heartbeat({ jobId: id, attempt: 1 }, 5, AbortSignal.timeout(10_000))).toMatchObject({
      cancel: true,
    });
    await reach(id, 'cancelled');
    expect(await code(parts.jobs.cancel(ada, id))).toBe('job_ended');
  });

  it('ends a job whose driver is gone for good, and asks no more often than it must', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    await parts.worker.claim({ jobId: id, attempt: 1 }, 'worker-one');
    backend.fail = new HangarError('driver_unavailable', { message: 'No answer from the Engine.' });
    await until(
      () => parts.jobs.get(ada, id),
      (job) => job.reason.includes('No answer from the Engine. Waiting for both'),
      'the reason',
    );
    const long = new Date(Date.now() - 3_600_000).toISOString();
    await database.pool.query(
      `update job set heard_at = $2::timestamptz, claimed_at = $2::timestamptz, unit = unit || jsonb_build_object('since', $3::text), wake_at = now() where id = $1`,
      [id, long, long],
    );
    await database.pool.query(`select pg_notify('hangar_wake', 'job')`);
    await reach(id, 'lost');
    expect((await parts.jobs.get(ada, id)).failure).toMatchObject({
      code: 'worker_lost',
      message: expect.stringContaining('No answer from the Engine.'),
    });
    const asked = backend.asked;
    await sleep(1_000);
    expect(backend.asked - asked).toBeLessThan(3);
    backend.fail = null;
    await database.pool.query(`update job set wake_at = now() where id = $1`, [id]);
    await database.pool.query(`select pg_notify('hangar_wake', 'job')`);
    await until(
      async () => backend.removed,
      (removed) => removed.includes(id),
      'cleaning',
    );
  });

  it('takes the result of a worker that was given up, and fences it no earlier', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    const identity = { jobId: id, attempt: 1 };
    await parts.worker.claim(identity, 'worker-one');
    await parts.worker.report(identity, { phase: 'running', at: new Date().toISOString() });
    backend.fail = new HangarError('driver_unavailable', { message: 'No answer from the Engine.' });
    const long = new Date(Date.now() - 3_600_000).toISOString();
    await until(
      async () => (await parts.store.byId(id))?.unit?.kind,
      (kind) => kind === 'unknown',
      'the outage',
    );
    await database.pool.query(
      `update job set heard_at = $2::timestamptz, claimed_at = $2::timestamptz, unit = unit || jsonb_build_object('since', $3::text), wake_at = now() where id = $1`,
      [id, long, long],
    );
    await database.pool.query(`select pg_notify('hangar_wake', 'job')`);
    await reach(id, 'lost');
    // Its machine and the driver are back, and it has worked on.
    expect(await parts.worker.heartbeat(identity, 0, AbortSignal.timeout(5_000))).toMatchObject({ cancel: false });
    backend.fail = null;
    await parts.worker.report(identity, { phase: 'collecting', at: new Date().toISOString() });
    await parts.worker.finish(identity, { ...finish, lastLogSeq: 9 });
    const job = await parts.jobs.get(ada, id);
    expect(job).toMatchObject({ state: 'succeeded', failure: null, reason: expect.stringContaining('Done') });
    expect(job.events.slice(-2).map((event) => event.state)).toEqual(['lost', 'succeeded']);
    await parts.worker.finish(identity, finish);
    expect(await code(parts.worker.report(identity, { phase: 'running', at: new Date().toISOString() }))).toBe(
      'worker_fenced',
    );
    await until(
      async () => backend.removed,
      (removed) => removed.includes(id),
      'cleaning',
    );
  });

  it('looks after a unit through the settings it was started with, though its profile has others now', async () => {
    await parts.reconciler.stop();
    const settings = { now: 1, second: new Backend() };
    parts = build(backend, { settings });
    await parts.reconciler.start();
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    settings.now = 2;
    await parts.worker.claim({ jobId: id, attempt: 1 }, 'worker-one');
    await parts.jobs.cancel(ada, id);
    await reach(id, 'cancelled');
    await until(
      async () => backend.removed,
      (removed) => removed.includes(id),
      'cleaning',
    );
    expect(backend.units.size).toBe(0);
    expect(settings.second.asked).toBe(0);
    const next = await parts.jobs.submit(ada, request);
    await launched(next.id);
    expect(settings.second.launches).toEqual([next.id]);
  });

  it('a launch that failed is tried with what the profile was mended to', async () => {
    await parts.reconciler.stop();
    const settings = { now: 1, second: new Backend() };
    parts = build(backend, { settings });
    backend.fail = new HangarError('driver_unavailable', { message: 'No answer from the Engine.' });
    await parts.reconciler.start();
    const { id } = await parts.jobs.submit(ada, request);
    await until(
      () => parts.jobs.get(ada, id),
      (job) => job.reason.includes('No answer from the Engine'),
      'the reason',
    );
    settings.now = 2;
    await launched(id);
    expect(settings.second.launches).toEqual([id]);
    expect((await parts.store.byId(id))?.profileRevision).toBe(2);
    backend.fail = null;
  });

  it('a row whose driver has gone, or whose handling fails, is tried again ever more rarely', async () => {
    await parts.reconciler.stop();
    const settings: Settings = {};
    let ends = 0;
    parts = build(backend, {
      settings,
      endLog() {
        ends += 1;
        if (ends < 3) throw new Error('the log cannot be ended');
      },
    });
    await parts.reconciler.start();
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    settings.isGone = true;
    await parts.jobs.cancel(ada, id);
    await until(
      async () => ends,
      (count) => count === 3,
      'followers to be told at the third try',
    );
    const row = await until(
      () => parts.store.byId(id),
      (found) => found?.toldAt != null && found.unit?.kind === 'unknown' && (found.wakeAt?.getTime() ?? 0) > Date.now(),
      'a pause',
    );
    expect((row?.wakeAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(5_000);
    expect(row?.cleanedAt).toBeNull();
  });

  it('cancels before it has begun, though the driver is away', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    backend.fail = new HangarError('driver_unavailable', { message: 'No answer from the Engine.' });
    await parts.jobs.cancel(ada, id);
    await reach(id, 'cancelled');
    backend.fail = null;
  });

  it('a launch that takes long says so as the reason, in the log without its progress, and is cancelled at once', async () => {
    backend.pulling = ['Pulling image x', 'Pulling image x (1 of 90 MB)', 'Pulling image x (2 of 90 MB)'];
    const { id } = await parts.jobs.submit(ada, request);
    await until(
      () => parts.jobs.get(ada, id),
      ({ reason }) => reason === 'Pulling image x (2 of 90 MB)',
      'the reason',
    );
    expect(parts.said).toEqual(['Pulling image x']);
    await parts.jobs.cancel(ada, id);
    await reach(id, 'cancelled');
    expect(backend.launches).toEqual([]);
  });

  it('what cannot be written to the log of a job that is launched takes nothing else along', async () => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown) => void unheard.push(reason);
    process.on('unhandledRejection', hear);
    backend.pulling = ['Pulling image x', 'Pulling image x (1 of 90 MB)', 'Starting x', 'Waiting for x'];
    backend.unsayable = 'Starting x';
    const { id } = await parts.jobs.submit(ada, request);
    await until(
      () => parts.jobs.get(ada, id),
      ({ reason }) => reason === 'Waiting for x',
      'the reason',
    );
    process.off('unhandledRejection', hear);
    expect(unheard).toEqual([]);
    expect(parts.said).toEqual(['Pulling image x', 'Waiting for x']);
  });

  it('says why it cannot start, tries again, and gives up for good only on what stays', async () => {
    backend.fail = new HangarError('driver_unavailable', { message: 'No answer from the Engine.' });
    const { id } = await parts.jobs.submit(ada, request);
    await until(
      () => parts.jobs.get(ada, id),
      (job) => job.reason.includes('No answer from the Engine'),
      'the reason',
    );
    backend.fail = null;
    await launched(id);
    backend.fail = new HangarError('image_not_found', { message: 'There is no image x.' });
    const other = await parts.jobs.submit(ada, request);
    await reach(other.id, 'failed');
    expect((await parts.jobs.get(ada, other.id)).failure).toMatchObject({
      code: 'image_not_found',
      message: 'There is no image x.',
    });
  });

  it('lets nothing start of people whose jobs are held, and says why', async () => {
    await parts.reconciler.stop();
    parts = build(backend, { held: true });
    await parts.reconciler.start();
    const { id } = await parts.jobs.submit(ada, request);
    await sleep(300);
    expect(await parts.jobs.get(ada, id)).toMatchObject({
      state: 'queued',
      reason: 'Held in this test',
    });
    expect(backend.launches).toEqual([]);
  });

  it('holds the plan and tells the place in the queue', async () => {
    const ids = [];
    for (let n = 0; n < 4; n++) ids.push((await parts.jobs.submit(ada, request)).id);
    await until(
      async () => backend.launches.length,
      (count) => count === 2,
      'two launches',
    );
    await sleep(200);
    // Let in in order; two that are let in are launched side by side.
    expect(backend.launches.toSorted()).toEqual(ids.slice(0, 2).toSorted());
    const waiting = await parts.jobs.get(ada, ids[3] ?? '');
    expect(waiting).toMatchObject({ state: 'queued', queue: { position: 2, running: 2, limit: 2 } });
    expect(waiting.reason).toBe('Waiting for a free place: position 2, your plan runs 2 at once');
    await parts.worker.claim({ jobId: ids[0] ?? '', attempt: 1 }, 'worker-one');
    await parts.worker.finish({ jobId: ids[0] ?? '', attempt: 1 }, finish);
    await until(
      async () => backend.launches.length,
      (count) => count === 3,
      'the next launch',
    );
    expect(backend.launches[2]).toBe(ids[2]);
  });

  it('tells when it is the profile or the server that is full', async () => {
    await parts.reconciler.stop();
    for (const [limits, where] of [
      [{ onProfiles: { local: 1 } }, 'profile local: 1 of 1'],
      [{ jobsAtOnce: 1 }, 'the server: 1 of 1'],
    ] as const) {
      await database.pool.query('delete from job');
      const small = build(new Backend(), limits);
      await small.reconciler.start();
      await small.jobs.submit(bob, request);
      await until(
        () => small.jobs.useOf(bob.userId),
        (use) => use.jobsRunning === 1,
        'the job of another',
      );
      const { id } = await small.jobs.submit(ada, request);
      const waiting = await small.jobs.get(ada, id);
      await small.reconciler.stop();
      expect(waiting.reason).toBe(`Waiting for a free place on ${where} in use, position 1 of yours`);
    }
  });
  it('a second reconciler on the same table launches nothing twice', async () => {
    const second = build(backend);
    await second.reconciler.start();
    const ids = await Promise.all(
      [ada, bob].flatMap((caller) => [1, 2].map(async () => (await parts.jobs.submit(caller, request)).id)),
    );
    await until(
      async () => new Set(backend.launches).size,
      (count) => count === 4,
      'four launches',
    );
    await sleep(300);
    expect([...backend.launches].sort()).toEqual([...ids].sort());
    await second.reconciler.stop();
  });
});
