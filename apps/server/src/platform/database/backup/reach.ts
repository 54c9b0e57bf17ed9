import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { HangarError } from '@hangar/contract';
import pg from 'pg';
import type { Logger } from 'pino';
import { claimDataDir } from '../embedded/claim.ts';
import { startEmbedded } from '../embedded/embedded.ts';
import { readPostmaster, SOCKET_PORT } from '../embedded/postmaster.ts';
import { waitForServer } from '../external.ts';

/** A database as a command on the server's machine reaches it, without being a server. */
export interface Reached {
  readonly connection: pg.ClientConfig;
  /** Stops the built-in PostgreSQL when it was started for this. */
  close(): Promise<void>;
}

/**
 * Finds the database of the settings, its schema as it is. Not `alone`: beside the server that may run on it. `alone`: only when no
 * server uses it, and a data directory without one gets an empty database.
 * @throws HangarError data_dir_in_use, data_dir_unusable, database_unavailable, database_version, config_invalid
 */
export async function reachDatabase(o: {
  url: string | undefined;
  dataDir: string;
  alone: boolean;
  log: Logger;
  signal?: AbortSignal;
}): Promise<Reached> {
  if (o.url !== undefined) {
    await waitForServer({ ...o, url: o.url });
    const connection = { connectionString: o.url };
    if (o.alone) await refuseWhenUsed(connection);
    return { connection, close: async () => undefined };
  }
  if (!o.alone) {
    const running = await runningIn(path.join(o.dataDir, 'postgres'));
    if (running) return { connection: running, close: async () => undefined };
    if (!(await isThere(path.join(o.dataDir, 'postgres'))))
      throw new HangarError('data_dir_unusable', {
        message: `There is no database in ${o.dataDir}.`,
        wayOut: 'Set HANGAR_DATA_DIR, or HANGAR_DATABASE_URL, as they are set for the server.',
      });
  }
  const embedded = await startEmbedded(o);
  const claim = await claimDataDir({ embedded, log: o.log, signal: o.signal, onTakenOver: () => undefined });
  return { connection: embedded.connection, close: () => claim.release() };
}

async function runningIn(folder: string): Promise<pg.ClientConfig | null> {
  const socketDir = (await readPostmaster(folder))?.socketDir;
  if (socketDir === undefined) return null;
  const connection = { host: socketDir, port: SOCKET_PORT, user: 'hangar', database: 'postgres' };
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return connection;
  } catch {
    return null;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function refuseWhenUsed(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000, query_timeout: 10_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query(
      `select 1 from pg_stat_activity where datname = current_database() and application_name in ('hangar', 'hangar-listen') limit 1`,
    );
    if ((rowCount ?? 0) > 0)
      throw new HangarError('data_dir_in_use', {
        message: 'A Hangar server uses this database.',
        wayOut: 'Stop every server on it, then try again.',
      });
  } finally {
    await client.end().catch(() => undefined);
  }
}

const isThere = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );
