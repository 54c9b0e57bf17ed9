import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import pg from 'pg';
import type { Logger } from 'pino';
import { claimDataDir } from './claim.ts';
import { startEmbedded } from './embedded.ts';
import { isConnectionLoss, sqlState } from './errors.ts';
import { createListener } from './listener.ts';
import { migrate } from './migrate.ts';

export type Db = NodePgDatabase<Record<string, never>>;
/** What store functions take: the database, or a transaction of it. */
export type Tx = PgDatabase<NodePgQueryResultHKT, Record<string, never>>;

export interface Database {
  readonly pool: pg.Pool;
  readonly db: Db;
  /**
   * LISTEN on one dedicated connection per process. After a lost connection it listens again and calls onReconnect:
   * what was notified in between is lost, so the listener has to catch up from its tables.
   */
  listen(
    channel: string,
    onMessage: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<{ close(): Promise<void> }>;
  /** Ends all connections and stops the built-in PostgreSQL. */
  close(): Promise<void>;
}

const OLDEST_MAJOR = 15;
/** How long a start waits for a database given by URL, which may be starting at the same time. */
const CONNECT_DEADLINE_MS = 15_000;

const POOL: pg.PoolConfig = {
  max: 10,
  connectionTimeoutMillis: 10_000,
  idleTimeoutMillis: 30_000,
  statement_timeout: 60_000,
  idle_in_transaction_session_timeout: 60_000,
  application_name: 'hangar',
  keepAlive: true,
};

/**
 * Opens the database and brings its schema up to date. Without a URL it is the PostgreSQL of the data directory,
 * which only one server may use at a time. Throws `data_dir_in_use`, `data_dir_unusable`, `database_version`,
 * `database_unavailable`, `config_invalid`.
 */
export async function openDatabase(o: {
  url?: string;
  dataDir: string;
  log: Logger;
  signal?: AbortSignal;
}): Promise<Database> {
  if (o.url === undefined) return openEmbedded(o);
  await checkServer(o.url, o);
  return connect({ connectionString: o.url }, o.log, async () => undefined);
}

async function openEmbedded(o: { dataDir: string; log: Logger; signal?: AbortSignal }): Promise<Database> {
  const embedded = await startEmbedded(o);
  let database: Database | null = null;
  const claim = await claimDataDir({
    embedded,
    log: o.log,
    signal: o.signal,
    onTakenOver() {
      o.log.error('another server has taken over the data directory; this one can do nothing more');
      void database?.pool.end();
    },
  });
  try {
    database = await connect(embedded.connection, o.log, () => claim.release());
    return database;
  } catch (error) {
    await claim.release();
    throw error;
  }
}

async function connect(connection: pg.ClientConfig, log: Logger, afterClose: () => Promise<void>): Promise<Database> {
  await migrate(connection);
  const pool = new pg.Pool({ ...POOL, ...connection });
  // Without a handler an idle connection that the database ends would end this process.
  pool.on('error', (error) => log.warn({ code: sqlState(error) }, 'an idle database connection was lost'));
  const listener = createListener(connection, log);
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await listener.close();
    if (!pool.ended) await Promise.race([pool.end(), sleep(5_000, undefined, { ref: false })]);
    await afterClose();
  };
  return {
    pool,
    db: drizzle({ client: pool }),
    listen: listener.listen,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

async function checkServer(url: string, o: { log: Logger; signal?: AbortSignal }): Promise<void> {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new HangarError('config_invalid', {
      message: 'HANGAR_DATABASE_URL is not a PostgreSQL URL.',
      wayOut: 'Write it as postgresql://user:password@host:5432/database.',
    });
  }
  const deadline = performance.now() + CONNECT_DEADLINE_MS;
  for (let attempts = 0; ; attempts += 1) {
    o.signal?.throwIfAborted();
    try {
      const version = await serverVersion(url);
      if (Math.floor(version.number / 10_000) >= OLDEST_MAJOR) return;
      throw new HangarError('database_version', {
        message: `The database is PostgreSQL ${version.name}; Hangar needs ${OLDEST_MAJOR} or newer.`,
        wayOut: 'Upgrade it, or name another one in HANGAR_DATABASE_URL.',
      });
    } catch (error) {
      if (error instanceof HangarError) throw error;
      const reason = error instanceof Error ? error.message || String(sqlState(error)) : String(error);
      if (!isConnectionLoss(error) || performance.now() > deadline) {
        throw new HangarError('database_unavailable', {
          message: `The database cannot be reached: ${reason}`,
          wayOut: 'Check HANGAR_DATABASE_URL, and that the database is running.',
          cause: error,
        });
      }
      if (attempts === 0) o.log.warn({ reason }, 'waiting for the database');
      await sleep(500, undefined, o.signal ? { signal: o.signal } : {});
    }
  }
}

async function serverVersion(url: string): Promise<{ number: number; name: string }> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, query_timeout: 10_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query(
      `select current_setting('server_version_num')::int as number, current_setting('server_version') as name`,
    );
    return { number: Number(rows[0]?.number), name: String(rows[0]?.name) };
  } finally {
    await client.end().catch(() => undefined);
  }
}
