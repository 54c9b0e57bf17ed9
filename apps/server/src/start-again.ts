import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isConnectionLoss } from './platform/database/index.ts';

const GIVE_UP_MS = 60_000;
const PAUSE_MS = 500;

/**
 * A database that is lost while the server starts is what restarts it in a moment: then the start begins again, for a
 * minute at most. Whatever else goes wrong is thrown.
 */
export async function throughLosses<T>(start: () => Promise<T>, o: { log: Logger; signal: AbortSignal }): Promise<T> {
  const deadline = performance.now() + GIVE_UP_MS;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (!isConnectionLoss(error) || o.signal.aborted || performance.now() > deadline) throw error;
      o.log.warn({ err: error }, 'the database was lost while starting; starting again');
      await sleep(PAUSE_MS, undefined, { signal: o.signal }).catch(() => undefined);
    }
  }
}
