import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import pg from 'pg';
import type { Logger } from 'pino';
import { LOCKS } from '../locks.ts';
import type { EmbeddedPostgres } from './embedded.ts';

/** How long the session of a server that was just killed may take to end. */
const CLAIM_DEADLINE_MS = 1_000;

/** This process's hold on a data directory. */
export interface Claim {
  release(): Promise<void>;
}

/**
 * Makes this process the only server on the data directory, by a lock that PostgreSQL gives back the moment the
 * process dies. The connection that holds it is also how a dead PostgreSQL is noticed: it is then started again.
 * Throws `data_dir_in_use`. `onTakenOver`: while PostgreSQL was down, another server has got in.
 */
export async function claimDataDir(o: {
  embedded: EmbeddedPostgres;
  log: Logger;
  signal?: AbortSignal | undefined;
  onTakenOver: () => void;
}): Promise<Claim> {
  const releasing = new AbortController();

  async function hold(signal: AbortSignal | undefined): Promise<{ client: pg.Client; lost: Promise<void> }> {
    const client = new pg.Client({
      ...o.embedded.connection,
      application_name: 'hangar-server',
      connectionTimeoutMillis: 10_000,
      query_timeout: 10_000,
    });
    const lost = Promise.withResolvers<void>();
    client.on('error', () => lost.resolve());
    client.on('end', () => lost.resolve());
    try {
      await client.connect();
      const deadline = performance.now() + CLAIM_DEADLINE_MS;
      for (;;) {
        signal?.throwIfAborted();
        const { rows } = await client.query('select pg_try_advisory_lock($1, $2) as held', [...LOCKS.dataDir]);
        if (rows[0]?.held === true) return { client, lost: lost.promise };
        if (performance.now() > deadline) throw new HangarError('data_dir_in_use');
        await sleep(40);
      }
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
  }

  async function keepHolding(lost: Promise<void>): Promise<void> {
    let until = lost;
    for (;;) {
      await until;
      if (releasing.signal.aborted) return;
      o.log.warn('the built-in PostgreSQL has gone away; starting it again');
      for (let failures = 0; ; failures += 1) {
        try {
          await o.embedded.ensureRunning(releasing.signal);
          const held = await hold(releasing.signal);
          current = held.client;
          until = held.lost;
          o.log.info('the built-in PostgreSQL is back');
          break;
        } catch (error) {
          if (releasing.signal.aborted) return;
          if (error instanceof HangarError && error.code === 'data_dir_in_use') return o.onTakenOver();
          o.log[failures === 10 ? 'error' : 'warn']({ err: error }, 'the built-in PostgreSQL cannot be started again');
          await sleep(Math.min(5_000, 100 * 2 ** failures), undefined, { signal: releasing.signal }).catch(
            () => undefined,
          );
        }
      }
    }
  }

  const first = await hold(o.signal);
  let current = first.client;
  const watching = keepHolding(first.lost);
  return {
    /** Stops PostgreSQL while still holding the lock, so that no other server adopts what is about to end. */
    async release() {
      releasing.abort();
      await o.embedded.stop();
      await current.end().catch(() => undefined);
      await watching;
    },
  };
}
