import { HangarError } from '@hangar/contract';
import pg from 'pg';
import { sqlState } from '../errors.ts';
import { LOCKS } from '../locks.ts';
import { appliedMigrations, knownMigrations } from '../migrate.ts';

export interface TableInfo {
  readonly name: string;
  readonly columns: readonly string[];
}

/** Bytes that a row of the snapshot names. Size and hash are null where the row does not say. */
export interface NamedBlob {
  readonly key: string;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
}

/** The whole database as it was at one moment, while nobody removes the bytes it names. */
export interface Snapshot {
  readonly migrations: readonly { hash: string; createdAt: number }[];
  readonly tables: readonly TableInfo[];
  /** Rows of a table as JSON objects, in batches of about a megabyte. */
  rows(table: TableInfo): AsyncGenerator<string[]>;
  /** Every blob that a row names, each once for each table. */
  blobs(): AsyncGenerator<NamedBlob>;
  /** A value of the settings table as JSON. */
  setting(key: string): Promise<unknown>;
  close(): Promise<void>;
}

/** How long a removal in hand may take until a backup can begin. */
const LOCK_DEADLINE = '60s';
const FETCH_BYTES = 1024 * 1024;
const FETCH_MOST = 1000;

/**
 * Opens a snapshot beside a running server. While it is open, nobody removes what it names (see `whileNoBackup`).
 * @throws HangarError backup_running, database_version
 */
export async function openSnapshot(connection: pg.ClientConfig): Promise<Snapshot> {
  const client = new pg.Client({
    ...connection,
    application_name: 'hangar-backup',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  client.on('error', () => undefined); // the query that fails says so
  await client.connect();
  try {
    await client.query('set statement_timeout = 0');
    await client.query('set idle_in_transaction_session_timeout = 0');
    await hold(client);
    await client.query('begin isolation level repeatable read, read only');
    const migrations = await appliedMigrations(client);
    const known = new Set(knownMigrations().map(({ hash }) => hash));
    if (migrations.length === 0 || migrations.some(({ hash }) => !known.has(hash)))
      throw new HangarError('database_version', {
        message:
          migrations.length === 0
            ? 'This database is not one of a Hangar server.'
            : 'The database was written by a newer Hangar than this one.',
        wayOut: 'Make the backup with the Hangar that runs on it.',
      });
    return snapshotOf(client, migrations, await tablesOf(client));
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function hold(client: pg.Client): Promise<void> {
  const { rows } = await client.query(
    `select 1 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
       and classid = $1 and objid = $2 and mode = 'ExclusiveLock'`,
    [...LOCKS.backup],
  );
  if (rows.length > 0) throw new HangarError('backup_running');
  try {
    await client.query(`set lock_timeout = '${LOCK_DEADLINE}'`);
    await client.query('select pg_advisory_lock($1, $2)', [...LOCKS.backup]);
    await client.query('set lock_timeout = 0');
  } catch (cause) {
    throw sqlState(cause) === '55P03' ? new HangarError('backup_running', { cause }) : cause;
  }
}

/** Tables that others refer to come first, so that they can be filled in this order. */
export async function tablesOf(client: pg.ClientBase): Promise<TableInfo[]> {
  const { rows } = await client.query(
    `select c.oid::text as id, c.relname as name,
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
       (select coalesce(array_agg(f.confrelid::text), '{}') from pg_constraint f where f.conrelid = c.oid and f.contype = 'f') as needs
     from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by c.relname`,
  );
  const ordered: TableInfo[] = [];
  const done = new Set<string>();
  let left = rows;
  while (left.length > 0) {
    const ready = left.filter((row) => row.needs.every((id: string) => done.has(id) || id === row.id));
    if (ready.length === 0) throw new HangarError('internal', { message: 'Tables refer to each other in a circle.' });
    for (const row of ready) {
      done.add(row.id);
      ordered.push({ name: row.name, columns: row.columns });
    }
    left = left.filter((row) => !done.has(row.id));
  }
  return ordered;
}

function snapshotOf(client: pg.Client, migrations: Snapshot['migrations'], tables: readonly TableInfo[]): Snapshot {
  let cursors = 0;
  async function* fetched(select: string, sizeOf: (row: Record<string, unknown>) => number) {
    const cursor = `backup_${++cursors}`;
    await client.query(`declare ${cursor} no scroll cursor for ${select}`);
    for (let count = 16; ; ) {
      const { rows } = await client.query(`fetch ${count} from ${cursor}`);
      if (rows.length > 0) yield rows;
      if (rows.length < count) break;
      const size = rows.reduce((sum, row) => sum + sizeOf(row), 1);
      count = Math.max(1, Math.min(FETCH_MOST, Math.floor((FETCH_BYTES * rows.length) / size)));
    }
    await client.query(`close ${cursor}`);
  }
  return {
    migrations,
    tables,
    async *rows(table) {
      const select = `select row_to_json(t)::text as row from public.${pg.escapeIdentifier(table.name)} t`;
      for await (const rows of fetched(select, (row) => String(row.row).length)) {
        yield rows.map((row) => String(row.row));
      }
    },
    async *blobs() {
      for (const { name, columns } of tables) {
        if (!columns.includes('blob_key')) continue;
        const hashed = columns.includes('sha256') && columns.includes('size_bytes');
        const select = `select distinct blob_key, ${hashed ? 'sha256, size_bytes::text' : 'null as sha256, null as size_bytes'}
          from public.${pg.escapeIdentifier(name)} where blob_key is not null`;
        for await (const rows of fetched(select, () => 200)) {
          for (const row of rows)
            yield {
              key: String(row.blob_key),
              sha256: row.sha256 ?? null,
              sizeBytes: row.size_bytes === null ? null : Number(row.size_bytes),
            };
        }
      }
    },
    async setting(key) {
      const { rows } = await client.query('select value from setting where key = $1', [key]);
      return rows[0]?.value;
    },
    close: () => client.end().catch(() => undefined),
  };
}
