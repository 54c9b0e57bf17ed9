import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase } from './platform/database/testing/index.ts';
import { placeColumns } from './platform/places/places-tables.ts';
import { reconcileColumns } from './platform/reconcile/columns.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const named = (columns: object) =>
  Object.keys(columns).map((name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`));

/** Tables that have all of these columns. */
async function tablesWith(columns: object): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select table_name as name from information_schema.columns where table_schema = 'public' and column_name = any($1)
     group by 1 having count(*) = $2 order by 1`,
    [named(columns), named(columns).length],
  );
  return rows.map(({ name }) => name);
}
/** Functions that triggers of a table run. */
async function triggersOf(table: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ runs: string; at: string }>(
    `select p.proname as runs, t.tgname as at from pg_trigger t join pg_proc p on p.oid = t.tgfoid
     where t.tgrelid = $1::regclass and not t.tgisinternal order by 1, 2`,
    [table],
  );
  return rows.map(({ runs, at }) => `${runs} ${at}`);
}

it('each reconciled table counts its versions, and is looked at without reading all of it', async () => {
  const tables = await tablesWith(reconcileColumns());
  expect(tables).toContain('job');
  for (const table of tables) {
    expect(await triggersOf(table), table).toContain(`count_version ${table}_version`);
    const { rows } = await database.pool.query('select indexdef from pg_indexes where tablename = $1', [table]);
    for (const column of ['wake_at', 'lease_until'])
      expect(rows, table).toContainEqual({
        indexdef: expect.stringContaining(`(${column}) WHERE (${column} IS NOT NULL)`),
      });
  }
});

it('each table whose things take places keeps them by its triggers', async () => {
  const tables = await tablesWith(placeColumns());
  expect(tables).toContain('job');
  for (const table of tables)
    expect(await triggersOf(table), table).toEqual(
      expect.arrayContaining(['made', 'changed', 'gone'].map((when) => `keep_place ${table}_place_${when}`)),
    );
});
