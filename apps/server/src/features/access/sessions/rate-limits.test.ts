import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { forgetRates, networkOf, rateLimit } from './rate-limits.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const MINUTE = 60_000;
const NOON = Date.parse('2026-01-01T12:00:00Z');

test('servers count together, in the window of the one whose clock is ahead', async () => {
  let now = NOON + 50_000;
  const server = (name: string, skewMs: number) =>
    rateLimit({ db: database.db, name, perMinute: 4, clock: () => new Date(now + skewMs) });
  const [ahead, behind] = [server('a', 20_000), server('a', 0)];
  const taken: (number | null)[] = [];
  for (let n = 0; n < 6; n++) taken.push(await (n % 2 === 0 ? ahead : behind).take('ada'));
  expect(taken.map((wait) => wait === null)).toEqual([true, true, true, true, false, false]);
  expect(taken[4]).toBe(50);
  expect(taken[5]).toBe(70);
  // Another key, and another limit with the same key, are not touched.
  expect(await behind.take('bob')).toBeNull();
  expect(await server('b', 0).take('ada')).toBeNull();
  now += MINUTE;
  expect(await ahead.take('ada')).toBeNull();
});

test('many at once take exactly what there is, and what is given back can be taken again', async () => {
  const limit = rateLimit({ db: database.db, name: 'c', perMinute: 5, clock: () => new Date(NOON) });
  const all = await Promise.all(Array.from({ length: 20 }, () => limit.take('ada')));
  expect(all.filter((wait) => wait === null)).toHaveLength(5);
  const other = rateLimit({ db: database.db, name: 'd', perMinute: 1, clock: () => new Date(NOON) });
  expect(await other.take('ada')).toBeNull();
  await other.giveBack('ada');
  expect(await other.take('ada')).toBeNull();
  expect(await other.take('ada')).toBe(60);
});

test('keys are kept as hashes, and forgotten after a while', async () => {
  const limit = rateLimit({ db: database.db, name: 'e', perMinute: 5, clock: () => new Date(NOON) });
  await limit.take('ada@example.org');
  const kept = await database.pool.query('select key from rate_count');
  expect(JSON.stringify(kept.rows)).not.toContain('ada');
  await forgetRates(database.db, new Date(NOON + 3 * 60 * MINUTE));
  expect((await database.pool.query('select 1 from rate_count')).rowCount).toBe(0);
});

test.each([
  ['203.0.113.9', '203.0.113.9'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['::ffff:cb00:7109', '203.0.113.9'],
  ['unknown', 'unknown'],
])('%s counts for %s', (place, network) => expect(networkOf(place)).toBe(network));
