import { afterEach, beforeEach, expect, it } from 'vitest';
import { knownMigrations } from '../migrate.ts';
import { createTestDatabase } from '../testing/index.ts';
import { type Load, openLoad } from './load.ts';

const [first, ...later] = knownMigrations();
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let load: Load;

beforeEach(async () => {
  database = await createTestDatabase();
  load = await openLoad({ connectionString: database.url });
});
afterEach(async () => {
  await load.close();
  await database.drop();
});

const applied = async () => {
  const { rows } = await database.pool.query('select hash from drizzle.__drizzle_migrations order by created_at');
  return rows.map(({ hash }) => hash);
};

it('a backup of the first release has the tables of today when its rows are looked at, and is migrated once', async () => {
  if (first === undefined) throw new Error('there is no migration');
  await load.begin({ migrations: [first], tables: [], replace: true });
  await expect(load.run('savepoint early; select 1 from place')).rejects.toThrow('"place" does not exist');
  await load.run('rollback to early');
  await load.finish();
  expect(await load.run('select 1 from place')).toBe(0);
  await load.commit();
  expect(await applied()).toEqual([first, ...later].map(({ hash }) => hash));
});

it('what is not committed leaves the database as it was', async () => {
  if (first === undefined) throw new Error('there is no migration');
  await database.pool.query(`insert into setting (key, value) values ('a', '1')`);
  await load.begin({ migrations: [first], tables: [], replace: true });
  await load.finish();
  await load.close();
  expect(await applied()).toHaveLength(later.length + 1);
  expect((await database.pool.query('select key from setting')).rows).toEqual([{ key: 'a' }]);
});
