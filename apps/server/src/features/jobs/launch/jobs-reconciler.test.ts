import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { unheardDuring } from '@hangar/sandbox/testing/unheard';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { ada, Backend, bob, buildJobs, code, finish, request, type Settings, until } from '../testing/jobs-parts.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
const build = (backend: Backend, o?: Parameters<typeof buildJobs>[2]) => buildJobs(database, backend, o);

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

  it('takes what was seen of a unit for no younger than when it was asked', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    await launched(id);
    const { inspect } = backend.units;
    let asked = false;
    // A list that is behind: it does not hold what was just made, and it takes its time.
    Object.assign(backend.units, {
      inspect: async (...of: Parameters<typeof inspect>) => {
        if (asked) return inspect(...of);
        asked = true;
        await sleep(300);
        return { kind: 'missing' };
      },
    });
    await until(
      async () => asked,
      (yes) => yes,
      'a look',
    );
    const identity = { jobId: id, attempt: 1 };
    await parts.worker.claim(identity, 'worker-one');
    const never = new AbortController().signal;
    for (const until = Date.now() + 1_000; Date.now() < until; await sleep(100))
      await parts.worker.heartbeat(identity, 0, never);
    expect(await state(id)).toBe('cloning');
    expect(backend.removed).toEqual([]);
  });

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
    backend.states.delete(id);
    await until(
      async () => backend.launches.length,
      (count) => count >= 2,
      'a second launch',
    );
    await parts.worker.claim({ jobId: id, attempt: 1 }, 'worker-one');
    const before = backend.launches.length;
    backend.states.delete(id);
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
    // The wish that led to this end may be told again: its answer can get lost.
    expect(await parts.jobs.cancel(ada, id)).toMatchObject({ id, state: 'cancelled' });
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
    expect(backend.states.size).toBe(0);
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
    backend.pulling = ['Pulling image x', 'Pulling image x (1 of 90 MB)', 'Starting x', 'Waiting for x'];
    backend.unsayable = 'Starting x';
    const unheard = await unheardDuring(async () => {
      const { id } = await parts.jobs.submit(ada, request);
      await until(
        () => parts.jobs.get(ada, id),
        ({ reason }) => reason === 'Waiting for x',
        'the reason',
      );
    });
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
      reason: 'The account of its owner is disabled; an admin can enable it again',
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
