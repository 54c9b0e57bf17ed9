import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HangarError } from '@hangar/contract';
import pLimit from 'p-limit';
import type { Blobs } from '../../blobs/blobs.ts';
import { type Chunk, joinChunks } from '../log-line.ts';
import type { LogStore } from '../log-store.ts';
import type { CompactionSession, Member } from './compaction-session.ts';

/** Text of one gzip member: the least that a reader of one line has to unpack. */
const MEMBER_CHARS = 256 * 1024;
/** Text of one blob, after which the next one begins. */
const BLOB_CHARS = 64 * 1024 * 1024;
/** More than any blob can become: a chunk is at most 16 MiB more, and bytes are at most three times the characters. */
const BLOB_MAX_BYTES = 512 * 1024 * 1024;

const pack = promisify(gzip);

export const blobsOf = (logId: string): string => `logs/${logId}/`;

/**
 * Moves a log that has ended from the table to the blob store, where it stays readable line by line. Blobs are written first, then
 * the rows are exchanged in one transaction: a crash in between leaves blobs that no row names, and the next run removes them.
 */
export function createLogCompaction(o: {
  store: LogStore;
  blobs: Blobs;
  withSession: <T>(logId: string, work: (session: CompactionSession) => Promise<T>) => Promise<T | null>;
}) {
  const inTurn = pLimit(1);

  /** False: the log has not ended, is gone, or is compacted by another server just now. */
  async function compact(logId: string, signal?: AbortSignal): Promise<boolean> {
    const done = await o.withSession(logId, async (session) => {
      const log = await session.read();
      if (!log?.ended) return false;
      if (log.compacted) return true;
      await removeUnnamed(logId, session);
      const members: Member[] = [];
      for (let after = 0; after < log.lastLine; after = members.at(-1)?.last ?? log.lastLine) {
        const key = `${blobsOf(logId)}${after + 1}-${randomBytes(8).toString('hex')}`;
        const packed = Readable.from(packFrom(logId, after, log.lastLine, key, members, signal), { objectMode: false });
        await o.blobs.put(key, packed, { maxBytes: BLOB_MAX_BYTES, ...(signal ? { signal } : {}) });
      }
      if (await session.exchange(members)) return true;
      // Removed in the meantime, so nobody will come to tidy up.
      for (const key of new Set(members.map((member) => member.key))) await o.blobs.remove(key);
      return false;
    });
    return done ?? false;
  }

  /** Gzip members for one blob; where they are is added to `members`. */
  async function* packFrom(
    logId: string,
    after: number,
    lastLine: number,
    key: string,
    members: Member[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer> {
    let start = 0;
    let total = 0;
    let next = after + 1;
    let group: Chunk[] = [];
    let size = 0;
    const close = async (): Promise<Buffer | null> => {
      const joined = joinChunks(group);
      if (!joined) return null;
      const bytes = await pack(joined.data);
      const { first, last, firstAt, lastAt } = joined;
      members.push({ first, last, firstAt, lastAt, key, start, bytes: bytes.length });
      start += bytes.length;
      [group, size] = [[], 0];
      return bytes;
    };
    for await (const piece of o.store.scan(logId, { after, signal })) {
      if (piece.first !== next) throw missing(logId, next);
      next = piece.last + 1;
      group.push(piece);
      size += piece.data.length;
      total += piece.data.length;
      if (size < MEMBER_CHARS) continue;
      const bytes = await close();
      if (bytes) yield bytes;
      if (total >= BLOB_CHARS) return;
    }
    const bytes = await close();
    if (bytes) yield bytes;
    if (next !== lastLine + 1) throw missing(logId, next);
  }

  /** Of runs that did not reach their end. */
  async function removeUnnamed(logId: string, session: CompactionSession): Promise<void> {
    const there: string[] = [];
    for await (const key of o.blobs.list(blobsOf(logId))) there.push(key);
    if (there.length === 0) return;
    // Asked after listing, on the session that holds the lock: were the lock lost, this would throw before anything is removed.
    const named = await session.namedBlobs();
    for (const key of there) if (!named.has(key)) await o.blobs.remove(key);
  }

  return { compact: (logId: string, signal?: AbortSignal) => inTurn(compact, logId, signal) };
}

function missing(logId: string, line: number): HangarError {
  return new HangarError('internal', { message: `The log ${logId} is not complete: line ${line} is missing.` });
}
