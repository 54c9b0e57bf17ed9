import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { ada, Backend, bob, buildJobs, code, plan, request } from './testing/jobs-parts.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
const build = (backend: Backend, o?: Parameters<typeof buildJobs>[2]) => buildJobs(database, backend, o);

/** The job took all minutes of the plan, and all of them in this month, also on its last evening. */
const usesUp = (id: string) =>
  database.pool.query(
    `with began as (
       select least(now(), date_trunc('month', now(), 'UTC') + interval '1 month' - interval '101 minutes') as at
     )
     update job set state = 'succeeded', admitted_at = began.at, started_at = began.at, finished_at = began.at + interval '100 minutes'
     from began where id = $1`,
    [id],
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
    await usesUp(id);
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

  it('on a personal profile are told by its name, found by it, and run again there by its owner alone', async () => {
    const profileOf = async (id: string) =>
      (await database.pool.query('select profile from job where id = $1', [id])).rows[0].profile;
    const job = await parts.jobs.submit(ada, { ...request, profile: 'own' });
    const other = await parts.jobs.submit(bob, { ...request, profile: 'own' });
    expect([job.profile, (await parts.jobs.get(ada, job.id)).profile]).toEqual(['own', 'own']);
    expect([await profileOf(job.id), await profileOf(other.id)]).toEqual([`${ada.userId}/own`, `${bob.userId}/own`]);
    const found = await parts.jobs.list({ ...ada, everybody: true }, { limit: 10, profile: 'own' });
    expect(found.items.map(({ id }) => id)).toEqual([job.id]);
    await parts.jobs.cancel(ada, job.id);
    expect(await code(parts.jobs.retry({ ...bob, everybody: true }, job.id))).toBe('profile_not_found');
    expect(await profileOf((await parts.jobs.retry(ada, job.id)).id)).toBe(`${ada.userId}/own`);
  });

  it('is cancelled once, however often it is asked; what ended otherwise is not', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    const first = await parts.jobs.cancel(ada, id);
    const second = await parts.jobs.cancel(ada, id);
    expect(second).toMatchObject({ id, state: 'cancelled', version: first.version });
    await database.pool.query(`update job set cancel_requested_at = null where id = $1`, [id]);
    expect(await code(parts.jobs.cancel(ada, id))).toBe('job_ended');
    await database.pool.query(`update job set state = 'failed', cancel_requested_at = now() where id = $1`, [id]);
    expect(await code(parts.jobs.cancel(ada, id))).toBe('job_ended');
  });

  it('nobody sees or touches the job of another, who cannot tell that it is there', async () => {
    const { id } = await parts.jobs.submit(ada, request);
    const { get, cancel, retry, artifacts, mayReadLog } = parts.jobs;
    for (const attempt of [get, cancel, retry, artifacts, mayReadLog])
      expect(await code(attempt(bob, id))).toBe('job_not_found');
    expect((await parts.jobs.list(bob, { limit: 10 })).items).toEqual([]);
    expect((await parts.jobs.get({ ...bob, everybody: true }, id)).id).toBe(id);
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
    await usesUp(id);
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
    const first = await parts.jobs.list(ada, { limit: 3 });
    const second = await parts.jobs.list(ada, { limit: 3, cursor: first.nextCursor ?? '' });
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
