import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import pg from 'pg';
import type { Logger } from 'pino';
import { claimDataDir } from './claim.ts';
import { startEmbedded } from './embedded.ts';
import { sqlState } from './errors.ts';
import { waitForServer } from './external.ts';
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

/** How long the last queries may take. */
const CLOSE_MS = 5_000;

const POOL: pg.PoolConfig = {
  max: 10,
  connectionTimeoutMillis: 10_000,
  idleTimeoutMillis: 30_000,
  statement_timeout: 60_000,
  idle_in_transaction_session_timeout: 60_000,
  application_name: 'hangar',
  keepAlive: true,
  keepAliveInitialDelayMillis: 15_000,
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
  await waitForServer({ ...o, url: o.url });
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
  }).catch(async (error: unknown) => {
    const inUse = error instanceof HangarError && error.code === 'data_dir_in_use';
    if (!inUse) await embedded.stop();
    throw error;
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
  const sockets = new Set<Socket>();
  const stream = () => {
    const socket = new Socket();
    sockets.add(socket);
    return socket.once('close', () => sockets.delete(socket));
  };
  const pool = new pg.Pool({ ...POOL, ...connection, stream });
  // Without a handler an idle connection that the database ends would end this process.
  pool.on('error', (error) => log.warn({ code: sqlState(error) }, 'an idle database connection was lost'));
  // The same for a connection in a transaction that is lost between two of its queries; the next query throws.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const listener = createListener(connection, log, () => {
    if (sockets.size > 0) log.warn({ connections: sockets.size }, 'the database says nothing; its connections are cut');
    // Who waits for an answer is told that the connection is lost.
    for (const socket of sockets) socket.destroy();
  });
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await Promise.race([listener.close(), sleep(CLOSE_MS, undefined, { ref: false })]);
    if (!pool.ended) await Promise.race([pool.end(), sleep(CLOSE_MS, undefined, { ref: false })]);
    // Who still waits for an answer gets none.
    for (const socket of sockets) socket.destroy();
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
