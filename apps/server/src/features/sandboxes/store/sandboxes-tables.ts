import type { DriverName, ErrorCode, ExecutionStateName, Failure, Resources, SandboxStateName } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import { bigint, boolean, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { at } from '../../../platform/database/columns.ts';
import { placeColumns } from '../../../platform/places/places-tables.ts';
import { reconcileColumns } from '../../../platform/reconcile/columns.ts';

/** What the driver said of the machine when it was last asked. */
export interface SeenMachine {
  /** `unknown`: the driver could not be reached. */
  readonly kind: 'missing' | 'starting' | 'running' | 'paused' | 'exited' | 'unknown';
  readonly reason: string;
  readonly code?: ErrorCode;
  /** Since when it has been seen like this, asked again and again. */
  readonly since: string;
  readonly at: string;
}

export interface LaunchFault {
  readonly failure: Failure;
  /** The backend may answer differently in a moment. */
  readonly retry: boolean;
  readonly at: string;
}

/** Why something that is wanted cannot be had, until somebody asks for it again. */
export interface ActFault {
  readonly act: 'pause' | 'resume' | 'clean';
  readonly failure: Failure;
}

/** The files of a job as they were laid out in the machine. */
export interface LaidOut {
  /** Its work tree, and the folder that holds all that belongs to it. */
  readonly path: string;
  readonly folder: string;
  /** What its diff is against. */
  readonly commit: string;
  readonly baseTree: string;
  readonly partial: boolean;
}

export type ClosedFor = 'person' | 'idle' | 'lifetime' | 'restore';

/** Machines in hand: what is wanted, what was seen, and the state that `decide` made of both. Nothing large stands in a row. */
export const sandboxes = pgTable(
  'sandbox',
  {
    id: text().primaryKey(),
    userName: text('user_name').notNull(),
    name: text(),
    driver: text().$type<DriverName>().notNull(),
    image: text(),
    resources: jsonb().$type<Resources>().notNull().default({}),
    metadata: jsonb().$type<Record<string, string>>().notNull().default({}),
    envNames: jsonb('env_names').$type<string[]>().notNull().default([]),
    idleSeconds: integer('idle_seconds').notNull(),
    lifetimeSeconds: integer('lifetime_seconds').notNull(),
    idempotencyKey: text('idempotency_key'),
    requestHash: text('request_hash').notNull(),

    // Wanted
    /** Whose files are to be laid out in it before it is said to run. */
    jobId: text('job_id'),
    pauseWanted: boolean('pause_wanted').notNull().default(false),
    /** Its person has left it and keeps the machine. */
    leftAt: at('left_at'),

    // Seen
    attempt: integer().notNull().default(1),
    launchTries: integer('launch_tries').notNull().default(0),
    launchedAt: at('launched_at'),
    launchFault: jsonb('launch_fault').$type<LaunchFault>(),
    launchReason: text('launch_reason'),
    machine: jsonb().$type<SeenMachine>(),
    preparingAt: at('preparing_at'),
    tree: jsonb().$type<LaidOut>(),
    /** Why the files of its job cannot be laid out. */
    treeFault: jsonb('tree_fault').$type<Failure>(),
    readyAt: at('ready_at'),
    lastActivityAt: at('last_activity_at').notNull().defaultNow(),
    closedFor: text('closed_for').$type<ClosedFor>(),
    fault: jsonb().$type<ActFault>(),
    /** The end by a limit that its person was warned of. */
    warnedOf: at('warned_of'),

    // Decided
    state: text().$type<SandboxStateName>().notNull().default('queued'),
    stateSince: at('state_since').notNull().defaultNow(),
    reason: text().notNull(),
    failure: jsonb().$type<Failure>(),
    activityId: text('activity_id').notNull(),

    ...placeColumns(),
    ...reconcileColumns(),
  },
  (sandbox) => [
    uniqueIndex('sandbox_idempotency')
      .on(sandbox.userId, sandbox.idempotencyKey)
      .where(sql`idempotency_key is not null`),
    index('sandbox_newest').on(sandbox.createdAt, sandbox.id),
    index('sandbox_of_user').on(sandbox.userId, sandbox.createdAt, sandbox.id),
    index('sandbox_wake').on(sandbox.wakeAt).where(sql`wake_at is not null`),
    index('sandbox_lease').on(sandbox.leaseUntil).where(sql`lease_until is not null`),
  ],
);
export type SandboxRow = typeof sandboxes.$inferSelect;

/** Its environment, which may be large: read where something is executed. */
export const sandboxOrders = pgTable('sandbox_order', {
  sandboxId: text('sandbox_id')
    .primaryKey()
    .references(() => sandboxes.id, { onDelete: 'cascade' }),
  envSealed: text('env_sealed'),
});

/** How an execution ended, as the machine said it. */
export interface Ending {
  readonly reason: 'exited' | 'signaled' | 'timeout' | 'cancelled' | 'out_of_memory' | 'not_started' | 'lost';
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: number;
  readonly stderr: number;
  readonly leftover: number;
  readonly message: string | null;
  /** Of `lost`: whether that is all, or its machine is gone with it. */
  readonly code?: 'execution_lost';
}

/** One command in a sandbox. */
export const executions = pgTable(
  'execution',
  {
    id: text().primaryKey(),
    sandboxId: text('sandbox_id')
      .notNull()
      .references(() => sandboxes.id, { onDelete: 'cascade' }),
    userId: text('user_id').notNull(),
    /** The job whose worker it is, and which attempt of it. */
    jobId: text('job_id'),
    jobAttempt: integer('job_attempt'),
    /** The command in words, cut: sealed, for commands hold secrets. Null: of one made before titles were. */
    titleSealed: text('title_sealed'),
    terminal: boolean().notNull().default(false),
    stdin: boolean().notNull().default(false),
    createdAt: at('created_at').notNull().defaultNow(),
    idempotencyKey: text('idempotency_key'),
    requestHash: text('request_hash').notNull(),

    // Wanted
    cancelRequestedAt: at('cancel_requested_at'),
    cancelGraceMs: integer('cancel_grace_ms'),

    // Seen
    startedAt: at('started_at'),
    awaySince: at('away_since'),
    awayWhy: text('away_why'),
    ending: jsonb().$type<Ending>(),
    stdoutBytes: bigint('stdout_bytes', { mode: 'number' }).notNull().default(0),
    stderrBytes: bigint('stderr_bytes', { mode: 'number' }).notNull().default(0),
    truncated: boolean().notNull().default(false),
    /** Its output has ended and followers were told. */
    toldAt: at('told_at'),
    /** Nothing of it is left in the machine. */
    cleanedAt: at('cleaned_at'),

    // Decided
    state: text().$type<ExecutionStateName>().notNull().default('queued'),
    stateSince: at('state_since').notNull().defaultNow(),
    reason: text().notNull(),
    failure: jsonb().$type<Failure>(),
    finishedAt: at('finished_at'),
    logRemovedAt: at('log_removed_at'),

    ...reconcileColumns(),
  },
  (execution) => [
    uniqueIndex('execution_idempotency')
      .on(execution.userId, execution.idempotencyKey)
      .where(sql`idempotency_key is not null`),
    uniqueIndex('execution_of_job').on(execution.jobId, execution.jobAttempt).where(sql`job_id is not null`),
    index('execution_of_sandbox').on(execution.sandboxId, execution.createdAt, execution.id),
    index('execution_running').on(execution.sandboxId).where(sql`finished_at is null`),
    index('execution_kept')
      .on(execution.userId, execution.finishedAt)
      .where(sql`finished_at is not null and log_removed_at is null`),
    index('execution_wake').on(execution.wakeAt).where(sql`wake_at is not null`),
    index('execution_lease').on(execution.leaseUntil).where(sql`lease_until is not null`),
  ],
);
export type ExecutionRow = typeof executions.$inferSelect;

/** What is executed, which may be large and secret. */
export const executionOrders = pgTable('execution_order', {
  executionId: text('execution_id')
    .primaryKey()
    .references(() => executions.id, { onDelete: 'cascade' }),
  /** ExecutionOrder as JSON, sealed: commands hold secrets as often as environments. */
  orderSealed: text('order_sealed').notNull(),
});
