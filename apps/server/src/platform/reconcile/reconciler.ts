import type pg from 'pg';
import type { Logger } from 'pino';
import type { Database } from '../database/index.ts';
import { Fenced, WAKE_CHANNEL } from './reconciled.ts';

/** A row taken for one handling. `claim` fences every write that follows from it. */
export interface Claimed {
  readonly id: string;
  readonly claim: number;
}

export interface ReconcilerOptions {
  readonly database: Database;
  /** A table with `id` and `reconcileColumns()`. A name of ours, never input. */
  readonly table: string;
  /** How many rows are handled at the same time. */
  readonly concurrency: number;
  readonly leaseSeconds?: number;
  readonly log: Logger;
  /**
   * Looks at one row and does the next thing. Must be idempotent: after a crash it runs again.
   * Returns in how many milliseconds to look again; null when only a poke should wake the row.
   */
  readonly handle: (row: Claimed, signal: AbortSignal) => Promise<number | null>;
}

export interface Reconciler {
  /** Begins to claim rows. */
  start(): Promise<void>;
  /** Stops claiming, waits for what is in hand until the signal aborts. */
  stop(signal?: AbortSignal): Promise<void>;
}

/** The longest sleep: a lost NOTIFY costs no more than this. */
const IDLE_MS = 5_000;
/** What fails is tried again after two seconds, and after twice as long each time, up to five minutes. */
const backOff = (failures: string) => `make_interval(secs => least(300, 2 * 2 ^ least(${failures}, 20)))`;
/** A row that has failed so often, and whose last handler ended with its server, may be what ends servers: it waits as well. */
const SUSPECT_FAILURES = 5;

interface Taken extends Claimed {
  readonly failures: number;
  /** Whoever had it before did not give it back. */
  readonly expired: boolean;
}

/**
 * Claims rows that are due with FOR UPDATE SKIP LOCKED, so that any number of replicas share one table. The database's clock alone
 * decides what is due; a handler that dies leaves an expired lease, and the row is taken again.
 */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { database, table, concurrency, log, handle } = options;
  const leaseSeconds = options.leaseSeconds ?? 30;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let claiming = false;
  let again = false;
  let listener: { close(): Promise<void> } | undefined;

  const claimSql = `
    with due as (
      select id, lease_until is not null as expired from ${table}
      where (wake_at <= now() and lease_until is null) or lease_until < now()
      order by coalesce(wake_at, lease_until) limit $2 for update skip locked)
    update ${table} t set lease_until = now() + make_interval(secs => $1), claim = claim + 1, wake_at = null,
      failures = failures + due.expired::int
    from due where t.id = due.id
    returning t.id, t.claim, t.failures, due.expired`;
  // Never of a row that was given back meanwhile.
  const beatSql = `
    update ${table} set lease_until = now() + make_interval(secs => $3)
    where id = $1 and claim = $2 and lease_until is not null`;
  const releaseSql = `
    update ${table} set lease_until = null, failures = 0,
      wake_at = least(wake_at, now() + make_interval(secs => $3::float8 / 1000))
    where id = $1 and claim = $2
    returning wake_at <= now() as due`;
  // What is to be done next is due at once: without a pause it would be tried again as fast as it fails.
  const failSql = `
    update ${table} set lease_until = null, failures = failures + 1, wake_at = now() + ${backOff('failures')}
    where id = $1 and claim = $2`;
  const parkSql = `
    update ${table} set lease_until = null, wake_at = least(wake_at, now() + ${backOff(`failures - ${SUSPECT_FAILURES + 1}`)})
    where id = $1 and claim = $2`;
  /** What another server can do at once is left to it. */
  const leaveSql = `update ${table} set lease_until = null, wake_at = now() where id = $1 and claim = $2`;
  const nextSql = `
    select extract(epoch from least(min(wake_at) filter (where lease_until is null), min(lease_until)) - now()) * 1000 as ms
    from ${table} where wake_at is not null or lease_until is not null`;

  async function turn(): Promise<void> {
    if (claiming) {
      again = true;
      return;
    }
    claiming = true;
    clearTimeout(timer);
    let sleepMs = IDLE_MS;
    try {
      do {
        again = false;
        const free = concurrency - running.size;
        if (free <= 0 || stopping.signal.aborted) break;
        const { rows } = await database.pool.query<Taken>(claimSql, [leaseSeconds, free]);
        for (const row of rows) take(row);
        if (rows.length === free) again = true;
      } while (again);
      sleepMs = await untilNext();
    } catch (error) {
      if (!stopping.signal.aborted) log.warn({ err: error, table }, 'cannot claim; trying again');
      sleepMs = 1_000;
    } finally {
      claiming = false;
    }
    if (!stopping.signal.aborted) timer = setTimeout(() => void turn(), again ? 0 : sleepMs);
  }

  async function untilNext(): Promise<number> {
    if (running.size >= concurrency) return IDLE_MS;
    const { rows } = await database.pool.query<{ ms: string | null }>(nextSql);
    const ms = rows[0]?.ms;
    return ms == null ? IDLE_MS : Math.min(IDLE_MS, Math.max(5, Number(ms)));
  }

  function take(row: Taken): void {
    const work = handleOne(row).finally(() => {
      running.delete(work);
      if (!stopping.signal.aborted) void turn();
    });
    running.add(work);
  }

  async function handleOne(row: Taken): Promise<void> {
    const { id, failures } = row;
    if (row.expired && failures > SUSPECT_FAILURES) {
      log.warn({ table, id, failures }, 'left alone for a moment: those who handled it ended with their servers');
      return giveBack(row, parkSql);
    }
    const lost = new AbortController();
    const signal = AbortSignal.any([stopping.signal, lost.signal]);
    const beat = setInterval(
      () => {
        database.pool
          .query(beatSql, [row.id, row.claim, leaseSeconds])
          .then(({ rowCount }) => {
            if (rowCount === 0) lost.abort(new Error('the row was claimed by another'));
          })
          .catch(() => undefined);
      },
      (leaseSeconds * 1000) / 3,
    );
    const outcome = await handle(row, signal).then(
      (nextMs) => ({ nextMs }),
      (error: unknown) => ({ error }),
    );
    clearInterval(beat);
    if ('nextMs' in outcome) return giveBack(row, releaseSql, outcome.nextMs);
    const { error } = outcome;
    // Another has it: what was begun here counts no more, and neither does how it ended.
    if (error instanceof Fenced || lost.signal.aborted) return;
    if (stopping.signal.aborted) return giveBack(row, leaveSql);
    log.warn({ err: error, table, id, failures: failures + 1 }, 'handling failed; trying again');
    await giveBack(row, failSql);
  }

  async function giveBack({ id, claim }: Claimed, how: string, ...more: (number | null)[]): Promise<void> {
    try {
      const { rows }: pg.QueryResult<{ due?: boolean }> = await database.pool.query(how, [id, claim, ...more]);
      if (rows[0]?.due) void turn();
    } catch (error) {
      log.warn({ err: error, table, id }, 'cannot give back; the lease will expire');
    }
  }

  return {
    async start() {
      const wake = () => void turn();
      listener = await database.listen(WAKE_CHANNEL, (payload) => payload === table && wake(), wake);
      await turn();
    },
    async stop(signal) {
      stopping.abort(new Error('the server stops'));
      clearTimeout(timer);
      await listener?.close();
      const ended = Promise.allSettled([...running]);
      if (!signal) {
        await ended;
        return;
      }
      const cut = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await Promise.race([ended, cut]);
    },
  };
}
