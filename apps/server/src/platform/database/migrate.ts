import { existsSync } from 'node:fs';
import path from 'node:path';
import { HangarError } from '@hangar/contract';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { sqlState } from './errors.ts';
import { LOCKS } from './locks.ts';

/** How long one server waits while another migrates. */
const LOCK_DEADLINE = '120s';

/** The checked-in SQL: `migrations/` of the server, also when this file is part of a bundle beside it. */
export function migrationsFolder(): string {
  for (let at = import.meta.dirname; ; at = path.dirname(at)) {
    const folder = path.join(at, 'migrations');
    if (existsSync(path.join(folder, 'meta', '_journal.json'))) return folder;
    if (path.dirname(at) === at) {
      throw new HangarError('internal', { message: 'The migrations of the database are missing from this install.' });
    }
  }
}

/** Brings the schema up to date. One at a time across all servers: drizzle itself does not guard against a second. */
export async function migrate(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...connection, statement_timeout: 0, application_name: 'hangar-migrate' });
  client.on('error', () => undefined); // the query that fails says so
  await client.connect();
  try {
    await client.query(`set lock_timeout = '${LOCK_DEADLINE}'`);
    await client.query('select pg_advisory_lock($1, $2)', [...LOCKS.migrate]);
    await client.query('set lock_timeout = 0');
    await applyMigrations(drizzle({ client }), { migrationsFolder: migrationsFolder() });
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    const madeByOther = sqlState(cause) === '42P07';
    throw new HangarError('database_unavailable', {
      message: `The database could not be migrated: ${reason}`,
      wayOut: madeByOther
        ? 'Its tables are not those of a released Hangar. Use a new database or data directory.'
        : 'Nothing was changed. Correct the reason, then start the server again.',
      cause,
    });
  } finally {
    await client.end().catch(() => undefined); // gives the lock back, also after an error
  }
}
