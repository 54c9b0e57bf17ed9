import { setTimeout as sleep } from 'node:timers/promises';
import { type SQL, sql } from 'drizzle-orm';
import { getTableConfig, type PgColumn, type PgTable } from 'drizzle-orm/pg-core';
import type { Logger } from 'pino';
import type { Database } from '../database/index.ts';
import { type Note, sending } from '../database/listener.ts';
import { LOCKS, lockFor } from '../database/locks.ts';
import { waking } from '../reconcile/reconciled.ts';
import { chooseNext, type Limits } from './fairness.ts';
import type { placeColumns } from './places-tables.ts';

const ADMISSION_CHANNEL = 'hangar_admission';
/** Sent with the commit that makes a place free, or asks for one. What servers of the release before send names no noun. */
export const placesMoved = (noun: string): Note => ({ channel: ADMISSION_CHANNEL, payload: noun });

/** When things come and go by the hundred, who is let in is decided for many at a time. */
const PAUSE_MS = 25;
/** A lost notification costs no more than this. */
const IDLE_MS = 5_000;

export interface Admission {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Lets waiting things of a noun in whenever a place may be free: one pass at a time in this process, under one lock for all servers. */
export function createAdmission(o: {
  readonly table: PlacedTable;
  readonly database: Pick<Database, 'db' | 'listen'>;
  readonly log: Logger;
  /** What these people and the profiles may run of this noun now. */
  readonly limitsOf: (userIds: readonly string[]) => Promise<Limits>;
  /** Of this noun on the whole server. */
  readonly total: number;
}): Admission {
  const { name } = getTableConfig(o.table);
  const admitNow = createAdmit(o.database, o.table);
  let admitting: Promise<void> | null = null;
  let again = false;
  let lastPass = Number.NEGATIVE_INFINITY;
  let listener: { close(): Promise<void> } | undefined;
  let timer: NodeJS.Timeout | undefined;

  /** A poke during a pass, or soon after it, makes another a moment later. */
  function admit(): void {
    again = true;
    admitting ??= passes()
      .catch((error: unknown) => o.log.warn({ err: error, noun: name }, 'cannot admit; trying again'))
      .finally(() => {
        admitting = null;
      });
  }

  async function passes(): Promise<void> {
    while (again) {
      const pause = lastPass + PAUSE_MS - performance.now();
      if (pause > 0) await sleep(pause);
      again = false;
      await admitNow(o.limitsOf, o.total);
      lastPass = performance.now();
    }
  }

  return {
    async start() {
      listener = await o.database.listen(ADMISSION_CHANNEL, (noun) => (noun === '' || noun === name) && admit(), admit);
      timer = setInterval(admit, IDLE_MS);
      admit();
    },
    async stop() {
      clearInterval(timer);
      await listener?.close();
      await admitting;
    },
  };
}

/** A table with `placeColumns()` and `reconcileColumns()`. */
export type PlacedTable = PgTable & Record<keyof ReturnType<typeof placeColumns> | 'wakeAt', PgColumn>;

/** Of one person so many of the oldest are looked at. */
const PER_USER = 200;

const WAITING: SQL = sql`taken_at is null and freed_at is null`;
const TAKEN: SQL = sql`taken_at is not null and freed_at is null`;

/**
 * Lets things of a noun in, under one lock for all servers. What people may use is looked up before the lock and its transaction, which
 * would hold a connection meanwhile; whoever comes in between is not in that, and has the next pass.
 */
export function createAdmit({ db }: Pick<Database, 'db'>, table: PlacedTable) {
  const noun = getTableConfig(table).name;
  /** `total`: things of this noun on the whole server. Where all of it is taken nobody is looked at: that would be most of the work. */
  return async function admit(
    limitsOf: (userIds: readonly string[]) => Promise<Limits>,
    total: number,
  ): Promise<string[]> {
    const { rows: people } = await db.execute<{ user_id: string }>(sql`
      select distinct user_id from place where noun = ${noun} and ${WAITING} and is_wanted
        and (select count(*) from place where noun = ${noun} and ${TAKEN}) < ${total}`);
    if (people.length === 0) return [];
    const users = people.map((person) => person.user_id);
    const limits = await limitsOf(users);
    return db.transaction(async (tx) => {
      await tx.execute(lockFor(LOCKS.admission));
      const { rows: taken } = await tx.execute<Taken>(sql`
        select user_id, profile, count(*)::int as n from place where noun = ${noun} and ${TAKEN} group by 1, 2`);
      const inUse = taken.reduce((sum, { n }) => sum + n, 0);
      if (inUse >= total) return [];
      const { rows } = await tx.execute<{ id: string; user_id: string; profile: string; asked_ms: string }>(sql`
        select p.id, p.user_id, p.profile, extract(epoch from p.asked_at) * 1000 as asked_ms
        from unnest(${sql.param(users)}::text[]) people(user_id)
        cross join lateral (select id, user_id, profile, asked_at from place
          where noun = ${noun} and ${WAITING} and user_id = people.user_id and is_wanted
          order by asked_at, id limit ${PER_USER}) p`);
      if (rows.length === 0) return [];
      const waiting = rows.map((row) => ({
        ...{ id: row.id, userId: row.user_id, profile: row.profile, askedAt: Number(row.asked_ms) },
      }));
      const { rows: turns } = await tx.execute<{ user_id: string; ms: string }>(sql`
        select user_id, extract(epoch from at) * 1000 as ms from place_turn
        where noun = ${noun} and user_id = any(${sql.param(users)}::text[])`);
      const lastAdmitted = new Map(turns.map((row) => [row.user_id, Number(row.ms)]));
      const load = { lastAdmitted, byUser: sumBy(taken, 'user_id'), byProfile: sumBy(taken, 'profile'), total: inUse };
      const chosen = chooseNext(waiting, load, { ...limits, total });
      if (chosen.length === 0) return [];
      // A millisecond apart, and after all before them, so that their order is known afterwards.
      const latest = Math.max(0, ...lastAdmitted.values()) / 1000;
      // What was cancelled since it was looked at stays where it is.
      const { rows: admitted } = await tx.execute<{ id: string }>(sql`
        with moment as materialized (select greatest(clock_timestamp(), to_timestamp(${latest}::float8)) as at)
        update ${table} it set admitted_at = moment.at + chosen.place * interval '1 millisecond', wake_at = now()
        from moment, unnest(${sql.param(chosen)}::text[]) with ordinality chosen(id, place)
        where it.id = chosen.id and it.admitted_at is null and it.cancel_requested_at is null and it.finished_at is null
        returning it.id`);
      await tx.execute(sending([waking(noun)]));
      return admitted.map(({ id }) => id);
    });
  };
}

type Taken = Record<'user_id' | 'profile', string> & { n: number };

function sumBy(rows: readonly Taken[], key: 'user_id' | 'profile'): Map<string, number> {
  const sums = new Map<string, number>();
  for (const row of rows) sums.set(row[key], (sums.get(row[key]) ?? 0) + row.n);
  return sums;
}
