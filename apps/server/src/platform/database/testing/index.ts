import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { inject } from 'vitest';
import { type Database, openDatabase } from '../database.ts';
import { startEmbedded } from '../embedded/embedded.ts';
import { LOCKS } from '../locks.ts';
import { migrate } from '../migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The data directory of the PostgreSQL that all tests of a run share; empty until the first one needs it. */
    hangarTestDataDir: string;
  }
}

const TEMPLATE = 'hangar_template';

/** Faster, and nothing in a test survives a power cut. */
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  max_connections: '200',
};

/**
 * A database of the test's own, migrated, in the one PostgreSQL of the run, which the first caller starts.
 * `drop()` closes and removes it; the URL works for a second `openDatabase` too.
 */
export async function createTestDatabase(): Promise<Database & { url: string; drop(): Promise<void> }> {
  const dataDir = inject('hangarTestDataDir');
  const log = pino({ level: 'silent' });
  const { connection } = await startEmbedded({ dataDir, log, settings: SETTINGS });
  const name = `test_${randomBytes(6).toString('hex')}`;

  await asAdmin(connection, async (admin) => {
    await admin.query('select pg_advisory_lock($1, $2)', [...LOCKS.testTemplate]);
    const { rowCount } = await admin.query('select 1 from pg_database where datname = $1', [TEMPLATE]);
    if (rowCount === 0) {
      await admin.query(`create database ${TEMPLATE}_new`);
      await migrate({ ...connection, database: `${TEMPLATE}_new` });
      await renameWhenIdle(admin);
    }
    await admin.query('select pg_advisory_unlock($1, $2)', [...LOCKS.testTemplate]);
    await admin.query(`create database ${name} template ${TEMPLATE}`);
  });

  const url = `postgresql://${connection.user}@${encodeURIComponent(connection.host)}:${connection.port}/${name}`;
  const database = await openDatabase({ url, dataDir, log });
  return {
    ...database,
    url,
    async drop() {
      await database.close();
      await asAdmin(connection, (admin) => admin.query(`drop database if exists ${name} with (force)`));
    },
  };
}

/** The backend of a client that has ended lives a moment longer. */
async function renameWhenIdle(admin: pg.Client): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await admin.query(`alter database ${TEMPLATE}_new rename to ${TEMPLATE}`);
      return;
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(20);
    }
  }
}

async function asAdmin(connection: pg.ClientConfig, work: (admin: pg.Client) => Promise<unknown>): Promise<void> {
  const admin = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000 });
  admin.on('error', () => undefined);
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}
