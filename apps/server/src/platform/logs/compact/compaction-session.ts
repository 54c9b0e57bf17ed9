import type { Database } from '../../database/index.ts';
import { thingKey } from '../../database/locks.ts';
import type { Chunk } from '../log-line.ts';

/** Where lines first..last of a log are: one gzip member in a blob. */
export interface Member extends Omit<Chunk, 'data'> {
  readonly key: string;
  readonly start: number;
  readonly bytes: number;
}

/** The right to compact one log, held on one connection: whatever it asks fails when the right is lost. */
export interface CompactionSession {
  read(): Promise<{ lastLine: number; ended: boolean; compacted: boolean } | null>;
  namedBlobs(): Promise<Set<string>>;
  /** Names the blobs instead of the text, in one transaction. False when the log is gone; then nothing has changed. */
  exchange(members: readonly Member[]): Promise<boolean>;
}

const LOCK = thingKey('log');
const ROWS_AT_ONCE = 1000;

/** Null when another server compacts this log just now. */
export function withCompactionSession<T>(
  database: Pick<Database, 'session'>,
  logId: string,
  work: (session: CompactionSession) => Promise<T>,
): Promise<T | null> {
  return database.session(async (client) => {
    const { rows } = await client.query(`select pg_try_advisory_lock(${LOCK}) as held`, [logId]);
    if (rows[0]?.held !== true) return null;
    const done = await work({
      async read() {
        const found = await client.query('select last_line, ended_at, compacted_at from log where id = $1', [logId]);
        const [row] = found.rows;
        return row
          ? { lastLine: row.last_line, ended: row.ended_at !== null, compacted: row.compacted_at !== null }
          : null;
      },
      async namedBlobs() {
        const found = await client.query(
          'select distinct blob_key from log_chunk where log_id = $1 and blob_key is not null',
          [logId],
        );
        return new Set(found.rows.map((row) => row.blob_key));
      },
      async exchange(members) {
        await client.query('begin');
        const marked = await client.query(
          'update log set compacted_at = now() where id = $1 and ended_at is not null and compacted_at is null',
          [logId],
        );
        if (marked.rowCount !== 1) {
          await client.query('rollback');
          return false;
        }
        await client.query('delete from log_chunk where log_id = $1', [logId]);
        for (let at = 0; at < members.length; at += ROWS_AT_ONCE) {
          const some = members.slice(at, at + ROWS_AT_ONCE);
          await client.query(
            `insert into log_chunk (log_id, first, last, first_at, last_at, blob_key, blob_start, blob_bytes)
             select $1, * from unnest($2::int[], $3::int[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::bigint[], $8::int[])`,
            [
              logId,
              some.map((member) => member.first),
              some.map((member) => member.last),
              some.map((member) => member.firstAt),
              some.map((member) => member.lastAt),
              some.map((member) => member.key),
              some.map((member) => member.start),
              some.map((member) => member.bytes),
            ],
          );
        }
        await client.query('commit');
        return true;
      },
    });
    await client.query(`select pg_advisory_unlock(${LOCK})`, [logId]);
    return done;
  });
}
