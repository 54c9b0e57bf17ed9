import { HangarError } from '@hangar/contract';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import type { Db } from '../database.ts';
import { LOCKS } from '../locks.ts';
import { appliedMigrations, knownMigrations } from '../migrate.ts';

/** One connection of a command on the server's own machine, whether a server runs on this database or not. */
export interface Beside {
  readonly db: Db;
  query(
    text: string,
    values: readonly unknown[],
  ): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
  close(): Promise<void>;
}

/**
 * Connects for a command that changes rows of every feature, one such command at a time.
 * @throws HangarError database_version, data_dir_in_use
 */
export async function connectBeside(connection: pg.ClientConfig): Promise<Beside> {
  const client = new pg.Client({
    ...connection,
    application_name: 'hangar-command',
    connectionTimeoutMillis: 10_000,
    statement_timeout: 60_000,
    keepAlive: true,
  });
  client.on('error', () => undefined); // the query that fails says so
  await client.connect();
  const close = () => client.end().catch(() => undefined);
  try {
    const applied = await appliedMigrations(client);
    const known = knownMigrations();
    if (applied.length !== known.length || applied.some(({ hash }, index) => hash !== known[index]?.hash))
      throw new HangarError('database_version', {
        message: 'This database is not one of this release of Hangar.',
        wayOut: 'Start this release on it once, then try again.',
      });
    const { rows } = await client.query('select pg_try_advisory_lock($1, $2) as held', [...LOCKS.rotation]);
    if (rows[0]?.held !== true)
      throw new HangarError('data_dir_in_use', {
        message: 'Another command changes the master key of this server.',
        wayOut: 'Wait for it to end, then try again.',
      });
    return { db: drizzle({ client }), query: (text, values) => client.query(text, [...values]), close };
  } catch (error) {
    await close();
    throw error;
  }
}
