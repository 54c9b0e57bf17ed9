import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { HangarError } from '@hangar/contract';
import type { Blobs } from '../blobs/blobs.ts';
import type { Database } from '../database/index.ts';
import type { Chunk } from './log-line.ts';
import type { LogState } from './write/log-append.ts';

export const CHANNEL = 'hangar_log';

/** What a log is, for readers. */
export interface LogRow {
  readonly id: string;
  readonly lastLine: number;
  readonly bytes: number;
  readonly lastLineAt: Date | null;
  readonly endedAt: Date | null;
  readonly endState: string | null;
}

/** A chunk as a scan gives it; only its lines from..to are new to the caller. */
export interface Piece extends Chunk {
  readonly from: number;
  readonly to: number;
}

export interface ScanRange {
  /** Lines after this number. */
  readonly after: number;
  /** Lines before this number. */
  readonly before?: number;
  /** Only chunks that have a line of this time or later. */
  readonly since?: Date;
  readonly descending?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A query of a scan brings about this much. The first one does not know the size of chunks yet. */
const FETCH_BYTES = 1024 * 1024;
const FETCH_FIRST = 8;
const FETCH_MOST = 500;

const unpack = promisify(gunzip);

/** The only SQL of logs. `origin` names this process in notifications. */
export type LogStore = ReturnType<typeof createLogStore>;

export function createLogStore({ database, blobs, origin }: { database: Database; blobs: Blobs; origin: string }) {
  const { pool } = database;

  async function rows(ids: readonly string[]): Promise<LogRow[]> {
    const found = await pool.query({
      name: 'log_rows',
      text: 'select id, last_line, bytes, last_line_at, ended_at, end_state from log where id = any($1)',
      values: [ids],
    });
    return found.rows.map((row) => ({
      id: row.id,
      lastLine: row.last_line,
      bytes: Number(row.bytes),
      lastLineAt: row.last_line_at,
      endedAt: row.ended_at,
      endState: row.end_state,
    }));
  }

  /** Makes the log when it is not there yet. */
  async function state(logId: string): Promise<LogState> {
    const select = () =>
      pool.query({
        name: 'log_state',
        text: 'select revision, last_line, bytes, truncated, ended_at, sources from log where id = $1',
        values: [logId],
      });
    let [row] = (await select()).rows;
    if (!row) {
      await pool.query('insert into log (id) values ($1) on conflict do nothing', [logId]);
      [row] = (await select()).rows;
    }
    return {
      revision: row.revision,
      lastLine: row.last_line,
      bytes: Number(row.bytes),
      truncated: row.truncated,
      ended: row.ended_at !== null,
      sources: row.sources,
    };
  }

  /** Writes chunks and state in one statement, if the log is still as `before` says; false when it is not. */
  async function commit(logId: string, before: LogState, next: LogState, chunks: readonly Chunk[]): Promise<boolean> {
    const values: unknown[] = [
      logId,
      before.revision,
      next.lastLine,
      next.bytes,
      next.truncated,
      JSON.stringify(next.sources),
      `${origin} ${logId}`,
    ];
    const tuples = chunks.map((chunk) => {
      const at = values.length;
      values.push(chunk.first, chunk.last, chunk.firstAt, chunk.lastAt, chunk.data);
      return `($${at + 1}::int, $${at + 2}::int, $${at + 3}::timestamptz, $${at + 4}::timestamptz, $${at + 5}::text)`;
    });
    const insert =
      tuples.length === 0
        ? ''
        : `, c as (insert into log_chunk (log_id, first, last, first_at, last_at, data)
             select $1, v.* from u, (values ${tuples.join(', ')}) v)`;
    const done = await pool.query({
      ...(tuples.length <= 1 ? { name: `log_commit_${tuples.length}` } : {}),
      text: `with u as (update log set revision = revision + 1, last_line = $3, bytes = $4, truncated = $5, sources = $6,
               last_line_at = case when $3 > last_line then now() else last_line_at end
             where id = $1 and revision = $2 and ended_at is null returning id)${insert}
             select pg_notify('${CHANNEL}', $7) from u`,
      values,
    });
    return done.rowCount === 1;
  }

  /** The first end counts. */
  async function end(logId: string, endState: string | null): Promise<void> {
    await pool.query(
      `with e as (insert into log (id, ended_at, end_state) values ($1, now(), $2)
         on conflict (id) do update set ended_at = now(), end_state = $2, revision = log.revision + 1
         where log.ended_at is null returning id)
       select pg_notify('${CHANNEL}', $3) from e`,
      [logId, endState, `${origin} ${logId}`],
    );
  }

  async function remove(logId: string): Promise<void> {
    await pool.query(
      `with l as (delete from log where id = $1), c as (delete from log_chunk where log_id = $1)
       select pg_notify('${CHANNEL}', $2)`,
      [logId, `${origin} ${logId}`],
    );
  }

  /**
   * Chunks in order. Each query sees the table as it is then: chunks that were joined in between come as one that begins
   * before where the scan is, which is why a piece says which of its lines are new.
   */
  async function* scan(logId: string, range: ScanRange): AsyncGenerator<Piece> {
    let { after } = range;
    let before = range.before ?? 2 ** 31 - 1;
    let limit = FETCH_FIRST;
    while (after + 1 < before) {
      range.signal?.throwIfAborted();
      const found = await pool.query(
        `select first, last, first_at, last_at, data, blob_key, blob_start, blob_bytes from log_chunk
         where log_id = $1 and last > $2 and ($4::timestamptz is null or last_at >= $4)
           and last <= (select coalesce(min(last), $3) from log_chunk where log_id = $1 and last >= $3 - 1)
         order by last ${range.descending ? 'desc' : 'asc'} limit $5`,
        [logId, after, before, range.since ?? null, limit],
      );
      let size = 0;
      for (const row of found.rows) {
        const data: string = row.data ?? (await fromBlob(row, range.signal));
        size += data.length;
        const from = Math.max(row.first, after + 1);
        const to = Math.min(row.last, before - 1);
        const [firstAt, lastAt] = [row.first_at.toISOString(), row.last_at.toISOString()];
        if (from <= to) yield { first: row.first, last: row.last, firstAt, lastAt, data, from, to };
        if (range.descending) before = Math.min(before, row.first);
        else after = Math.max(after, row.last);
      }
      if (found.rows.length < limit) return;
      limit = Math.max(4, Math.min(FETCH_MOST, Math.ceil((FETCH_BYTES * found.rows.length) / Math.max(1, size))));
    }
  }

  async function fromBlob(
    row: { blob_key: string; blob_start: string; blob_bytes: number },
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const start = Number(row.blob_start);
    const range = { start, end: start + row.blob_bytes - 1 };
    const found = await blobs.get(row.blob_key, { range, ...(signal ? { signal } : {}) });
    if (!found) throw new HangarError('internal', { message: `A part of a log is missing: ${row.blob_key}.` });
    return (await unpack(await buffer(found.body))).toString('utf8');
  }

  /** Logs that have ended and are still in the table. */
  async function toCompact(limit: number): Promise<string[]> {
    const found = await pool.query(
      'select id from log where ended_at is not null and compacted_at is null order by ended_at limit $1',
      [limit],
    );
    return found.rows.map((row) => row.id);
  }

  return { rows, state, commit, end, remove, scan, toCompact };
}
