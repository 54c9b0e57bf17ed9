import { HangarError, isFinal, type JobState } from '@hangar/contract';
import { and, asc, desc, eq, inArray, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Database, Tx } from '../../platform/database/index.ts';
import { WAKE_CHANNEL } from '../../platform/reconcile/reconciler.ts';
import { createAcceptance } from './job-acceptance.ts';
import type { Candidate, Load } from './job-fairness.ts';
import { ACTIVE, createJobFigures } from './job-figures.ts';
import { createJobFiles } from './job-files.ts';
import { type Decision, decide, type Patience } from './job-lifecycle.ts';
import { describePhase, factsOf, moveTo } from './job-moves.ts';
import {
  ADMISSION_CHANNEL,
  type ArtifactRow,
  artifacts,
  EVENTS_CHANNEL,
  type JobRow,
  jobEvents,
  jobs,
  type NewJobRow,
} from './jobs-tables.ts';

/** What somebody saw or wants; never the state, which only `decide` makes. */
export type SeenOrWanted = Partial<
  Pick<
    NewJobRow,
    | 'cancelRequestedAt'
    | 'admittedAt'
    | 'launchTries'
    | 'launchedAt'
    | 'launchFault'
    | 'unit'
    | 'workerId'
    | 'claimedAt'
    | 'heardAt'
    | 'reportedPhase'
    | 'reportedReason'
    | 'finished'
    | 'killedAt'
    | 'killedFor'
    | 'cleanedAt'
    | 'repoCommit'
    | 'diff'
    | 'usage'
  >
>;

export interface Advanced {
  readonly row: JobRow;
  readonly decision: Decision;
  /** The state changed with this write. */
  readonly moved: boolean;
}

/** The only SQL over jobs. What a person asks for goes through `of(userId)`: ownership is part of each query. */
export function createJobsStore(
  database: Database,
  o: {
    patience: Patience;
    /** Says in the same transaction that these jobs are in a state that they were not in before. */
    onMove: (tx: Tx, rows: readonly JobRow[]) => Promise<void>;
  },
) {
  const { db, pool } = database;

  async function advance(
    id: string,
    change: (row: JobRow, now: Date) => SeenOrWanted,
    claim?: number,
    /** It is not looked at again before that, whatever is decided. */
    pauseMs = 0,
  ): Promise<Advanced> {
    return db.transaction(async (tx) => {
      const [found] = await tx
        .select({ row: jobs, now: sql<Date>`clock_timestamp()`.mapWith(jobs.createdAt) })
        .from(jobs)
        .where(eq(jobs.id, id))
        .for('update');
      if (!found) throw new HangarError('job_not_found');
      if (claim !== undefined && found.row.claim !== claim) throw new Fenced(id);
      const { row, now } = found;
      const seen = change(row, now);
      const merged: JobRow = { ...row, ...dropUndefined(seen) };
      const decision = decide(factsOf(merged), now.getTime(), o.patience);
      const moved = decision.state !== row.state;
      const written: Partial<NewJobRow> = {
        ...seen,
        reason: decision.reason,
        wakeAt: decision.wakeMs === null ? null : new Date(now.getTime() + Math.max(pauseMs, decision.wakeMs)),
      };
      if (moved) Object.assign(written, moveTo(merged, decision, now));
      else if (decision.reason !== row.reason) written.phases = describePhase(merged.phases, decision.reason);
      const next: JobRow = { ...merged, ...dropUndefined(written) };
      if (moved) await o.onMove(tx, [next]);
      const [stored] = await tx.update(jobs).set(written).where(eq(jobs.id, id)).returning({ version: jobs.version });
      if (moved) {
        await tx.execute(sql`insert into job_event (job_id, n, at, state, reason, attempt)
          select ${id}, coalesce(max(n), 0) + 1, ${now.toISOString()}::timestamptz, ${decision.state}, ${decision.reason}, ${row.attempt} from job_event where job_id = ${id}`);
      }
      const changed =
        moved ||
        decision.reason !== row.reason ||
        seen.diff !== undefined ||
        seen.usage !== undefined ||
        seen.cancelRequestedAt !== undefined;
      await tx.execute(sql`select pg_notify(${WAKE_CHANNEL}, 'job')
        ${changed ? sql`, pg_notify(${EVENTS_CHANNEL}, ${JSON.stringify({ type: 'job', id, userId: row.userId })})` : sql``}
        ${moved && isFinal(decision.state) ? sql`, pg_notify(${ADMISSION_CHANNEL}, '')` : sql``}`);
      return { row: { ...next, ...dropUndefined(written), ...stored }, decision, moved };
    });
  }

  return {
    ...createJobFigures(database),
    ...createJobFiles(database),
    advance,

    /** Takes a job in; with an idempotency key that is there already gives the job it belongs to. @throws HangarError quota_jobs, idempotency_conflict */
    accept: createAcceptance(database, {
      announce: o.onMove,
      admissionChannel: ADMISSION_CHANNEL,
      eventsChannel: EVENTS_CHANNEL,
    }),

    /** Without ownership: for the worker, whose token is bound to the job, and for the reconciler. */
    async byId(id: string): Promise<JobRow | null> {
      const [row] = await db.select().from(jobs).where(eq(jobs.id, id));
      return row ?? null;
    },

    /** What one person may see; `everybody` is for admins. */
    of(userId: string, everybody = false) {
      const owned = everybody ? undefined : eq(jobs.userId, userId);
      return {
        async get(id: string): Promise<JobRow> {
          const [row] = await db
            .select()
            .from(jobs)
            .where(and(eq(jobs.id, id), owned));
          if (!row) throw new HangarError('job_not_found');
          return row;
        },
        /** The job that was made with this idempotency key. */
        async byKey(idempotencyKey: string): Promise<JobRow | null> {
          const [row] = await db
            .select()
            .from(jobs)
            .where(and(eq(jobs.idempotencyKey, idempotencyKey), owned));
          return row ?? null;
        },
        async list(filter: ListFilter): Promise<JobRow[]> {
          const where: (SQL | undefined)[] = [owned];
          if (filter.states) where.push(inArray(jobs.state, filter.states));
          if (filter.agent) where.push(eq(jobs.agent, filter.agent));
          if (filter.profile) where.push(eq(jobs.profile, filter.profile));
          if (filter.repo) where.push(eq(jobs.repoName, filter.repo));
          if (filter.group) where.push(eq(jobs.group, filter.group));
          if (filter.search) {
            const like = `%${filter.search.replaceAll(/[\\%_]/g, '\\$&')}%`;
            where.push(sql`(${jobs.title} ilike ${like} or ${jobs.repoName} ilike ${like} or ${jobs.id} like ${like})`);
          }
          if (filter.before)
            where.push(
              or(
                lt(jobs.createdAt, filter.before.createdAt),
                and(eq(jobs.createdAt, filter.before.createdAt), lt(jobs.id, filter.before.id)),
              ),
            );
          return db
            .select()
            .from(jobs)
            .where(and(...where))
            .orderBy(desc(jobs.createdAt), desc(jobs.id))
            .limit(filter.limit);
        },
        async artifacts(jobId: string): Promise<ArtifactRow[]> {
          const found = await db
            .select({ artifact: artifacts })
            .from(artifacts)
            .innerJoin(jobs, eq(jobs.id, artifacts.jobId))
            .where(and(eq(artifacts.jobId, jobId), owned))
            .orderBy(asc(artifacts.name));
          return found.map(({ artifact }) => artifact);
        },
      };
    },

    async events(jobId: string) {
      return db.select().from(jobEvents).where(eq(jobEvents.jobId, jobId)).orderBy(asc(jobEvents.n)).limit(500);
    },

    async heard(id: string, attempt: number): Promise<{ cancel: boolean; final: boolean } | null> {
      const { rows } = await pool.query<{ cancel: boolean; state: JobState }>(
        'update job set heard_at = clock_timestamp() where id = $1 and attempt = $2 returning cancel_requested_at is not null as cancel, state',
        [id, attempt],
      );
      const [row] = rows;
      return row ? { cancel: row.cancel, final: isFinal(row.state) } : null;
    },

    /**
     * Runs `choose` over what waits, under one lock for all replicas, and admits what it returns. Where `places` are all
     * taken nobody is looked at: under a stream of new jobs that would be most of the work.
     */
    async admit(
      choose: (waiting: Candidate[], load: Load) => Promise<string[]>,
      o: { perUser: number; places: number },
    ): Promise<string[]> {
      return db.transaction(async (tx) => {
        await tx.execute(sql`select pg_advisory_xact_lock(7215301)`);
        const active = await tx
          .select({ userId: jobs.userId, profile: jobs.profile, n: sql<number>`count(*)::int` })
          .from(jobs)
          .where(ACTIVE)
          .groupBy(jobs.userId, jobs.profile);
        const total = active.reduce((sum, { n }) => sum + n, 0);
        if (total >= o.places) return [];
        const { rows } = await tx.execute<{ id: string; user_id: string; profile: string; created_ms: string }>(sql`
          select j.id, j.user_id, j.profile, extract(epoch from j.created_at) * 1000 as created_ms
          from (select distinct user_id from job where admitted_at is null and finished_at is null) people
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
        const users = [...new Set(rows.map((row) => row.user_id))];
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
        const chosen = await choose(waiting, load);
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
    },

    /** Waiting or running on a profile: it cannot go away under them. */
    async usesProfile(profile: string): Promise<boolean> {
      const { rowCount } = await pool.query(`select 1 from job where profile = $1 and finished_at is null limit 1`, [
        profile,
      ]);
      return (rowCount ?? 0) > 0;
    },

    /** A unit is owned while its job has not been cleaned. */
    async ownsUnit(jobId: string, attempt: number): Promise<boolean> {
      const { rowCount } = await pool.query('select 1 from job where id = $1 and attempt = $2 and cleaned_at is null', [
        jobId,
        attempt,
      ]);
      return (rowCount ?? 0) > 0;
    },
  };
}
export type JobsStore = ReturnType<typeof createJobsStore>;

export interface ListFilter {
  readonly states?: JobState[];
  readonly agent?: string;
  readonly profile?: string;
  readonly repo?: string;
  readonly group?: string;
  readonly search?: string;
  readonly before?: { createdAt: Date; id: string };
  readonly limit: number;
}

/** Another handler took the row meanwhile; what this one saw is not written. */
export class Fenced extends Error {
  constructor(id: string) {
    super(`${id} was claimed by another handler`);
    this.name = 'Fenced';
  }
}

function dropUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
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
