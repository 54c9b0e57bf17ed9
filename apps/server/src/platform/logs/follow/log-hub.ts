import { setTimeout as sleep } from 'node:timers/promises';
import type { LogEnd } from '@hangar/contract';
import type { LimitFunction } from 'p-limit';
import type { Logger } from 'pino';
import type { Chunk } from '../log-line.ts';
import type { LogStore } from '../log-store.ts';
import type { FollowedLog, Follower } from './log-follower.ts';
import { type Frame, frameOf, frameOfPiece } from './log-frame.ts';

/** What is kept in memory for followers a moment behind. */
const RING_FRAMES = 200;
const RING_BYTES = 8 * 1024 * 1024;
/** What one fetch brings to a follower that is further behind. */
const FETCH_BYTES = 1024 * 1024;
const RETRY_MS = 500;

/** One log that somebody follows on this server. Reads each chunk once, however many follow. */
export interface LogHub extends FollowedLog {
  readonly followers: ReadonlySet<Follower>;
  /** Learns how far the log is. Only then has a follower somewhere to begin. */
  load(): Promise<void>;
  join(follower: Follower): void;
  /** Chunks that this process has just stored. */
  push(chunks: readonly Chunk[]): void;
  /** Somebody has changed the log: looks what it is now. */
  refresh(): void;
}

export function createLogHub(o: {
  logId: string;
  store: LogStore;
  limit: LimitFunction;
  log: Logger;
  /** The last follower has left. */
  onEmpty: () => void;
}): LogHub {
  const { logId, store } = o;
  const followers = new Set<Follower>();
  const ring: Frame[] = [];
  const fetches = new Map<number, Promise<readonly Frame[]>>();
  let ringBytes = 0;
  /** Last line that followers may see. Frames in the ring end here, without gaps. */
  let head = 0;
  let end: LogEnd | null = null;
  let loaded = false;
  let stale = false;
  let refreshing = false;

  /** False: this frame does not follow the one before it. */
  function add(frame: Frame): boolean {
    if (frame.first > head + 1) return false;
    if (frame.last <= head) return true;
    ring.push(frame);
    ringBytes += frame.bytes.length;
    head = frame.last;
    while (ring.length > RING_FRAMES || (ringBytes > RING_BYTES && ring.length > 1)) {
      ringBytes -= ring.shift()?.bytes.length ?? 0;
    }
    return true;
  }

  function pumpAll(): void {
    for (const follower of followers) follower.pump();
  }

  async function look(): Promise<void> {
    const [row] = await store.rows([logId]);
    if (row && row.lastLine > head) {
      for await (const piece of store.scan(logId, { after: head, before: row.lastLine + 1 })) {
        if (!add(frameOfPiece(piece))) break;
        pumpAll();
      }
    }
    if (row?.endedAt) end = { total: row.lastLine, state: row.endState };
    else if (!row && head > 0) end = { total: head, state: null }; // removed
    pumpAll();
  }

  async function refresh(): Promise<void> {
    stale = true;
    if (refreshing || !loaded) return;
    refreshing = true;
    while (stale && followers.size > 0) {
      stale = false;
      try {
        await o.limit(look);
      } catch (error) {
        o.log.warn({ err: error, logId }, 'a log that is followed could not be read');
        stale = true;
        await sleep(RETRY_MS);
      }
    }
    refreshing = false;
  }

  async function fetch(after: number): Promise<readonly Frame[]> {
    const frames: Frame[] = [];
    let bytes = 0;
    for await (const piece of store.scan(logId, { after })) {
      const frame = frameOfPiece(piece);
      frames.push(frame);
      bytes += frame.bytes.length;
      if (bytes >= FETCH_BYTES) break;
    }
    return frames;
  }

  return {
    followers,
    get head() {
      return head;
    },
    get end() {
      return end;
    },
    frameWith(line) {
      const newest = ring.at(-1);
      if (newest && newest.first <= line) return newest.last >= line ? newest : undefined;
      let [low, high] = [0, ring.length - 1];
      while (low <= high) {
        const middle = (low + high) >> 1;
        const frame = ring[middle];
        if (!frame) return undefined;
        if (frame.last < line) low = middle + 1;
        else if (frame.first > line) high = middle - 1;
        else return frame;
      }
      return undefined;
    },
    /** Followers at the same line, as after a restart of the server, share one query and its bytes. */
    fetch(after) {
      const running = fetches.get(after);
      if (running) return running;
      const started = o.limit(() => fetch(after)).finally(() => fetches.delete(after));
      fetches.set(after, started);
      return started;
    },
    async load() {
      const [row] = await store.rows([logId]);
      // Where the log is now is where its frames begin: what was before comes from the table, not to everybody again.
      head = row?.lastLine ?? 0;
      if (row?.endedAt) end = { total: head, state: row.endState };
      loaded = true;
      if (stale) void refresh();
    },
    join(follower) {
      followers.add(follower);
      if (stale) void refresh();
    },
    leave(follower) {
      if (followers.delete(follower) && followers.size === 0) o.onEmpty();
    },
    push(chunks) {
      if (!loaded) {
        stale = true;
        return;
      }
      for (const chunk of chunks) {
        if (add(frameOf(chunk))) continue;
        void refresh(); // another server has written in between
        return;
      }
      pumpAll();
    },
    refresh: () => void refresh(),
  };
}
