import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import pg from 'pg';
import type { Logger } from 'pino';
import { isConnectionLoss, sqlState } from './errors.ts';

const OLDEST_MAJOR = 15;
const CONNECT_DEADLINE_MS = 15_000;

/**
 * Waits for a database given by URL, which may be starting at the same time, and looks at its version. Throws
 * `config_invalid`, `database_unavailable`, `database_version`.
 */
export async function waitForServer(o: {
  url: string;
  log: Logger;
  signal?: AbortSignal;
  deadlineMs?: number;
}): Promise<void> {
  if (!/^postgres(ql)?:\/\//.test(o.url)) {
    throw new HangarError('config_invalid', {
      message: 'HANGAR_DATABASE_URL is not a PostgreSQL URL.',
      wayOut: 'Write it as postgresql://user:password@host:5432/database.',
    });
  }
  const deadline = performance.now() + (o.deadlineMs ?? CONNECT_DEADLINE_MS);
  for (let attempts = 0; ; attempts += 1) {
    o.signal?.throwIfAborted();
    try {
      const version = await serverVersion(o.url);
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
