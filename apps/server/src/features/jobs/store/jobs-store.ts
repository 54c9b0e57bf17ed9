import { HangarError, isFinal } from '@hangar/contract';
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Publish } from '../../../platform/capability.ts';
import type { Database } from '../../../platform/database/index.ts';
import { createReconciled } from '../../../platform/reconcile/reconciled.ts';
import { mayComeBack } from '../lifecycle/job-endings.ts';
import type { Patience } from '../lifecycle/job-facts.ts';
import { jobNoun } from '../lifecycle/job-noun.ts';
import { createAcceptance } from './job-acceptance.ts';
import { createJobFigures } from './job-figures.ts';
import { createJobFiles } from './job-files.ts';
import { type ListFilter, listJobs } from './job-list.ts';
import {
  type ArtifactRow,
  artifacts,
  type JobOrderRow,
  type JobRow,
  jobEvents,
  jobOrders,
  jobs,
} from './jobs-tables.ts';

/** The only SQL over jobs. What a person asks for goes through `of(userId)`: ownership is part of each query. */
export function createJobsStore(database: Database, o: { patience: Patience; publish: Publish }) {
  const { db, pool } = database;
  const reconciled = createReconciled(database, jobNoun(o));

  return {
    ...createJobFigures(database),
    ...createJobFiles(database),
    reconciled,
    advance: reconciled.advance,

    /** Takes a job in; with an idempotency key that is there already gives the job it belongs to. @throws HangarError quota_jobs, idempotency_conflict */
    accept: createAcceptance(database, o.publish),

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
