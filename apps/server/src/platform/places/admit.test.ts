import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../database/testing/index.ts';
import { installLamps, lamps } from '../reconcile/testing/lamp.ts';
import { newId } from '../secrets/index.ts';
import { createAdmit } from './admission.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
  await installLamps(database);
});
afterAll(() => database.drop());
beforeEach(() => database.pool.query('with gone as (delete from lamp) delete from place_turn'));

/** Lamps that wait, the first so many minutes ago. */
async function send(userId: string, count: number, minutesAgo: number, profile = 'hall'): Promise<void> {
  const from = Date.now() - minutesAgo * 60_000;
  await database.pool.query(
    `insert into lamp (id, user_id, created_at, profile)
     select $1 || n, $2, to_timestamp($3 + n / 1000.0), $4 from generate_series(1, $5::int) n`,
    [newId('l'), userId, from / 1000, profile, count],
  );
}

interface Places {
  readonly total: number;
  readonly ofUser?: Readonly<Record<string, number>>;
  readonly ofProfile?: Readonly<Record<string, number>>;
}

const admit = ({ total, ofUser = {}, ofProfile = {} }: Places) =>
  createAdmit(database, lamps)(
    async () => ({
      ofUser: (userId) => ofUser[userId] ?? 1000,
      ofProfile: (profile) => ofProfile[profile] ?? 1000,
    }),
    total,
  );

/** Who was let in, in the order in which it was. */
async function order(): Promise<string[]> {
  const { rows } = await database.pool.query<{ user_id: string }>(
    'select user_id from lamp where admitted_at is not null order by admitted_at, id',
  );
  return rows.map((row) => row.user_id);
}
const endOldest = (count: number) =>
  database.pool.query(
    `update lamp set finished_at = now() where id in
       (select id from lamp where admitted_at is not null and finished_at is null order by admitted_at limit $1)`,
    [count],
  );
const running = async (userId: string): Promise<number> => {
  const { rows } = await database.pool.query<{ n: number }>(
    'select count(*)::int as n from lamp where user_id = $1 and admitted_at is not null and finished_at is null',
    [userId],
  );
  return rows[0]?.n ?? 0;
};

/** The largest distance between two people over all that were let in, one after the other. */
function widest(people: readonly string[]): number {
  let ahead = 0;
  let most = 0;
  for (const person of people) {
    ahead += person === 'ada' ? 1 : -1;
    most = Math.max(most, Math.abs(ahead));
  }
  return most;
}

describe('two people with 100 waiting lamps each', () => {
  it.each([
    ['one place', 1, 1],
    ['three places, one free at a time', 3, 1],
    ['ten places, many free at once', 10, 7],
  ])('advance evenly to the end, though one came an hour before: %s', async (_name, total, ending) => {
    await send('ada', 100, 60);
    await send('bob', 100, 1);
    for (let round = 0; round < 250; round += 1) {
      await admit({ total });
      const people = await order();
      expect(widest(people)).toBeLessThanOrEqual(1);
      if (people.length === 200) return;
      await endOldest(ending);
    }
    throw new Error('not all of them were let in');
  });

  it('advance evenly on a full profile, whatever else is free', async () => {
    await send('ada', 100, 60, 'small');
    await send('bob', 100, 1, 'small');
    for (let round = 0; round < 40; round += 1) {
      await admit({ total: 100, ofProfile: { small: 3 } });
      expect((await running('ada')) + (await running('bob'))).toBe(3);
      await endOldest(1);
    }
    expect(widest(await order())).toBeLessThanOrEqual(1);
  });

  it('with plans of different size each has what the plan allows, and what is free is shared evenly below that', async () => {
    await send('ada', 100, 60);
    await send('bob', 100, 1);
    const places = { total: 12, ofUser: { ada: 10, bob: 2 } };
    for (let round = 0; round < 20; round += 1) {
      await admit(places);
      expect([await running('ada'), await running('bob')]).toEqual([10, 2]);
      await endOldest(3);
    }
    await database.pool.query('update lamp set finished_at = now() where admitted_at is not null');
    await admit({ ...places, total: 4 });
    expect([await running('ada'), await running('bob')]).toEqual([2, 2]);
  });
});

describe('places at once', () => {
  it('hold though many replicas admit at the same time', async () => {
    await send('ada', 50, 10);
    await send('bob', 50, 5);
    const places = { total: 9, ofUser: { ada: 3, bob: 4 }, ofProfile: { hall: 6 } };
    for (let round = 0; round < 5; round += 1) {
      const passes = await Promise.all(Array.from({ length: 8 }, () => admit(places)));
      const admitted = passes.flat();
      expect(new Set(admitted).size).toBe(admitted.length);
      expect(await running('ada')).toBe(3);
      expect(await running('bob')).toBe(3);
      await endOldest(6);
    }
  });

  it('a third person who comes late is next', async () => {
    await send('ada', 100, 60);
    await send('bob', 100, 50);
    for (let round = 0; round < 10; round += 1) {
      await admit({ total: 2 });
      await endOldest(1);
    }
    await send('cyd', 1, 0);
    await admit({ total: 2 });
    expect((await order()).at(-1)).toBe('cyd');
  });
});
