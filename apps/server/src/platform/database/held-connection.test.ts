import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase, whileNoBackup } from './index.ts';
import { createTestDatabase } from './testing/index.ts';
import { together } from './together.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** Each asks for a second connection in its own way. */
const ways: [string, (db: Database) => Promise<unknown>][] = [
  ['a query of the pool', (db) => db.pool.query('select 1')],
  ['a query of drizzle', (db) => db.db.execute(sql`select 1`)],
  ['another transaction', (db) => db.db.transaction((tx) => tx.execute(sql`select 1`))],
  ['a session', (db) => db.session((client) => client.query('select 1'))],
  ['a lookup, whoever asks the database for it', (db) => later(db)],
];
const later = async (db: Database) => {
  const lookup = together(async (items: readonly number[]) => {
    await db.pool.query('select 1');
    return items;
  });
  return lookup(1);
};

describe('inside of a transaction', () => {
  it.each(ways)('%s is refused at once, though there is room', async (_name, way) => {
    const refused = database.db.transaction(async (tx) => {
      await tx.execute(sql`select 1`);
      await way(database);
    });
    const why = await refused.catch((error: unknown) => error);
    // Drizzle puts its own words in front.
    expect(`${why} ${(why as Error).cause}`).toContain('inside of a transaction');
  });

  it.each(ways)('%s is fine before and after it, and from what it left behind', async (_name, way) => {
    await way(database);
    const { promise: over, resolve } = Promise.withResolvers<void>();
    let leftBehind: Promise<unknown> = Promise.resolve();
    await database.db.transaction(async (tx) => {
      await tx.execute(sql`select 1`);
      leftBehind = over.then(() => way(database));
    });
    resolve();
    await leftBehind;
    await way(database);
  });
});

it('a session uses the pool, and opens no other', async () => {
  await database.session(async () => {
    await database.pool.query('select 1');
    await database.db.transaction((tx) => tx.execute(sql`select 1`));
    await expect(database.session(async () => undefined)).rejects.toThrow('inside of a session');
  });
});

it('what many hold for long leaves the pool to others', async () => {
  const small = await openDatabase({ url: database.url, dataDir: '', log: pino({ level: 'silent' }), connections: 2 });
  try {
    const done = await Promise.all(
      Array.from({ length: 12 }, () => whileNoBackup(small, async () => (await small.pool.query('select 1')).rowCount)),
    );
    expect(done).toEqual(Array.from({ length: 12 }, () => 1));
  } finally {
    await small.close();
  }
}, 10_000);
