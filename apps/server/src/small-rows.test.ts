import { type Job, MAX_ENV_BYTES } from '@hangar/contract';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startWholeServer, type WholeServer } from './testing/whole-server.ts';

let server: WholeServer;
beforeAll(async () => {
  // No job starts: what waits is looked at.
  server = await startWholeServer({ env: { HANGAR_JOBS_AT_ONCE: '1' } });
  await server.call('POST', '/jobs', { ...newJob('first') });
});
afterAll(() => server?.close());
beforeEach(() => server.database.pool.query(`delete from job where title <> 'first'`));

const newJob = (title: string, more: object = {}) => ({
  spec: '# Try\n\n```sh\ntrue\n```\n',
  title,
  repo: { url: 'https://example.org/a/b.git' },
  ...more,
});
const code = async (answer: Response) => ((await answer.json()) as { error?: { code: string }; code?: string }).code;

describe('what somebody can make large', () => {
  it('is not in the rows that lists read', async () => {
    const env = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`V${n}`, 'x'.repeat(60 * 1024)]));
    const spec = `# Large\n\n\`\`\`sh\ntrue\n\`\`\`\n${'words '.repeat(100_000)}`;
    const { id } = await server.call<Job>('POST', '/jobs', newJob('large', { env, spec }));
    await server.database.pool.query(
      `with many as (insert into job select (jsonb_populate_record(j, jsonb_build_object('id', 'j_many' || lpad(n::text, 6, '0')))).*
         from job j, generate_series(1, 200) n where j.id = $1 returning id)
       insert into job_order (job_id, spec, env_sealed, env_names) select many.id, o.spec, o.env_sealed, o.env_names from many, job_order o where o.job_id = $1`,
      [id],
    );
    const { rows } = await server.database.pool.query('select max(pg_column_size(j)) as bytes from job j');
    expect(rows[0].bytes).toBeLessThan(4_000);
    const { items } = await server.call<{ items: Job[] }>('GET', '/jobs?limit=200');
    expect(items).toHaveLength(200);
    expect(JSON.stringify(items).length).toBeLessThan(1_000_000);
    const detail = await server.call<{ spec: string; envNames: string[] }>('GET', `/jobs/${id}`);
    expect(detail).toMatchObject({ spec, envNames: ['V0', 'V1', 'V2', 'V3'] });
    await server.call('POST', `/jobs/${id}/cancel`);
    const again = await server.call<Job>('POST', `/jobs/${id}/retry`);
    expect(await server.call('GET', `/jobs/${again.id}`)).toMatchObject({ spec, envNames: ['V0', 'V1', 'V2', 'V3'] });
  });

  it.each([
    ['bytes', Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`V${n}`, 'x'.repeat(MAX_ENV_BYTES / 5)]))],
    ['bytes of other letters', Object.fromEntries(Array.from({ length: 3 }, (_, n) => [`V${n}`, '€'.repeat(30_000)]))],
    ['variables', Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`V${n}`, '']))],
  ])('an environment of too many %s is refused by an error of its own', async (_what, env) => {
    const refused = await server.fetched('POST', '/api/jobs', newJob('too large', { env }));
    expect(refused.status).toBe(413);
    expect(await code(refused)).toBe('env_too_large');
  });

  it('counts what the spec sets, too', async () => {
    const half = { A: 'x'.repeat(60_000), B: 'x'.repeat(60_000), C: 'x'.repeat(60_000) };
    const spec = `---\nenv:\n  D: ${'y'.repeat(50_000)}\n  E: ${'y'.repeat(50_000)}\n---\n\n\`\`\`sh\ntrue\n\`\`\`\n`;
    const refused = await server.fetched('POST', '/api/jobs', newJob('too large', { env: half, spec }));
    expect(await code(refused)).toBe('env_too_large');
  });
});

describe('followers', () => {
  it('of a job that is cancelled while it waits are told that it has ended', async () => {
    const { id } = await server.call<Job>('POST', '/jobs', newJob('waits'));
    const stream = await server.fetched('GET', `/api/jobs/${id}/logs`, undefined, { accept: 'text/event-stream' });
    expect(stream.status).toBe(200);
    await server.call('POST', `/jobs/${id}/cancel`);
    expect(await stream.text()).toContain('event: end');
    const { rows } = await server.database.pool.query('select ended_at, end_state from log where id = $1', [id]);
    expect(rows).toEqual([{ ended_at: expect.any(Date), end_state: 'cancelled' }]);
  });

  it('of one that ended so under an earlier release, after the upgrade', async () => {
    const { id } = await server.call<Job>('POST', '/jobs', newJob('waited'));
    await server.database.pool.query(
      `update job set state = 'cancelled', cancel_requested_at = now(), finished_at = now(), wake_at = now() where id = $1`,
      [id],
    );
    const stream = await server.fetched('GET', `/api/jobs/${id}/logs`, undefined, { accept: 'text/event-stream' });
    expect(await stream.text()).toContain('event: end');
  });
});

describe('minutes of the month', () => {
  const minutes = async () => {
    const { use } = await server.call<{ use: { minutesThisMonth: number } }>('GET', '/users/me');
    return use.minutesThisMonth;
  };
  const began = `date_trunc('month', now() at time zone 'utc') at time zone 'utc'`;

  it('follow every change of a row, whoever makes it', async () => {
    expect(await minutes()).toBe(0);
    const ids = [];
    for (const title of ['one', 'two', 'old']) ids.push((await server.call<Job>('POST', '/jobs', newJob(title))).id);
    const [one, two, old] = ids;
    const ended = (id: string | undefined, from: string, to: string) =>
      server.database.pool.query(
        `update job set state = 'succeeded', admitted_at = ${from}, started_at = ${from}, finished_at = ${to} where id = $1`,
        [id],
      );
    await ended(one, `${began} + interval '1 minute'`, `${began} + interval '11 minutes'`);
    // Of one that began in the month before counts what lies in this one.
    await ended(two, `${began} - interval '1 hour'`, `${began} + interval '5 minutes'`);
    await ended(old, `${began} - interval '2 hours'`, `${began} - interval '1 hour'`);
    expect(await minutes()).toBe(15);
    // A result that came late ends it again.
    await ended(one, `${began} + interval '1 minute'`, `${began} + interval '21 minutes'`);
    expect(await minutes()).toBe(25);
    await server.database.pool.query('delete from job where id = $1', [two]);
    expect(await minutes()).toBe(20);
  });

  it('count what runs now', async () => {
    const { id } = await server.call<Job>('POST', '/jobs', newJob('runs'));
    await server.database.pool.query(
      `update job set state = 'running', admitted_at = now(), started_at = greatest(${began}, now() - interval '3 minutes') where id = $1`,
      [id],
    );
    expect(await minutes()).toBeGreaterThanOrEqual(2.9);
  });
});
