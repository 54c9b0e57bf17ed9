import { type ErrorCode, HangarError, type SandboxStateName } from '@hangar/contract';
import type { Offsets, UnitKey } from '@hangar/sandbox';
import { and, count, desc, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm';
import type { Publish } from '../../../platform/capability.ts';
import { type Database, isUniqueViolation } from '../../../platform/database/index.ts';
import { sending } from '../../../platform/database/listener.ts';
import { placesMoved } from '../../../platform/places/admission.ts';
import { profileKey } from '../../../platform/places/profile-key.ts';
import { createReconciled, waking } from '../../../platform/reconcile/reconciled.ts';
import { executionChanged, executionNoun } from '../lifecycle/execution-lifecycle.ts';
import type { Patience } from '../lifecycle/sandbox-facts.ts';
import { publicationsOf, SANDBOX, sandboxChanged, sandboxNoun } from '../lifecycle/sandbox-noun.ts';
import {
  type ExecutionRow,
  executionOrders,
  executions,
  type SandboxRow,
  sandboxes,
  sandboxOrders,
} from './sandboxes-tables.ts';

/** Where a list goes on: after the thing that was made then. */
export interface Before {
  readonly createdAt: Date;
  readonly id: string;
}

export interface ListFilter {
  readonly states?: readonly SandboxStateName[];
  readonly profile?: string;
  /** In name and id, in lower case. */
  readonly search?: string;
  readonly before?: Before;
  readonly limit: number;
}

/** Told with the commit that wants an execution to end: whoever follows it ends it at once. */
export const CANCEL_CHANNEL = 'hangar_execution_cancel';

/** Of one sandbox, so that nobody's executions keep those of others from being followed. */
export const EXECUTIONS_AT_ONCE = 100;
const REFUSED: ReadonlySet<ErrorCode> = new Set(['sandbox_closed', 'quota_executions'] as const);

/** An activity of so long ago is written anew: not every keystroke is. */
const TOUCHED_S = 5;

/** The only SQL over sandboxes and what runs in them. What a person asks for goes through `of`: ownership is part of each query. */
export function createSandboxesStore(database: Database, o: { patience: Patience; publish: Publish }) {
  const { db, pool } = database;
  const reconciled = createReconciled(database, sandboxNoun(o));
  const reconciledExecutions = createReconciled(database, executionNoun);

  /** The worker of an attempt of a job. */
  async function executionOfJob({ id, attempt }: UnitKey): Promise<ExecutionRow | null> {
    const [row] = await db
      .select()
      .from(executions)
      .where(and(eq(executions.jobId, id), eq(executions.jobAttempt, attempt)));
    return row ?? null;
  }

  return {
    reconciled,
    reconciledExecutions,
    advance: reconciled.advance,
    advanceExecution: reconciledExecutions.advance,

    /** Takes a sandbox in; with a key that is there already gives the one it belongs to. @throws HangarError idempotency_conflict */
    async accept(row: typeof sandboxes.$inferInsert, envSealed: string | null): Promise<SandboxRow> {
      try {
        return await db.transaction(async (tx) => {
          const [made] = await tx
            .insert(sandboxes)
            .values({ ...row, wakeAt: null })
            .returning();
          if (!made) throw new HangarError('internal');
          if (envSealed !== null) await tx.insert(sandboxOrders).values({ sandboxId: made.id, envSealed });
          await o.publish(tx, publicationsOf(made));
          await tx.execute(sending([placesMoved(SANDBOX), waking(SANDBOX), sandboxChanged(made)]));
          return made;
        });
      } catch (error) {
        if (!isUniqueViolation(error) || row.idempotencyKey == null) throw error;
        const [same] = await db
          .select()
          .from(sandboxes)
          .where(and(eq(sandboxes.userId, row.userId), eq(sandboxes.idempotencyKey, row.idempotencyKey)));
        if (same?.requestHash !== row.requestHash) throw new HangarError('idempotency_conflict');
        return same;
      }
    },

    /** Takes an execution in, while its sandbox may still have some. @throws HangarError sandbox_closed, quota_executions, idempotency_conflict */
    async acceptExecution(row: typeof executions.$inferInsert, orderSealed: string): Promise<ExecutionRow> {
      try {
        return await db.transaction(async (tx) => {
          const [open] = await tx
            .update(sandboxes)
            .set({ lastActivityAt: sql`now()`, leftAt: null })
            .where(
              and(
                eq(sandboxes.id, row.sandboxId),
                isNull(sandboxes.finishedAt),
                isNull(sandboxes.cancelRequestedAt),
                isNull(sandboxes.closedFor),
              ),
            )
            .returning({ id: sandboxes.id });
          if (!open) throw new HangarError('sandbox_closed', { message: `Sandbox ${row.sandboxId} is closed.` });
          const [going] = await tx
            .select({ n: count() })
            .from(executions)
            .where(and(eq(executions.sandboxId, row.sandboxId), isNull(executions.finishedAt)));
          if ((going?.n ?? 0) >= EXECUTIONS_AT_ONCE)
            throw new HangarError('quota_executions', {
              message: `${EXECUTIONS_AT_ONCE} executions of this sandbox have not ended; it has no place for another one.`,
            });
          const [made] = await tx.insert(executions).values(row).returning();
          if (!made) throw new HangarError('internal');
          await tx.insert(executionOrders).values({ executionId: made.id, orderSealed });
          await tx.execute(sending([waking('execution'), executionChanged(made)]));
          return made;
        });
      } catch (error) {
        // Sent again, it gives what it gave, also when nothing new would be taken any more.
        const { jobId: job = null, jobAttempt: attempt = null } = row;
        const worker = job === null || attempt === null ? null : await executionOfJob({ id: job, attempt });
        if (worker !== null) return worker;
        const isFull = error instanceof HangarError && REFUSED.has(error.code);
        if (!(isUniqueViolation(error) || isFull) || row.idempotencyKey == null) throw error;
        const [same] = await db
          .select()
          .from(executions)
          .where(and(eq(executions.userId, row.userId), eq(executions.idempotencyKey, row.idempotencyKey)));
        if (same === undefined) throw error;
        if (same.requestHash !== row.requestHash) throw new HangarError('idempotency_conflict');
        return same;
      }
    },

    async byId(id: string): Promise<SandboxRow | null> {
      const [row] = await db.select().from(sandboxes).where(eq(sandboxes.id, id));
      return row ?? null;
    },
    async executionById(id: string): Promise<ExecutionRow | null> {
      const [row] = await db.select().from(executions).where(eq(executions.id, id));
      return row ?? null;
    },
    executionOfJob,
    async envOf(sandboxId: string): Promise<string | null> {
      const [row] = await db.select().from(sandboxOrders).where(eq(sandboxOrders.sandboxId, sandboxId));
      return row?.envSealed ?? null;
    },
    async orderOf(executionId: string): Promise<string> {
      const [row] = await db.select().from(executionOrders).where(eq(executionOrders.executionId, executionId));
      if (!row) throw new HangarError('execution_not_found');
      return row.orderSealed;
    },
    /** So much of its output is kept so far; once it has ended, that says it. */
    async countOutput({ id, userId }: ExecutionRow, claim: number, kept: Offsets): Promise<void> {
      await db.transaction(async (tx) => {
        const counted = await tx
          .update(executions)
          .set({ stdoutBytes: kept.stdout, stderrBytes: kept.stderr })
          .where(and(eq(executions.id, id), eq(executions.claim, claim), isNull(executions.ending)))
          .returning({ id: executions.id });
        if (counted.length > 0) await tx.execute(sending([executionChanged({ id, userId })]));
      });
    },
    /** It is to end: whoever follows it hears of it with the commit. */
    async requestCancel(id: string, graceMs: number | null): Promise<ExecutionRow> {
      const { row } = await reconciledExecutions.advance(id, (before, now) => ({
        cancelRequestedAt: before.cancelRequestedAt ?? now,
        cancelGraceMs: graceMs ?? before.cancelGraceMs,
      }));
      await db.execute(sending([{ channel: CANCEL_CHANNEL, payload: id }]));
      return row;
    },
    /** Somebody does something in it. */
    async touch(id: string): Promise<void> {
      await pool.query(
        'update sandbox set last_activity_at = now() where id = $1 and last_activity_at < now() - make_interval(secs => $2) and finished_at is null',
        [id, TOUCHED_S],
      );
    },
    async isCloseWanted(id: string): Promise<boolean> {
      const { rowCount } = await pool.query('select 1 from sandbox where id = $1 and cancel_requested_at is not null', [
        id,
      ]);
      return (rowCount ?? 0) > 0;
    },
    /** Of these, those that are to end. */
    async cancelled(ids: readonly string[]): Promise<string[]> {
      const { rows } = await pool.query<{ id: string }>(
        'select id from execution where id = any($1) and cancel_requested_at is not null',
        [ids],
      );
      return rows.map(({ id }) => id);
    },
    /** How many executions of each sandbox have not ended. */
    async running(sandboxIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
      const rows = await db
        .select({ id: executions.sandboxId, n: count() })
        .from(executions)
        .where(and(inArray(executions.sandboxId, [...sandboxIds]), isNull(executions.finishedAt)))
        .groupBy(executions.sandboxId);
      return new Map(rows.map(({ id, n }) => [id, n]));
    },
    /** A unit is owned while its sandbox has not been cleaned. */
    async ownsUnit(id: string, attempt: number): Promise<boolean> {
      const { rowCount } = await pool.query(
        'select 1 from sandbox where id = $1 and attempt = $2 and cleaned_at is null',
        [id, attempt],
      );
      return (rowCount ?? 0) > 0;
    },

    /** What one person may see; `everybody` is for admins. */
    of(userId: string, everybody = false) {
      const owned = everybody ? undefined : eq(sandboxes.userId, userId);
      const ownedExecution = everybody ? undefined : eq(executions.userId, userId);
      return {
        async get(id: string): Promise<SandboxRow> {
          const [row] = await db
            .select()
            .from(sandboxes)
            .where(and(eq(sandboxes.id, id), owned));
          if (!row) throw new HangarError('sandbox_not_found');
          return row;
        },
        async execution(id: string): Promise<ExecutionRow> {
          const [row] = await db
            .select()
            .from(executions)
            .where(and(eq(executions.id, id), ownedExecution));
          if (!row) throw new HangarError('execution_not_found');
          return row;
        },
        async list(filter: ListFilter) {
          const { states, profile, search, before, limit } = filter;
          return db
            .select()
            .from(sandboxes)
            .where(
              and(
                owned,
                states ? inArray(sandboxes.state, [...states]) : undefined,
                profile === undefined ? undefined : inArray(sandboxes.profile, [profile, profileKey(userId, profile)]),
                search === undefined
                  ? undefined
                  : sql`position(${search} in lower(coalesce(${sandboxes.name}, '') || ' ' || ${sandboxes.id})) > 0`,
                before
                  ? or(
                      lt(sandboxes.createdAt, before.createdAt),
                      and(eq(sandboxes.createdAt, before.createdAt), lt(sandboxes.id, before.id)),
                    )
                  : undefined,
              ),
            )
            .orderBy(desc(sandboxes.createdAt), desc(sandboxes.id))
            .limit(limit);
        },
        async executions(sandboxId: string, filter: { before?: Before; limit: number }) {
          const { before, limit } = filter;
          return db
            .select()
            .from(executions)
            .where(
              and(
                eq(executions.sandboxId, sandboxId),
                ownedExecution,
                before
                  ? or(
                      lt(executions.createdAt, before.createdAt),
                      and(eq(executions.createdAt, before.createdAt), lt(executions.id, before.id)),
                    )
                  : undefined,
              ),
            )
            .orderBy(desc(executions.createdAt), desc(executions.id))
            .limit(limit);
        },
      };
    },
  };
}
export type SandboxesStore = ReturnType<typeof createSandboxesStore>;
