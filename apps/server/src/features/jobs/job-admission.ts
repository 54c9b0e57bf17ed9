import { sql } from 'drizzle-orm';
import type { Database } from '../../platform/database/index.ts';
import { LOCKS, lockFor } from '../../platform/database/locks.ts';
import { WAKE_CHANNEL } from '../../platform/reconcile/reconciler.ts';
import { chooseNext, type Limits } from './job-fairness.ts';
import { ACTIVE } from './job-figures.ts';
import { jobs } from './jobs-tables.ts';

export interface AdmissionOptions {
  /** Of one person so many of the oldest are looked at. */
  readonly perUser: number;
  /** Where all are taken nobody is looked at: under a stream of new jobs that would be most of the work. */
  readonly places: number;
}

/**
 * Lets jobs in, under one lock for all servers. What people may use is looked up before the lock and its transaction, which would hold
 * a connection meanwhile; whoever comes in between is not in that, and has the next pass.
 */
export function createAdmission({ db, pool }: Pick<Database, 'db' | 'pool'>) {
  return async function admit(
    limitsOf: (userIds: readonly string[]) => Promise<Limits>,
    o: AdmissionOptions,
  ): Promise<string[]> {
    const { rows: people } = await pool.query<{ user_id: string }>(
      `select distinct user_id from job where admitted_at is null and finished_at is null
         and (select count(*) from job where admitted_at is not null and finished_at is null) < $1`,
      [o.places],
    );
    if (people.length === 0) return [];
    const users = people.map((person) => person.user_id);
    const limits = await limitsOf(users);
    return db.transaction(async (tx) => {
      await tx.execute(lockFor(LOCKS.admission));
      const active = await tx
        .select({ userId: jobs.userId, profile: jobs.profile, n: sql<number>`count(*)::int` })
        .from(jobs)
        .where(ACTIVE)
        .groupBy(jobs.userId, jobs.profile);
      const total = active.reduce((sum, { n }) => sum + n, 0);
      if (total >= o.places) return [];
      const { rows } = await tx.execute<{ id: string; user_id: string; profile: string; created_ms: string }>(sql`
        select j.id, j.user_id, j.profile, extract(epoch from j.created_at) * 1000 as created_ms
        from unnest(${sql.param(users)}::text[]) people(user_id)
        cross join lateral (select id, user_id, profile, created_at from job
          where admitted_at is null and finished_at is null and user_id = people.user_id and cancel_requested_at is null
          order by created_at, id limit ${o.perUser}) j`);
      if (rows.length === 0) return [];
      const waiting = rows.map((row) => ({
        id: row.id,
        userId: row.user_id,
        profile: row.profile,
        createdAt: Number(row.created_ms),
      }));
      // The newest that was let in is the last that was: of one person the oldest goes first.
      const last = await tx.execute<{ user_id: string; admitted_ms: string }>(sql`
        select people.user_id, extract(epoch from j.admitted_at) * 1000 as admitted_ms
        from unnest(${sql.param(users)}::text[]) people(user_id)
        cross join lateral (select admitted_at from job where user_id = people.user_id and admitted_at is not null
          order by created_at desc, id desc limit 1) j`);
      const load = {
        lastAdmitted: new Map(last.rows.map((row) => [row.user_id, Number(row.admitted_ms)])),
        byUser: sumBy(active, 'userId'),
        byProfile: sumBy(active, 'profile'),
        total,
      };
      const chosen = chooseNext(waiting, load, limits);
      if (chosen.length > 0) {
        // A millisecond apart, and after all before them, so that their order is known afterwards.
        const latest = Math.max(0, ...load.lastAdmitted.values()) / 1000;
        await tx.execute(sql`
          with moment as materialized (select greatest(clock_timestamp(), to_timestamp(${latest}::float8)) as at)
          update job set admitted_at = moment.at + chosen.place * interval '1 millisecond', wake_at = now()
          from moment, unnest(${sql.param(chosen)}::text[]) with ordinality chosen(id, place)
          where job.id = chosen.id`);
        await tx.execute(sql`select pg_notify(${WAKE_CHANNEL}, 'job')`);
      }
      return chosen;
    });
  };
}

function sumBy<K extends 'userId' | 'profile'>(
  rows: readonly ({ n: number } & Record<K, string>)[],
  key: K,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const row of rows) sums.set(row[key], (sums.get(row[key]) ?? 0) + row.n);
  return sums;
}
