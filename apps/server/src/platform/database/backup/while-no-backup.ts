import type { Database } from '../database.ts';
import { LOCKS } from '../locks.ts';

/**
 * For whoever takes away rows and then the bytes they named: a backup copies the bytes of its snapshot for as long as it takes, and
 * until then nothing it names may go. Null: a backup is being made, and nothing was done; come again.
 */
export function whileNoBackup<T>(database: Pick<Database, 'session'>, work: () => Promise<T>): Promise<T | null> {
  return database.session(async (client) => {
    const { rows } = await client.query('select pg_try_advisory_lock_shared($1, $2) as held', [...LOCKS.backup]);
    if (rows[0]?.held !== true) return null;
    const done = await work();
    await client.query('select pg_advisory_unlock_shared($1, $2)', [...LOCKS.backup]);
    return done;
  });
}
