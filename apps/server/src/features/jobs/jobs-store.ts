import { HangarError, isFinal } from '@hangar/contract';
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Database, Tx } from '../../platform/database/index.ts';
import { WAKE_CHANNEL } from '../../platform/reconcile/reconciler.ts';
import { createAcceptance } from './job-acceptance.ts';
import { createAdmission } from './job-admission.ts';
import { mayComeBack } from './job-endings.ts';
import type { Decision, Patience } from './job-facts.ts';
import { createJobFigures } from './job-figures.ts';
import { createJobFiles } from './job-files.ts';
import { decide } from './job-lifecycle.ts';
import { type ListFilter, listJobs } from './job-list.ts';
import { describePhase, factsOf, moveTo } from './job-moves.ts';
import {
  ADMISSION_CHANNEL,
  type ArtifactRow,
  artifacts,
  EVENTS_CHANNEL,
  type JobOrderRow,
  type JobRow,
  jobEvents,
  jobOrders,
  jobs,
  type NewJobRow,
} from './jobs-tables.ts';

/** What somebody saw or wants; never the state, which only `decide` makes. */
export type SeenOrWanted = Partial<
  Pick<
    NewJobRow,
    | 'cancelRequestedAt'
    | 'admittedAt'
    | 'profileRevision'
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
    | 'toldAt'
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

    /** What the worker is given, which may be large. */
    async orderOf(id: string): Promise<JobOrderRow> {
      const [row] = await db.select().from(jobOrders).where(eq(jobOrders.jobId, id));
      return row ?? { jobId: id, spec: '', envSealed: null, envNames: [] };
    },

    async isCancelled(id: string): Promise<boolean> {
      const { rowCount } = await pool.query('select 1 from job where id = $1 and cancel_requested_at is not null', [
        id,
      ]);
      return (rowCount ?? 0) > 0;
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
        list: (filter: ListFilter): Promise<JobRow[]> => listJobs(db, everybody ? null : userId, filter),
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
      const [row] = await db
        .update(jobs)
        .set({ heardAt: sql`clock_timestamp()` })
        .where(and(eq(jobs.id, id), eq(jobs.attempt, attempt)))
        .returning({
          cancelRequestedAt: jobs.cancelRequestedAt,
          state: jobs.state,
          killedFor: jobs.killedFor,
          claimedAt: jobs.claimedAt,
          finished: jobs.finished,
        });
      if (!row) return null;
      return { cancel: row.cancelRequestedAt !== null, final: isFinal(row.state) && !mayComeBack(row) };
    },

    admit: createAdmission(database),

    /** Waiting or running on a profile. */
    async unfinishedOn(profile: string): Promise<number> {
      const { rows } = await pool.query<{ n: number }>(
        `select count(*)::int as n from job
         where profile = $1 and ((admitted_at is null and finished_at is null) or (admitted_at is not null and finished_at is null))`,
        [profile],
      );
      return rows[0]?.n ?? 0;
    },

    /** Settings of profiles that units were started with of which something may be left. */
    async revisionsInUse(): Promise<{ profile: string; revision: number }[]> {
      const { rows } = await pool.query(
        `select distinct profile, profile_revision as revision from job where profile_revision is not null
           and ((admitted_at is not null and finished_at is null) or (finished_at is not null and cleaned_at is null))`,
      );
      return rows;
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
