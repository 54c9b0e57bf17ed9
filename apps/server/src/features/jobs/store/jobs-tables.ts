import type {
  DiffStat,
  DriverName,
  ErrorCode,
  Failure,
  JobPhase,
  JobState,
  Outcome,
  Resources,
  Usage,
} from '@hangar/contract';
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { at } from '../../../platform/database/columns.ts';
import { placeColumns } from '../../../platform/places/places-tables.ts';
import { reconcileColumns } from '../../../platform/reconcile/columns.ts';

/** What the driver said when it was last asked. */
export interface SeenUnit {
  /** `unknown`: the driver could not be reached. */
  readonly kind: 'missing' | 'starting' | 'running' | 'paused' | 'exited' | 'unknown';
  readonly exitCode: number | null;
  readonly outOfMemory: boolean;
  readonly reason: string;
  /** Where the driver knows why it ended. */
  readonly code?: ErrorCode;
  /** Since when it has been seen like this, asked again and again without a long gap: a server that was away saw nothing. */
  readonly since?: string;
  readonly at: string;
}

/** The worker's last word. */
export interface Finished {
  readonly outcome: Outcome;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly failure: Failure | null;
  readonly reason: string;
  readonly at: string;
}

/** `restore`: this server was restored from a backup that was made while the job was in hand. */
export type KilledFor = 'cancel' | 'cloning' | 'timeout' | 'collecting' | 'silence' | 'restore';

export interface LaunchFault {
  readonly failure: Failure;
  /** The backend may answer differently in a moment. */
  readonly retry: boolean;
  readonly at: string;
}

export interface PhaseRecord {
  readonly name: JobPhase;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly reason: string | null;
}

/**
 * Jobs: what is wanted, what was seen, and the state that `decide` made of both. Lists, live frames and every turn of the reconciler
 * read whole rows, by the hundred: nothing may stand in one that somebody can make large.
 */
export const jobs = pgTable(
  'job',
  {
    id: text().primaryKey(),
    userName: text('user_name').notNull(),
    title: text().notNull(),
    agent: text().notNull(),
    driver: text().$type<DriverName>().notNull(),
    /** Where its worker runs, in place of a unit of its own. */
    sandboxId: text('sandbox_id'),
    repoName: text('repo_name').notNull(),
    repoUrl: text('repo_url'),
    repoRef: text('repo_ref'),
    repoCommit: text('repo_commit'),
    /** First commit of the history, where the sender knew it. */
    repoRoot: text('repo_root'),
    bundleId: text('bundle_id'),
    patchId: text('patch_id'),
    credential: text(),
    image: text(),
    resources: jsonb().$type<Resources>().notNull().default({}),
    timeoutSeconds: integer('timeout_seconds').notNull(),
    idempotencyKey: text('idempotency_key'),
    /** SHA-256 of the request, to tell a repeated request from another one with the same key. */
    requestHash: text('request_hash').notNull(),
    retryOf: text('retry_of'),
    group: text('group_name'),

    // Seen
    attempt: integer().notNull().default(1),
    launchTries: integer('launch_tries').notNull().default(0),
    launchedAt: at('launched_at'),
    launchFault: jsonb('launch_fault').$type<LaunchFault>(),
    unit: jsonb().$type<SeenUnit>(),
    workerId: text('worker_id'),
    claimedAt: at('claimed_at'),
    heardAt: at('heard_at'),
    reportedPhase: text('reported_phase').$type<'cloning' | 'running' | 'collecting'>(),
    reportedReason: text('reported_reason'),
    finished: jsonb().$type<Finished>(),
    usage: jsonb().$type<Usage>(),
    killedAt: at('killed_at'),
    killedFor: text('killed_for').$type<KilledFor>(),
    /** Its log has ended and followers were told: the first step of every end. */
    toldAt: at('told_at'),

    // Decided
    state: text().$type<JobState>().notNull().default('queued'),
    stateSince: at('state_since').notNull().defaultNow(),
    reason: text().notNull(),
    phases: jsonb().$type<PhaseRecord[]>().notNull().default([]),
    startedAt: at('started_at'),
    exitCode: integer('exit_code'),
    failure: jsonb().$type<Failure>(),
    diff: jsonb().$type<DiffStat>(),
    activityId: text('activity_id'),

    // Retention
    logRemovedAt: at('log_removed_at'),
    artifactsRemovedAt: at('artifacts_removed_at'),

    // Wanted by its person, placed, and in whose hand it is
    ...placeColumns(),
    ...reconcileColumns(),
  },
  (job) => [
    uniqueIndex('job_idempotency').on(job.userId, job.idempotencyKey).where(sql`idempotency_key is not null`),
    // Ascending, read backwards: `desc()` makes an index with nulls last, which no `order by … desc` can use.
    index('job_of_user').on(job.userId, job.createdAt, job.id),
    index('job_newest').on(job.createdAt, job.id),
    index('job_of_state').on(job.state, job.createdAt, job.id),
    index('job_of_user_state').on(job.userId, job.state, job.createdAt, job.id),
    index('job_wake').on(job.wakeAt).where(sql`wake_at is not null`),
    index('job_lease').on(job.leaseUntil).where(sql`lease_until is not null`),
    index('job_estimate').on(job.repoName, job.agent, job.finishedAt).where(sql`state = 'succeeded'`),
    index('job_kept')
      .on(job.userId, job.finishedAt)
      .where(sql`finished_at is not null and (log_removed_at is null or artifacts_removed_at is null)`),
    index('job_uncleaned').on(job.id).where(sql`finished_at is not null and cleaned_at is null`),
  ],
);

/**
 * What jobs are found by. It never changes, so a trigger on `job` writes it once, with its indexes; in `job` each of them would be
 * written again with every move.
 */
export const jobSearch = pgTable(
  'job_search',
  {
    jobId: text('job_id')
      .primaryKey()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    userId: text('user_id').notNull(),
    createdAt: at('created_at').notNull(),
    agent: text().notNull(),
    profile: text().notNull(),
    repoName: text('repo_name').notNull(),
    group: text('group_name'),
    /** Title, repository and id, with a line end between them. */
    text: text().notNull(),
    /** The same as the index of texts knows it: `job_search_key` of the migration makes words of letters that PostgreSQL may take for none. */
    key: text().notNull(),
  },
  (found) => [
    index('job_search_of').on(found.userId, found.createdAt, found.jobId),
    index('job_search_newest').on(found.createdAt, found.jobId),
    index('job_search_agent_of').on(found.userId, found.agent, found.createdAt, found.jobId),
    index('job_search_agent').on(found.agent, found.createdAt, found.jobId),
    index('job_search_profile_of').on(found.userId, found.profile, found.createdAt, found.jobId),
    index('job_search_profile').on(found.profile, found.createdAt, found.jobId),
    index('job_search_repo_of').on(found.userId, found.repoName, found.createdAt, found.jobId),
    index('job_search_repo').on(found.repoName, found.createdAt, found.jobId),
    index('job_search_group').on(found.group, found.createdAt, found.jobId).where(sql`group_name is not null`),
    index('job_search_text').using('gin', found.key.op('gin_trgm_ops')),
  ],
);

/** What the worker is given, written once and read where it is used. It may be large: a spec of 1 MiB, an environment of 256 KiB. */
export const jobOrders = pgTable('job_order', {
  jobId: text('job_id')
    .primaryKey()
    .references(() => jobs.id, { onDelete: 'cascade' }),
  spec: text().notNull(),
  /** Sealed JSON of the environment: its values may be secrets. */
  envSealed: text('env_sealed'),
  envNames: jsonb('env_names').$type<string[]>().notNull().default([]),
});

/** How long agents ran, by the month in which they ended. Kept by a trigger on `job`, so that no writer can forget it. */
export const minutesUsed = pgTable(
  'minutes_used',
  {
    userId: text('user_id').notNull(),
    /** Its first day, in UTC. */
    month: date().notNull(),
    ms: bigint({ mode: 'number' }).notNull(),
  },
  (used) => [primaryKey({ columns: [used.userId, used.month] })],
);

export const jobEvents = pgTable(
  'job_event',
  {
    jobId: text('job_id')
      .notNull()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    n: integer().notNull(),
    at: at('at').notNull().defaultNow(),
    state: text().$type<JobState>().notNull(),
    reason: text().notNull(),
    attempt: integer().notNull(),
  },
  (event) => [primaryKey({ columns: [event.jobId, event.n] })],
);

export const artifacts = pgTable(
  'artifact',
  {
    jobId: text('job_id')
      .notNull()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    kind: text().$type<'diff' | 'file'>().notNull(),
    contentType: text('content_type').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    sha256: text().notNull(),
    partial: boolean().notNull(),
    blobKey: text('blob_key').notNull(),
    /** Attempt and number of the upload: one that was overtaken on its way replaces nothing. */
    turn: bigint({ mode: 'number' }).notNull().default(0),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (artifact) => [primaryKey({ columns: [artifact.jobId, artifact.name] })],
);

export const uploads = pgTable(
  'upload',
  {
    id: text().primaryKey(),
    userId: text('user_id').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    sha256: text().notNull(),
    blobKey: text('blob_key').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    expiresAt: at('expires_at').notNull(),
  },
  (upload) => [index('upload_expired').on(upload.expiresAt)],
);

/** Uploads on their way: the room they have taken, as long as they are heard of. */
export const arrivingUploads = pgTable(
  'upload_arriving',
  {
    id: text().primaryKey(),
    owner: text().notNull(),
    bytes: bigint({ mode: 'number' }).notNull(),
    until: at('until').notNull(),
  },
  (arriving) => [index('upload_arriving_of').on(arriving.owner)],
);

export type JobRow = typeof jobs.$inferSelect;
export type NewJobRow = typeof jobs.$inferInsert;
export type JobOrderRow = typeof jobOrders.$inferSelect;
export type ArtifactRow = typeof artifacts.$inferSelect;
export type UploadRow = typeof uploads.$inferSelect;
