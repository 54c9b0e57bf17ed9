import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { HangarError, type LogBatch, type LogPage, type LogQuery } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Blobs } from '../blobs/blobs.ts';
import { type BlobOwner, blobsNamedBy } from '../blobs/orphans.ts';
import type { Database } from '../database/index.ts';
import { withCompactionSession } from './compact/compaction-session.ts';
import { blobsOf, createLogCompaction } from './compact/log-compaction.ts';
import type { LogSink } from './follow/log-follower.ts';
import { createLogHubs, type FollowFrom } from './follow/log-hubs.ts';
import { createLogStore } from './log-store.ts';
import { createLogReader, type PageQuery } from './read/log-reader.ts';
import { createLogWriter } from './write/log-writer.ts';

export interface LogStats {
  readonly lines: number;
  /** Of text, with LOG_LINE_BYTES for each line: about what is stored before it is packed. */
  readonly bytes: number;
  readonly lastLineAt: Date | null;
  readonly endedAt: Date | null;
}

/**
 * Everything that prints. A log comes into being with its first line; its lines are numbered from 1 without gaps over all its
 * sources. Any number of servers may write and follow the same log.
 */
export interface Logs {
  /**
   * Stores a batch and returns the highest batch of this source that is stored. A batch seen before is dropped; one that does not
   * follow the one before is refused, which the answer shows. Over `maxBytes` the log says so once, and the rest is dropped.
   */
  append(logId: string, source: string, batch: LogBatch, o: { maxBytes: number }): Promise<number>;
  /** What Hangar itself says; limits do not apply. Said once when a `key` is given, however often this is called with it. */
  appendSystem(logId: string, text: string, o?: { key?: string }): Promise<void>;
  /** Highest batch of a source that is stored; 0 when none is. */
  storedSeq(logId: string, source: string): Promise<number>;
  /** Nothing is added any more; followers are told, with the state. The first end counts. */
  end(logId: string, o: { state: string | null }): Promise<void>;
  /** @throws HangarError validation_failed (since) */
  read(logId: string, query: PageQuery, signal?: AbortSignal): Promise<LogPage>;
  /** The whole log, a line a line. */
  download(logId: string, format: Exclude<LogQuery['format'], 'json'>, signal?: AbortSignal): Readable;
  /**
   * Server-Sent Events of LogLine[] until the log has ended. `open` is called once it is known where to begin: until then errors
   * are thrown; it answers null when who asked has gone meanwhile. Resolves when the follower is attached; a sink that closes
   * leaves by itself.
   */
  follow(logId: string, from: FollowFrom, open: () => LogSink | null): Promise<void>;
  /**
   * Moves a log that has ended from the database to the blob store; reading it stays the same. True when it is there, also from
   * before; false when it has not ended, is gone, or another server is at it.
   */
  compact(logId: string, signal?: AbortSignal): Promise<boolean>;
  /** Moves all that have ended and wait for it, oldest first; not those that another server has in hand. */
  compactEnded(signal: AbortSignal): Promise<void>;
  /** Logs that have ended and wait for that, oldest first. */
  toCompact(limit: number): Promise<string[]>;
  remove(logId: string): Promise<void>;
  /** Logs that are not there are not in the map. */
  stats(logIds: readonly string[]): Promise<Map<string, LogStats>>;
  /** Whose the blobs of logs are. */
  readonly owner: BlobOwner;
  /** Cuts off all followers, who come back to another server or to this one. */
  close(): Promise<void>;
}

const LOG_ID = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
/** Source of what Hangar says; sources of callers are numbers or names. */
const SYSTEM = '!';
const TOGETHER = 20;

export function createLogs(o: { database: Database; blobs: Blobs; log: Logger }): Logs {
  const origin = randomBytes(8).toString('hex');
  const store = createLogStore({ database: o.database, blobs: o.blobs, origin });
  const reader = createLogReader(store);
  const hubs = createLogHubs({ database: o.database, store, reader, origin, log: o.log });
  const writer = createLogWriter({ store, publish: hubs.push });
  const compaction = createLogCompaction({
    store,
    blobs: o.blobs,
    withSession: (logId, work) => withCompactionSession(o.database, logId, work),
  });

  return {
    append: async (logId, source, batch, { maxBytes }) =>
      writer.append(checked(logId), { source, seq: batch.seq, lines: batch.lines, maxBytes }),

    async appendSystem(logId, text, { key } = {}) {
      const lines = [{ at: new Date().toISOString(), stream: 'system' as const, text }];
      const numbered = key === undefined ? { source: SYSTEM, seq: null } : { source: SYSTEM + key, seq: 1 };
      await writer.append(checked(logId), { ...numbered, lines, maxBytes: Number.POSITIVE_INFINITY });
    },

    storedSeq: async (logId, source) => (await store.state(checked(logId))).sources[source] ?? 0,

    async end(logId, { state }) {
      await writer.drain(checked(logId));
      await store.end(logId, state);
      writer.forget(logId);
      hubs.refresh(logId);
    },

    read: async (logId, query, signal) => reader.read(checked(logId), query, signal),

    download(logId, format, signal) {
      const text = reader.text(checked(logId), signal);
      if (format === 'text') return text;
      const packed = createGzip();
      text.on('error', (error) => packed.destroy(error));
      packed.on('close', () => text.destroy());
      return text.pipe(packed);
    },

    follow: async (logId, from, open) => hubs.follow(checked(logId), from, open),

    compact: async (logId, signal) => compaction.compact(checked(logId), signal),
    toCompact: (limit) => store.toCompact(limit),

    async compactEnded(signal) {
      // One that another server has in hand stays in the list; it is not waited for.
      const seen = new Set<string>();
      for (;;) {
        const ids = (await store.toCompact(TOGETHER)).filter((id) => !seen.has(id));
        if (ids.length === 0 || signal.aborted) return;
        for (const id of ids) if (!signal.aborted) await compaction.compact(id, signal);
        for (const id of ids) seen.add(id);
      }
    },

    async remove(logId) {
      await store.remove(checked(logId));
      writer.forget(logId);
      hubs.refresh(logId);
      await o.blobs.removeAll(blobsOf(logId));
    },

    async stats(logIds) {
      const rows = await store.rows(logIds);
      return new Map(
        rows.map(({ id, lastLine, bytes, lastLineAt, endedAt }) => [
          id,
          { lines: lastLine, bytes, lastLineAt, endedAt },
        ]),
      );
    },

    owner: blobsNamedBy(o.database, 'logs', { table: 'log_chunk', id: 'log_id' }),
    close: () => hubs.close(),
  };
}

function checked(logId: string): string {
  if (LOG_ID.test(logId)) return logId;
  throw new HangarError('internal', {
    message: `This is not the id of a log: ${JSON.stringify(logId.slice(0, 100))}.`,
  });
}
