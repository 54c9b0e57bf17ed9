import type { JobState } from '@hangar/contract';
import { drizzle } from 'drizzle-orm/node-postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { type ListFilter, listJobs } from './job-list.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

type Filter = Omit<ListFilter, 'limit'> & { limit?: number };
const list = (who: string | null, filter: Filter, db = database.db) => listJobs(db, who, { limit: 50, ...filter });
const ids = async (who: string | null, filter: Filter) => (await list(who, filter)).map(({ id }) => id);

interface Made {
  readonly id: string;
  readonly of?: string;
  readonly title?: string;
  readonly agent?: string;
  readonly profile?: string;
  readonly repo?: string;
  readonly group?: string;
  readonly state?: string;
}

/** One job each, a second apart, the last the newest. */
async function make(jobs: readonly Made[]): Promise<void> {
  await database.pool.query('delete from job');
  await database.pool.query(
    `insert into job (id, user_id, user_name, created_at, title, agent, profile, driver, repo_name, group_name, state, timeout_seconds, request_hash, reason)
     select m->>'id', coalesce(m->>'of', 'u_ada'), 'Ada', timestamptz '2026-01-01' + place * interval '1 s', coalesce(m->>'title', 'Title'),
       coalesce(m->>'agent', 'shell'), coalesce(m->>'profile', 'local'), 'local', coalesce(m->>'repo', 'a/b'), m->>'group', coalesce(m->>'state', 'queued'), 60, '', ''
     from jsonb_array_elements($1::jsonb) with ordinality e(m, place)`,
    [JSON.stringify(jobs)],
  );
}

describe('a list of jobs', () => {
  it('is found by what jobs are, of one person or of all, newest first', async () => {
    await make([
      { id: 'j_1', agent: 'claude', repo: 'team/site' },
      { id: 'j_2', agent: 'claude', profile: 'big', of: 'u_bob' },
      { id: 'j_3', group: 'g_1', state: 'failed', repo: 'team/site' },
      { id: 'j_4', group: 'g_1', agent: 'claude' },
    ]);
    expect(await ids('u_ada', {})).toEqual(['j_4', 'j_3', 'j_1']);
    expect(await ids(null, {})).toEqual(['j_4', 'j_3', 'j_2', 'j_1']);
    expect(await ids('u_ada', { agent: 'claude' })).toEqual(['j_4', 'j_1']);
    expect(await ids(null, { agent: 'claude' })).toEqual(['j_4', 'j_2', 'j_1']);
    expect(await ids('u_ada', { profile: 'big' })).toEqual([]);
    expect(await ids(null, { profile: 'big' })).toEqual(['j_2']);
    expect(await ids('u_ada', { repo: 'team/site' })).toEqual(['j_3', 'j_1']);
    expect(await ids('u_ada', { group: 'g_1' })).toEqual(['j_4', 'j_3']);
    expect(await ids('u_bob', { group: 'g_1' })).toEqual([]);
    expect(await ids('u_ada', { group: 'g_1', states: ['failed', 'lost'] })).toEqual(['j_3']);
    expect(await ids('u_ada', { agent: 'claude', repo: 'team/site' })).toEqual(['j_1']);
  });

  it('finds a text in title, repository and id, in any case, as it is written', async () => {
    await make([
      { id: 'j_aaa1', title: 'Change the Parser' },
      { id: 'j_bbb2', repo: 'team/parser-tools' },
      { id: 'j_ccc3', title: '100% of_it \\ done' },
      { id: 'j_ddd4', title: 'Привет, мир' },
      { id: 'j_eee5', title: 'Change the Parser', of: 'u_bob' },
    ]);
    const found = (search: string) => ids('u_ada', { search });
    expect(await found('parser')).toEqual(['j_bbb2', 'j_aaa1']);
    expect(await ids(null, { search: 'PARSER' })).toEqual(['j_eee5', 'j_bbb2', 'j_aaa1']);
    expect(await found('the pars')).toEqual(['j_aaa1']);
    expect(await found('bbb2')).toEqual(['j_bbb2']);
    expect(await found('0% of_')).toEqual(['j_ccc3']);
    expect(await found('%')).toEqual(['j_ccc3']);
    expect(await found('of%it')).toEqual([]);
    expect(await found('\\')).toEqual(['j_ccc3']);
    expect(await found('Привет')).toEqual(['j_ddd4']);
    expect(await found('ми')).toEqual(['j_ddd4']);
    expect(await found('ПРИВЕТ, м')).toEqual(['j_ddd4']);
    // What stands for a letter in the index is not found in its place.
    expect(await found('u00043f')).toEqual([]);
    expect(await found('eee5')).toEqual([]);
    // No text goes from a title into the name of the repository.
    for (const across of ['parsera/b', 'parser\na/b', '\n', 'done\n']) expect(await found(across)).toEqual([]);
  });

  it('goes on after a job, also among jobs of the same moment', async () => {
    await make([{ id: 'j_1' }, { id: 'j_2' }, { id: 'j_3' }, { id: 'j_4' }]);
    await database.pool.query(`update job set created_at = '2026-01-01T00:00:00Z'`);
    await database.pool.query(`update job_search set created_at = '2026-01-01T00:00:00Z'`);
    for (const filter of [{}, { agent: 'shell' }]) {
      expect(await ids('u_ada', { ...filter, limit: 2 })).toEqual(['j_4', 'j_3']);
      const last = { createdAt: new Date('2026-01-01T00:00:00Z'), id: 'j_3' };
      expect(await ids('u_ada', { ...filter, before: last })).toEqual(['j_2', 'j_1']);
    }
  });
});

const FAILED: JobState[] = ['failed', 'lost'];

/** Jobs of two people, all alike but for the oldest two of each. */
async function makeMany(count: number): Promise<void> {
  await database.pool.query('delete from job');
  await database.pool.query(
    `insert into job (id, user_id, user_name, created_at, title, agent, profile, driver, repo_name, group_name, state, timeout_seconds, request_hash, reason)
     select 'j_' || lpad(n::text, 16, '0'), case when n % 2 = 0 then 'u_ada' else 'u_bob' end, 'Ada', timestamptz '2026-01-01' + n * interval '1 s',
       case when rare then 'Paint the bikeshed, сарай 小屋' else 'Change the parser in room-' || n % 20 || ', часть ' || n end, case when rare then 'gemini' else 'claude' end,
       case when rare then 'big' else 'local' end, 'local', case when rare then 'team/rare' else 'team/usual-' || n % 7 end,
       case when rare then 'g_rare' end, case when rare then 'failed' else 'succeeded' end, 60, '', ''
     from (select n, n <= 4 as rare from generate_series(1, $1::int) n) made`,
    [count],
  );
  await database.pool.query('vacuum analyze job, job_search');
}

/** Pages of the database that the lists read, one by one. */
async function pagesRead(filters: readonly Filter[]): Promise<number[]> {
  const asked: { text: string; values: unknown[] }[] = [];
  const logged = drizzle(database.url, { logger: { logQuery: (text, values) => void asked.push({ text, values }) } });
  for (const filter of filters) {
    await list('u_ada', filter, logged);
    await list(null, filter, logged);
  }
  await logged.$client.end();
  const pages: number[] = [];
  for (const { text, values } of asked) {
    const { rows } = await database.pool.query({ text: `explain (analyze, buffers, format json) ${text}`, values });
    const { Plan } = rows[0]['QUERY PLAN'][0];
    pages.push(Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks']);
  }
  return pages;
}

it('reads no more of 20,000 jobs than of 2,000', async () => {
  const filters: Filter[] = [
    {},
    { states: FAILED },
    { states: [...FAILED, 'succeeded'] },
    ...[{ agent: 'gemini' }, { profile: 'big' }, { repo: 'team/rare' }, { group: 'g_rare' }],
    ...[{ agent: 'claude' }, { profile: 'local' }, { repo: 'team/usual-1' }, { agent: 'nobody' }],
    ...[
      { search: 'bikeshed' },
      { search: 'parser' },
      { search: 'nothing like it' },
      { search: 'zz' },
      { search: 'room-8' },
      { search: 'часть' },
    ],
    ...[{ search: 'j_0000000000000002' }, { agent: 'claude', search: 'bikeshed' }, { agent: 'gemini', states: FAILED }],
    { before: { createdAt: new Date('2026-01-01T00:01:00Z'), id: 'j_0000000000000060' } },
    { agent: 'claude', before: { createdAt: new Date('2026-01-01T00:01:00Z'), id: 'j_0000000000000060' } },
  ];
  await makeMany(2_000);
  const few = await pagesRead(filters);
  await makeMany(20_000);
  const many = await pagesRead(filters);
  const grown = filters.flatMap((filter, index) =>
    [index * 2, index * 2 + 1]
      .filter((at) => (many[at] ?? 0) > 2 * (few[at] ?? 0) + 100)
      .map((at) => `${at % 2 === 0 ? 'of one' : 'of all'} ${JSON.stringify(filter)}: ${few[at]} → ${many[at]} pages`),
  );
  expect(grown).toEqual([]);
});
