import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { HangarError } from '@hangar/contract';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { z } from 'zod';
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

/** One checked-in migration. Its hash is what the database remembers of it. */
export interface Migration {
  readonly name: string;
  readonly hash: string;
  /** Milliseconds; how drizzle orders them. */
  readonly createdAt: number;
  readonly statements: readonly string[];
}

const Journal = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) });

/** All migrations of this Hangar, oldest first. */
export function knownMigrations(): Migration[] {
  const folder = migrationsFolder();
  const { entries } = Journal.parse(JSON.parse(readFileSync(path.join(folder, 'meta/_journal.json'), 'utf8')));
  return entries.map(({ tag, when }) => {
    const text = readFileSync(path.join(folder, `${tag}.sql`), 'utf8');
    const hash = createHash('sha256').update(text).digest('hex');
    return { name: tag, hash, createdAt: when, statements: text.split('--> statement-breakpoint') };
  });
}

/** Which migrations a database has had, oldest first; none when it is empty. */
export async function appliedMigrations(client: pg.ClientBase): Promise<{ hash: string; createdAt: number }[]> {
  const there = await client.query(`select to_regclass('drizzle.__drizzle_migrations') is not null as there`);
  if (there.rows[0]?.there !== true) return [];
  const { rows } = await client.query('select hash, created_at from drizzle.__drizzle_migrations order by created_at');
  return rows.map((row) => ({ hash: String(row.hash), createdAt: Number(row.created_at) }));
}

/** A newer Hangar may have changed what an older one would read wrongly or write back without. */
function refuseNewer(applied: readonly { hash: string; createdAt: number }[]): void {
  const known = knownMigrations();
  const unknown = applied.filter(({ hash }) => !known.some((migration) => migration.hash === hash));
  if (unknown.length === 0) return;
  const newest = known.at(-1)?.createdAt ?? 0;
  const isNewer = unknown.some(({ createdAt }) => createdAt > newest);
  throw new HangarError('database_version', {
    message: isNewer
      ? 'The database was written by a newer Hangar than this one. Nothing was changed.'
      : 'The database has had a migration that no released Hangar knows. Nothing was changed.',
    wayOut: isNewer
      ? 'Start the newer Hangar again, or restore a backup made before the upgrade: hangar server restore FILE'
      : 'Start the Hangar that made it, or use another database or data directory.',
  });
}

const notMigrated = (cause: unknown, reason: string): HangarError =>
  new HangarError('database_unavailable', {
    message: `The database could not be migrated: ${reason}`,
    wayOut: wayOut(cause, reason),
    cause,
  });

function wayOut(cause: unknown, reason: string): string {
  if (sqlState(cause) === '42P07')
    return 'Its tables are not those of a released Hangar. Use a new database or data directory.';
  if (reason.includes('pg_trgm'))
    return 'pg_trgm comes with PostgreSQL; some packages of it leave it to one called contrib. Install that, then start the server again.';
  return 'Nothing was changed. Correct the reason, then start the server again.';
}

/** Applies migrations in a transaction of the caller's, and keeps drizzle's books of them, so that `migrate` goes on from there. */
export async function applyWithin(client: pg.ClientBase, migrations: readonly Migration[]): Promise<void> {
  try {
    for (const { statements } of migrations) for (const text of statements) await client.query(text);
    await client.query('create schema if not exists drizzle');
    await client.query(
      'create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)',
    );
    for (const { hash, createdAt } of migrations)
      await client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [
        hash,
        createdAt,
      ]);
  } catch (cause) {
    throw notMigrated(cause, cause instanceof Error ? cause.message : String(cause));
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
    refuseNewer(await appliedMigrations(client));
    await applyMigrations(drizzle({ client }), { migrationsFolder: migrationsFolder() });
  } catch (cause) {
    if (cause instanceof HangarError) throw cause;
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw notMigrated(cause, reason);
  } finally {
    await client.end().catch(() => undefined); // gives the lock back, also after an error
  }
}
