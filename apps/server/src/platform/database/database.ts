import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import pg from 'pg';
import type { Logger } from 'pino';
import { claimDataDir } from './embedded/claim.ts';
import { startEmbedded } from './embedded/embedded.ts';
import { sqlState } from './errors.ts';
import { waitForServer } from './external.ts';
import { refuseWhileHolding, whileHolding } from './held-connection.ts';
import { createListener } from './listener.ts';
import { migrate } from './migrate.ts';

export type Db = NodePgDatabase<Record<string, never>>;
/** What store functions take: the database, or a transaction of it. */
export type Tx = PgDatabase<NodePgQueryResultHKT, Record<string, never>>;

export interface Database {
  /** For single statements. Refused inside of a transaction: whoever holds a connection waits for no other. */
  readonly pool: Pick<pg.Pool, 'query'>;
  readonly db: Db;
  /**
   * A connection that is not one of the pool, for locks that are held while other work goes on. After an error it is closed, and what
   * it held is free. There are few: a session opens no other.
   */
  session<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
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
const CONNECTIONS = 10;
const SESSIONS = 4;

const POOL: pg.PoolConfig = {
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
  /** At most so many in the pool. */
  connections?: number;
}): Promise<Database> {
  if (o.url === undefined) return openEmbedded(o);
  await waitForServer({ ...o, url: o.url });
  return (await connect({ connectionString: o.url }, o, async () => undefined)).database;
}

async function openEmbedded(o: {
  dataDir: string;
  log: Logger;
  signal?: AbortSignal;
  connections?: number;
}): Promise<Database> {
  const embedded = await startEmbedded(o);
  let opened: Opened | null = null;
  const claim = await claimDataDir({
    embedded,
    log: o.log,
    signal: o.signal,
    onTakenOver() {
      o.log.error('another server has taken over the data directory; this one can do nothing more');
      void opened?.cut();
    },
  }).catch(async (error: unknown) => {
    const inUse = error instanceof HangarError && error.code === 'data_dir_in_use';
    if (!inUse) await embedded.stop();
    throw error;
  });
  try {
    opened = await connect(embedded.connection, o, () => claim.release());
    return opened.database;
  } catch (error) {
    await claim.release();
    throw error;
  }
}

interface Opened {
  readonly database: Database;
  /** Ends the connections, and nothing else. */
  cut(): Promise<unknown>;
}

async function connect(
  connection: pg.ClientConfig,
  { log, connections = CONNECTIONS }: { log: Logger; connections?: number },
  afterClose: () => Promise<void>,
): Promise<Opened> {
  await migrate(connection);
  const sockets = new Set<Socket>();
  const stream = () => {
    const socket = new Socket();
    sockets.add(socket);
    return socket.once('close', () => sockets.delete(socket));
  };
  const openPool = (max: number): pg.Pool => {
    const pool = new pg.Pool({ ...POOL, ...connection, max, stream });
    // Without a handler an idle connection that the database ends would end this process.
    pool.on('error', (error) => log.warn({ code: sqlState(error) }, 'an idle database connection was lost'));
    // The same for a connection in a transaction that is lost between two of its queries; the next query throws.
    pool.on('connect', (client) => client.on('error', () => undefined));
    return pool;
  };
  const pool = guarded(openPool(connections));
  const sessions = openPool(SESSIONS);
  const listener = createListener(connection, log, () => {
    if (sockets.size > 0) log.warn({ connections: sockets.size }, 'the database says nothing; its connections are cut');
    // Who waits for an answer is told that the connection is lost.
    for (const socket of sockets) socket.destroy();
  });
  let cutting: Promise<unknown> | null = null;
  const cut = () => {
    cutting ??= Promise.all([pool.end(), sessions.end()]);
    return cutting;
  };
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await Promise.race([listener.close(), sleep(CLOSE_MS, undefined, { ref: false })]);
    await Promise.race([cut(), sleep(CLOSE_MS, undefined, { ref: false })]);
    // Who still waits for an answer gets none.
    for (const socket of sockets) socket.destroy();
    await afterClose();
  };
  const database: Database = {
    pool,
    db: withTransactions(pool),
    async session(work) {
      refuseWhileHolding('a session');
      const client = await sessions.connect();
      let broken = true;
      try {
        const done = await whileHolding('session', () => work(client));
        broken = false;
        return done;
      } finally {
        client.release(broken);
      }
    },
    listen: listener.listen,
    close() {
      closing ??= close();
      return closing;
    },
  };
  return { database, cut };
}

/** All ways to a connection of the pool lead through `connect`, `query` too. */
function guarded(pool: pg.Pool): pg.Pool {
  type Done = Parameters<pg.Pool['connect']>[0];
  const connect = pool.connect.bind(pool) as (done?: Done) => Promise<pg.PoolClient>;
  const guard = (done?: Done): Promise<pg.PoolClient> | undefined => {
    try {
      refuseWhileHolding('a connection of the pool');
    } catch (error) {
      if (!done) return Promise.reject(error);
      done(error as Error, undefined, () => undefined);
      return undefined;
    }
    return connect(done);
  };
  pool.connect = guard as pg.Pool['connect'];
  return pool;
}

function withTransactions(pool: pg.Pool): Db {
  const db: Db = drizzle({ client: pool });
  const transaction = db.transaction.bind(db);
  db.transaction = (work, config) => transaction((tx) => whileHolding('transaction', () => work(tx)), config);
  return db;
}
