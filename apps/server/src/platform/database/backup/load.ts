import { HangarError } from '@hangar/contract';
import pg from 'pg';
import { appliedMigrations, applyWithin, knownMigrations, type Migration } from '../migrate.ts';
import { type TableInfo, tablesOf } from './snapshot.ts';

/** Fills a database from a backup, all in one transaction: until `commit` nothing has changed. */
export interface Load {
  /** Makes the tables of the backup; those that are there go first when `replace` says so. @throws HangarError restore_not_empty, backup_unreadable */
  begin(o: { migrations: readonly { hash: string }[]; tables: readonly TableInfo[]; replace: boolean }): Promise<void>;
  /** Rows as JSON objects. */
  insert(table: string, rows: readonly string[]): Promise<void>;
  /** All rows are there: sets what counts up, and brings the schema to that of this Hangar. */
  finish(): Promise<void>;
  /** One statement of the caller after that, for what a restored server must not believe. Answers the number of rows. */
  run(text: string, values?: readonly unknown[]): Promise<number>;
  commit(): Promise<void>;
  /** Takes everything back that is not committed. */
  close(): Promise<void>;
}

export async function openLoad(connection: pg.ClientConfig): Promise<Load> {
  const client = new pg.Client({
    ...connection,
    application_name: 'hangar-restore',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('set statement_timeout = 0');
  await client.query('set idle_in_transaction_session_timeout = 0');
  let tables = new Map<string, TableInfo>();
  /** What the backup has not had yet. */
  let toCome: readonly Migration[] = [];

  /** Rows come as they were: what triggers made of them is among them. What is changed afterwards is followed by triggers as always. */
  async function triggers(what: 'disable' | 'enable'): Promise<void> {
    for (const name of tables.keys())
      await client.query(`alter table public.${pg.escapeIdentifier(name)} ${what} trigger user`);
  }

  return {
    async begin(o) {
      const known = knownMigrations();
      const had = new Set(o.migrations.map(({ hash }) => hash));
      const wanted = known.filter(({ hash }) => had.has(hash));
      toCome = known.filter(({ hash }) => !had.has(hash));
      if (wanted.length < had.size)
        throw new HangarError('backup_unreadable', {
          message: 'The backup was made by a newer Hangar than this one.',
          wayOut: 'Restore it with that version or a newer one.',
        });
      await client.query('begin');
      await clear(client, o.replace);
      await applyWithin(client, wanted);
      const made = await tablesOf(client);
      tables = new Map(made.map((table) => [table.name, table]));
      await triggers('disable');
      const same = (a: readonly string[], b: readonly string[]) => [...a].sort().join() === [...b].sort().join();
      for (const table of o.tables) {
        const found = tables.get(table.name);
        if (!found || !same(found.columns, table.columns))
          throw new HangarError('backup_unreadable', {
            message: `The table ${table.name} of the backup is not one of the schema it names.`,
          });
      }
    },

    async insert(name, rows) {
      const table = tables.get(name);
      if (!table) throw new HangarError('backup_unreadable', { message: `The backup has a table ${name} too many.` });
      const columns = table.columns.map((column) => pg.escapeIdentifier(column)).join(', ');
      const target = `public.${pg.escapeIdentifier(name)}`;
      await client.query(
        `insert into ${target} (${columns}) select ${columns} from json_populate_recordset(null::${target}, $1::json)`,
        [`[${rows.join(',')}]`],
      );
    },

    async finish() {
      const { rows } = await client.query(
        `select c.relname as "table", a.attname as "column", pg_get_serial_sequence('public.' || quote_ident(c.relname), a.attname) as sequence
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
           and pg_get_serial_sequence('public.' || quote_ident(c.relname), a.attname) is not null`,
      );
      for (const row of rows)
        await client.query(
          `select setval($1::regclass, (select coalesce(max(${pg.escapeIdentifier(row.column)}), 0) + 1 from public.${pg.escapeIdentifier(row.table)}), false)`,
          [row.sequence],
        );
      await triggers('enable');
      await applyWithin(client, toCome);
    },

    run: async (text, values = []) => (await client.query(text, [...values])).rowCount ?? 0,

    commit: async () => void (await client.query('commit')),

    close: () => client.end().catch(() => undefined),
  };
}

/** Only what is a Hangar's is ever taken away. */
async function clear(client: pg.Client, replace: boolean): Promise<void> {
  const there = await tablesOf(client);
  const applied = await appliedMigrations(client);
  if (there.length === 0 && applied.length === 0) return;
  const ours = applied.length > 0 && applied[0]?.hash === knownMigrations()[0]?.hash;
  if (!ours)
    throw new HangarError('restore_not_empty', {
      message: 'The database holds tables that are not those of a Hangar server.',
      wayOut: 'Name an empty database in HANGAR_DATABASE_URL.',
    });
  if (!replace) throw new HangarError('restore_not_empty');
  for (const { name } of there) await client.query(`drop table public.${pg.escapeIdentifier(name)} cascade`);
  await client.query('drop schema drizzle cascade');
}
