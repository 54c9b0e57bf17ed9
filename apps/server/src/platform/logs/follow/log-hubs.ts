import type { LogLine, LogQuery } from '@hangar/contract';
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import type { Database } from '../../database/index.ts';
import type { Chunk } from '../log-line.ts';
import { CHANNEL, type LogStore } from '../log-store.ts';
import { filterOf, sinceOf } from '../read/log-filter.ts';
import type { createLogReader } from '../read/log-reader.ts';
import { createFollower, type LogSink } from './log-follower.ts';
import { createLogHub, type LogHub } from './log-hub.ts';

const HEARTBEAT_MS = 15_000;
/** How many hubs and followers read the table at the same time. */
const READS_AT_ONCE = 3;
/** With `tail` and a filter: how many lines are looked up before following. */
const TAIL_MOST = 10_000;

/** Where a follower begins; the first of `after`, `tail`, `since` that is given counts, else the start of the log. */
export type FollowFrom = Partial<Pick<LogQuery, 'after' | 'tail' | 'since' | 'grep' | 'stream'>>;

interface Beginning {
  readonly after: number;
  readonly opening: LogLine[];
}

export interface LogHubs {
  /**
   * Resolves when the follower is attached. `open` is called once it is known where to begin: until then, errors are thrown.
   * Null: who asked has gone meanwhile.
   */
  follow(logId: string, from: FollowFrom, open: () => LogSink | null): Promise<void>;
  push(logId: string, chunks: readonly Chunk[]): void;
  refresh(logId: string): void;
  close(): Promise<void>;
}

export function createLogHubs(o: {
  database: Database;
  store: LogStore;
  reader: ReturnType<typeof createLogReader>;
  origin: string;
  log: Logger;
}): LogHubs {
  const hubs = new Map<string, { hub: LogHub; ready: Promise<void> }>();
  const limit = pLimit(READS_AT_ONCE);
  let listening: Promise<{ close(): Promise<void> }> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  function listen(): Promise<unknown> {
    if (listening) return listening;
    const started = o.database.listen(
      CHANNEL,
      (payload) => {
        const [origin, logId = ''] = payload.split(' ');
        if (origin !== o.origin) refresh(logId);
      },
      refreshAll,
    );
    listening = started;
    started.catch(() => {
      if (listening === started) listening = null;
    });
    return started;
  }

  function refresh(logId: string): void {
    hubs.get(logId)?.hub.refresh();
  }

  function refreshAll(): void {
    for (const { hub } of hubs.values()) hub.refresh();
  }

  /** Also looks at every log again, so that a notification that was lost costs no more than this. */
  function beat(): void {
    for (const { hub } of hubs.values()) for (const follower of hub.followers) follower.beat();
    refreshAll();
  }

  async function hubOf(logId: string): Promise<LogHub> {
    await listen(); // before the log is read, so that nothing falls in between
    let entry = hubs.get(logId);
    if (!entry) {
      const hub: LogHub = createLogHub({ logId, store: o.store, limit, log: o.log, onEmpty: () => drop(logId, hub) });
      entry = { hub, ready: hub.load() };
      hubs.set(logId, entry);
      timer ??= setInterval(beat, HEARTBEAT_MS).unref();
    }
    try {
      await entry.ready;
    } catch (error) {
      drop(logId, entry.hub);
      throw error;
    }
    return entry.hub;
  }

  function drop(logId: string, hub: LogHub): void {
    if (hubs.get(logId)?.hub !== hub || hub.followers.size > 0) return;
    hubs.delete(logId);
    if (hubs.size > 0 || !timer) return;
    clearInterval(timer);
    timer = null;
  }

  /** After which line to begin, and what to send before. */
  async function beginning(logId: string, total: number, from: FollowFrom): Promise<Beginning> {
    if (from.after !== undefined) return { after: from.after, opening: [] };
    const since = sinceOf(from);
    if (from.tail !== undefined) {
      if (from.tail === 0 || filterOf(from, since) === null)
        return { after: Math.max(0, total - from.tail), opening: [] };
      const tail = Math.min(from.tail, TAIL_MOST);
      const page = await o.reader.read(logId, { ...from, before: total + 1, tail, limit: tail });
      return { after: page.nextAfter ?? total, opening: page.lines };
    }
    if (!since) return { after: 0, opening: [] };
    for await (const piece of o.store.scan(logId, { after: 0, since })) return { after: piece.from - 1, opening: [] };
    return { after: total, opening: [] };
  }

  return {
    async follow(logId, from, open) {
      const filter = filterOf(from, sinceOf(from));
      for (;;) {
        const hub = await hubOf(logId);
        try {
          const { after, opening } = await beginning(logId, hub.head, from);
          // While the beginning was looked up, the last other follower may have left and taken the hub along.
          if (hubs.get(logId)?.hub !== hub && !closed) continue;
          const sink = open();
          if (!sink) return;
          if (closed) return void sink.end();
          const follower = createFollower({ log: hub, sink, after, filter, opening });
          hub.join(follower);
          return follower.pump();
        } finally {
          drop(logId, hub);
        }
      }
    },
    push(logId, chunks) {
      hubs.get(logId)?.hub.push(chunks);
    },
    refresh,
    async close() {
      closed = true;
      for (const { hub } of hubs.values()) for (const follower of [...hub.followers]) follower.sendAway();
      hubs.clear();
      if (timer) clearInterval(timer);
      await (await listening?.catch(() => null))?.close();
    },
  };
}
