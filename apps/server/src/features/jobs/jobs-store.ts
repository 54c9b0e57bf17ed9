import {
  type DiffStat,
  type Failure,
  HangarError,
  isFinal,
  JOB_PHASES,
  type JobPhase,
  type JobState,
} from '@hangar/contract';
import { and, asc, desc, eq, inArray, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Database, Tx } from '../../platform/database/index.ts';
import { WAKE_CHANNEL } from '../../platform/reconcile/reconciler.ts';
import { createAcceptance } from './job-acceptance.ts';
import type { Candidate, Load } from './job-fairness.ts';
import { type Decision, decide, type JobFacts, type Patience, WORKING } from './job-lifecycle.ts';
import { artifacts, jobEvents, jobs, type PhaseRecord, uploads } from './jobs-tables.ts';

export type JobRow = typeof jobs.$inferSelect;
export type NewJobRow = typeof jobs.$inferInsert;
export type ArtifactRow = typeof artifacts.$inferSelect;
export type UploadRow = typeof uploads.$inferSelect;
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

export const EVENTS_CHANNEL = 'hangar_event';
export const ADMISSION_CHANNEL = 'hangar_admission';

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
        wakeAt: decision.wakeMs === null ? null : new Date(now.getTime() + decision.wakeMs),
      };
      if (moved) Object.assign(written, moveTo(merged, decision, now));
      else if (decision.reason !== row.reason) written.phases = describePhase(merged.phases, decision.reason);
      const next: JobRow = { ...merged, ...dropUndefined(written) };
      if (moved) await o.onMove(tx, [next]);
      await tx.update(jobs).set(written).where(eq(jobs.id, id));
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
      return { row: { ...next, ...dropUndefined(written) }, decision, moved };
    });
  }

  return {
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

    /** Runs `choose` over what waits, under one lock for all replicas, and admits what it returns. */
    async admit(choose: (waiting: Candidate[], load: Load) => Promise<string[]>, perUser: number): Promise<string[]> {
      return db.transaction(async (tx) => {
        await tx.execute(sql`select pg_advisory_xact_lock(7215301)`);
        const active = await tx
          .select({ userId: jobs.userId, profile: jobs.profile, n: sql<number>`count(*)::int` })
          .from(jobs)
          .where(ACTIVE)
          .groupBy(jobs.userId, jobs.profile);
        const { rows } = await tx.execute<{ id: string; user_id: string; profile: string; created_ms: string }>(sql`
          select j.id, j.user_id, j.profile, extract(epoch from j.created_at) * 1000 as created_ms
          from (select distinct user_id from job where admitted_at is null and finished_at is null) people
          cross join lateral (select id, user_id, profile, created_at from job
            where admitted_at is null and finished_at is null and user_id = people.user_id and cancel_requested_at is null
            order by created_at, id limit ${perUser}) j`);
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
          total: active.reduce((sum, { n }) => sum + n, 0),
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

    /** Place in the own queue and running jobs, for each person that has a waiting job in `ids`. */
    async queuePlaces(ids: readonly string[]): Promise<Map<string, { position: number; running: number }>> {
      if (ids.length === 0) return new Map();
      const { rows } = await pool.query<{ id: string; position: number; running: number }>(
        `select j.id,
           (select count(*)::int from job q where q.user_id = j.user_id and q.admitted_at is null and q.finished_at is null and (q.created_at, q.id) <= (j.created_at, j.id)) as position,
           (select count(*)::int from job a where a.user_id = j.user_id and a.admitted_at is not null and a.finished_at is null) as running
         from job j where j.id = any($1) and j.admitted_at is null and j.finished_at is null`,
        [ids],
      );
      return new Map(rows.map((row) => [row.id, { position: row.position, running: row.running }]));
    },

    /** Quartiles of the last 20 jobs that succeeded, from admission to end, in milliseconds. */
    async durations(
      pairs: readonly { repoName: string; agent: string }[],
    ): Promise<Map<string, { low: number; high: number; basis: number }>> {
      if (pairs.length === 0) return new Map();
      const { rows } = await pool.query<{ repo_name: string; agent: string; low: string; high: string; basis: number }>(
        `select p.repo_name, p.agent, d.low, d.high, d.basis from unnest($1::text[], $2::text[]) p(repo_name, agent)
         cross join lateral (
           select percentile_cont(0.25) within group (order by ms) as low, percentile_cont(0.75) within group (order by ms) as high, count(*)::int as basis
           from (select extract(epoch from finished_at - admitted_at) * 1000 as ms from job
             where repo_name = p.repo_name and agent = p.agent and state = 'succeeded' order by finished_at desc limit 20) last
         ) d where d.basis >= 2`,
        [pairs.map((pair) => pair.repoName), pairs.map((pair) => pair.agent)],
      );
      return new Map(
        rows.map((row) => [
          durationKey(row.repo_name, row.agent),
          { low: Number(row.low), high: Number(row.high), basis: row.basis },
        ]),
      );
    },

    /** Medians of each phase over the last 20 jobs of the same repository and agent that succeeded; none below two. */
    async typicalPhases(job: {
      repoName: string;
      agent: string;
    }): Promise<{ name: JobPhase; medianSeconds: number; basis: number }[]> {
      const { rows } = await pool.query<{ name: JobPhase; median: string; basis: number }>(
        `select phase->>'name' as name, count(*)::int as basis,
           percentile_cont(0.5) within group (order by extract(epoch from (phase->>'endedAt')::timestamptz - (phase->>'startedAt')::timestamptz)) as median
         from (select phases from job where repo_name = $1 and agent = $2 and state = 'succeeded' order by finished_at desc limit 20) last
         cross join lateral jsonb_array_elements(phases) phase
         where phase->>'endedAt' is not null group by 1 having count(*) >= 2`,
        [job.repoName, job.agent],
      );
      return JOB_PHASES.flatMap((name) => {
        const row = rows.find((found) => found.name === name);
        return row ? [{ name, medianSeconds: Math.round(Number(row.median) * 1_000) / 1_000, basis: row.basis }] : [];
      });
    },

    /** Running, waiting, and minutes since the first of the month in UTC. */
    async use(userId: string): Promise<{ running: number; waiting: number; minutes: number; periodEndsAt: Date }> {
      const { rows } = await pool.query<{ running: number; waiting: number; minutes: string; period_ends: Date }>(
        `with month as (select date_trunc('month', now() at time zone 'utc') at time zone 'utc' as begins)
         select count(*) filter (where admitted_at is not null and finished_at is null)::int as running,
           count(*) filter (where id is not null and admitted_at is null and finished_at is null)::int as waiting,
           coalesce(sum(extract(epoch from coalesce(finished_at, now()) - greatest(started_at, month.begins))) filter (where started_at is not null), 0) / 60 as minutes,
           (date_trunc('month', now() at time zone 'utc') + interval '1 month') at time zone 'utc' as period_ends
         from month left join job on user_id = $1 and (finished_at is null or finished_at >= month.begins)
         group by month.begins`,
        [userId],
      );
      const [row] = rows;
      return {
        running: row?.running ?? 0,
        waiting: row?.waiting ?? 0,
        minutes: Math.max(0, Number(row?.minutes ?? 0)),
        periodEndsAt: row?.period_ends ?? new Date(),
      };
    },

    async runningOn(profile?: string): Promise<Map<string, number>> {
      const rows = await db
        .select({ profile: jobs.profile, n: sql<number>`count(*)::int` })
        .from(jobs)
        .where(and(ACTIVE, profile ? eq(jobs.profile, profile) : undefined))
        .groupBy(jobs.profile);
      return new Map(rows.map((row) => [row.profile, row.n]));
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

    /**
     * Gives the key of the blob that it replaces, which nothing names any more. With `diff` the job knows of it in the
     * same moment: a worker that is killed now does not say it again.
     */
    async putArtifact(row: typeof artifacts.$inferInsert, diff: DiffStat | null): Promise<string | null> {
      const { jobId, name, ...rest } = row;
      return db.transaction(async (tx) => {
        // Two uploads of one name take turns, so that each knows what it replaces.
        await tx.execute(sql`select pg_advisory_xact_lock(7215302, hashtext(${`${jobId}/${name}`}))`);
        const [before] = await tx
          .select({ blobKey: artifacts.blobKey })
          .from(artifacts)
          .where(and(eq(artifacts.jobId, jobId), eq(artifacts.name, name)));
        await tx
          .insert(artifacts)
          .values(row)
          .onConflictDoUpdate({ target: [artifacts.jobId, artifacts.name], set: { ...rest, createdAt: sql`now()` } });
        if (diff !== null) {
          const [job] = await tx
            .update(jobs)
            .set({ diff })
            .where(eq(jobs.id, jobId))
            .returning({ userId: jobs.userId });
          const changed = JSON.stringify({ type: 'job', id: jobId, userId: job?.userId });
          await tx.execute(sql`select pg_notify(${EVENTS_CHANNEL}, ${changed})`);
        }
        return before?.blobKey ?? null;
      });
    },
    async artifact(jobId: string, name: string): Promise<ArtifactRow | null> {
      const [row] = await db
        .select()
        .from(artifacts)
        .where(and(eq(artifacts.jobId, jobId), eq(artifacts.name, name)));
      return row ?? null;
    },
    async artifactBytes(jobId: string, except: string): Promise<number> {
      const { rows } = await pool.query<{ bytes: string }>(
        'select coalesce(sum(size_bytes), 0) as bytes from artifact where job_id = $1 and name <> $2',
        [jobId, except],
      );
      return Number(rows[0]?.bytes ?? 0);
    },

    async putUpload(row: typeof uploads.$inferInsert): Promise<void> {
      await db.insert(uploads).values(row);
    },
    async upload(id: string, userId: string): Promise<UploadRow | null> {
      const [row] = await db
        .select()
        .from(uploads)
        .where(and(eq(uploads.id, id), eq(uploads.userId, userId)));
      return row ?? null;
    },
    /** Uploads whose time is over and that no waiting or running job needs. */
    async expiredUploads(): Promise<UploadRow[]> {
      return db
        .select()
        .from(uploads)
        .where(
          and(
            lt(uploads.expiresAt, sql`now()`),
            sql`not exists (select 1 from job where finished_at is null and (bundle_id = ${uploads.id} or patch_id = ${uploads.id}))`,
          ),
        )
        .limit(500);
    },
    async removeUpload(id: string): Promise<void> {
      await db.delete(uploads).where(eq(uploads.id, id));
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

/** Holds a place: let in, and not at its end. Its state may still be queued until the reconciler looks. */
const ACTIVE = and(isNotNull(jobs.admittedAt), isNull(jobs.finishedAt));

export const durationKey = (repoName: string, agent: string) => `${repoName}\n${agent}`;
export function pairOf(key: string): { repoName: string; agent: string } {
  const at = key.indexOf('\n');
  return { repoName: key.slice(0, at), agent: key.slice(at + 1) };
}

function moveTo(row: JobRow, decision: Decision, now: Date): Partial<NewJobRow> {
  const final = isFinal(decision.state);
  const failure: Failure | null = decision.failure;
  return {
    state: decision.state,
    stateSince: now,
    phases: movePhase(row, decision, now),
    ...(decision.state === 'running' ? { startedAt: now } : {}),
    ...(final ? { finishedAt: now, exitCode: decision.exitCode, failure } : {}),
  };
}

/** Closes the phase in hand and opens the next. Phases a fast worker skipped over get no record. */
function movePhase(row: JobRow, decision: Decision, now: Date): PhaseRecord[] {
  const closed = row.phases.map((phase) => (phase.endedAt === null ? closePhase(phase, now) : phase));
  const name = JOB_PHASES.find((phase) => phase === decision.state);
  return name ? [...closed, { name, startedAt: now.toISOString(), endedAt: null, reason: decision.reason }] : closed;
}

const PLAIN: ReadonlySet<string | null> = new Set(Object.values(WORKING));

/** That it worked goes without saying once it has ended; a reason that somebody gave is kept. */
function closePhase(phase: PhaseRecord, now: Date): PhaseRecord {
  return { ...phase, endedAt: now.toISOString(), reason: PLAIN.has(phase.reason) ? null : phase.reason };
}

function describePhase(phases: readonly PhaseRecord[], reason: string): PhaseRecord[] {
  return phases.map((phase) => (phase.endedAt === null ? { ...phase, reason } : phase));
}

export function factsOf(row: JobRow): JobFacts {
  const running = row.phases.find((phase) => phase.name === 'running');
  return {
    state: row.state,
    reason: row.reason,
    cancelRequestedAt: ms(row.cancelRequestedAt),
    admittedAt: ms(row.admittedAt),
    launchTries: row.launchTries,
    launchedAt: ms(row.launchedAt),
    launchFault: row.launchFault ? { ...row.launchFault, at: Date.parse(row.launchFault.at) } : null,
    unit: row.unit ? { ...row.unit, at: Date.parse(row.unit.at) } : null,
    claimedAt: ms(row.claimedAt),
    heardAt: ms(row.heardAt),
    reportedPhase: row.reportedPhase,
    reportedReason: row.reportedReason,
    agentStartedAt: running ? Date.parse(running.startedAt) : null,
    finished: row.finished,
    killedAt: ms(row.killedAt),
    killedFor: row.killedFor,
    cleaned: row.cleanedAt !== null,
    timeoutSeconds: row.timeoutSeconds,
    memoryBytes: row.resources.memoryBytes ?? null,
  };
}

const ms = (date: Date | null) => date?.getTime() ?? null;

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
