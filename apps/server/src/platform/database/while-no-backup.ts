import type { Database } from './database.ts';
import { LOCKS } from './locks.ts';

/**
 * For whoever takes away rows and then the bytes they named: a backup copies the bytes of its snapshot for as long as it takes, and
 * until then nothing it names may go. Null: a backup is being made, and nothing was done; come again.
 */
export async function whileNoBackup<T>(database: Database, work: () => Promise<T>): Promise<T | null> {
  const client = await database.pool.connect();
  let broken = true;
  try {
    const { rows } = await client.query('select pg_try_advisory_lock_shared($1, $2) as held', [...LOCKS.backup]);
    const held = rows[0]?.held === true;
    const done = held ? await work() : null;
    if (held) await client.query('select pg_advisory_unlock_shared($1, $2)', [...LOCKS.backup]);
    broken = false;
    return done;
  } finally {
    // After an error the connection goes, and the lock with it.
    client.release(broken);
  }
}
