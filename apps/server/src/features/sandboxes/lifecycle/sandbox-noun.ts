import { createHash } from 'node:crypto';
import { type ActivityMessage, isClosed } from '@hangar/contract';
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Publication, Publish } from '../../../platform/capability.ts';
import { announcing } from '../../../platform/live/announce.ts';
import { placesMoved } from '../../../platform/places/admission.ts';
import { type Noun, waking } from '../../../platform/reconcile/reconciled.ts';
import { executions, type SandboxRow, sandboxes } from '../store/sandboxes-tables.ts';
import { factsOf, type NearEnd, type Patience, type SandboxDecision } from './sandbox-facts.ts';
import { decide } from './sandbox-lifecycle.ts';

/** As live frames, places and reconcilers call it. */
export const SANDBOX = 'sandbox';

/** What somebody saw or wants; never the state, which only `decide` makes. */
export type SeenOfSandbox = Partial<
  Pick<
    SandboxRow,
    | 'cancelRequestedAt'
    | 'pauseWanted'
    | 'leftAt'
    | 'profileRevision'
    | 'launchTries'
    | 'launchedAt'
    | 'launchFault'
    | 'launchReason'
    | 'machine'
    | 'preparingAt'
    | 'tree'
    | 'treeFault'
    | 'readyAt'
    | 'lastActivityAt'
    | 'closedFor'
    | 'fault'
    | 'cleanedAt'
  >
>;

export function sandboxNoun(o: {
  patience: Patience;
  publish: Publish;
}): Noun<typeof sandboxes, SeenOfSandbox, SandboxDecision> {
  return {
    table: sandboxes,
    missing: 'sandbox_not_found',
    decide: (row, now) => decide(factsOf(row), now.getTime(), o.patience),

    settle({ before, decision: { state, reason, failure, near }, now }) {
      const warned = near === null ? null : new Date(near.at);
      const said = warned?.getTime() === before.warnedOf?.getTime() ? {} : { warnedOf: warned };
      if (state === before.state) return reason === before.reason ? said : { reason, ...said };
      return { state, reason, stateSince: now, ...said, ...(isClosed(state) ? { finishedAt: now, failure } : {}) };
    },

    async announce(tx, { before, row, seen, decision, now }) {
      const moved = row.state !== before.state;
      const isStep = row.preparingAt !== null && before.preparingAt === null;
      const said = [...(moved || isStep ? publicationsOf(row) : []), ...warningsOf(before, row, decision.near, now)];
      if (said.length > 0) await o.publish(tx, said);
      const isNews =
        moved ||
        row.reason !== before.reason ||
        row.machine?.kind !== before.machine?.kind ||
        ['cancelRequestedAt', 'pauseWanted', 'leftAt'].some((key) => key in seen);
      // What waits for its machine looks at once whether that is there, or never will be.
      const wakes = moved || row.machine?.kind !== before.machine?.kind || row.closedFor !== before.closedFor;
      if (wakes)
        await tx
          .update(executions)
          .set({ wakeAt: sql`now()` })
          .where(and(eq(executions.sandboxId, row.id), isNull(executions.finishedAt), isNull(executions.leaseUntil)));
      return [
        ...(wakes ? [waking('execution')] : []),
        ...(isNews ? [sandboxChanged(row)] : []),
        ...(moved && isClosed(row.state) ? [placesMoved(SANDBOX)] : []),
      ];
    },
  };
}

export const sandboxChanged = ({ id, userId }: Pick<SandboxRow, 'id' | 'userId'>) =>
  announcing({ noun: SANDBOX, id, audience: userId });

const STEPS = {
  queued: 'Wait for a place',
  starting: 'Start its machine',
  preparing: 'Preparing the tree',
  running: 'Prove that it runs',
} as const;
type Step = keyof typeof STEPS;
const stepsOf = ({ jobId }: Pick<SandboxRow, 'jobId'>): Step[] =>
  jobId === null ? ['queued', 'starting', 'running'] : ['queued', 'starting', 'preparing', 'running'];

/** What a sandbox says on the activity bus: until its machine runs, or never will. Steps are idempotent. */
export function publicationsOf(row: SandboxRow): Publication[] {
  return messagesOf(row).map((message) => ({
    ...{
      activityId: row.activityId,
      message,
      at: row.state === 'starting' ? (row.preparingAt ?? row.stateSince) : row.stateSince,
    },
    ...{ actor: { id: row.userId, name: row.userName }, correlationId: row.id },
  }));
}

/** An end by a limit that comes near is said while it is near: an activity that is over once it was put off, or came. */
function warningsOf(before: SandboxRow, row: SandboxRow, near: NearEnd | null, now: Date): Publication[] {
  const [was, is] = [before.warnedOf?.getTime() ?? null, row.warnedOf?.getTime() ?? null];
  if (was === is) return [];
  const say = (end: number, message: ActivityMessage): Publication => ({
    ...{ activityId: warningId(row.id, end), message, at: now },
    ...{ actor: { id: row.userId, name: row.userName }, correlationId: row.id },
  });
  const over = was === null ? [] : [say(was, { type: 'DEVOPS_COMPLETE', note: row.reason })];
  if (is === null || near === null) return over;
  const step = `${near.why === 'idle' ? 'Nobody uses it' : 'Its time is over'} at ${new Date(is).toISOString()}`;
  const operation = `Sandbox ${row.name ?? row.id} closes soon`;
  return [
    ...over,
    say(is, { type: 'DEVOPS_STARTED', operation, steps: [step], link: `/sandboxes/${row.id}` }),
    say(is, { type: 'DEVOPS_STEP_UPDATE', step, status: 'running' }),
  ];
}

/** The same for the same end, whoever says it. */
const warningId = (sandbox: string, end: number): string =>
  `a_${createHash('sha256').update(`${sandbox} ${end}`).digest('hex').slice(0, 24)}`;

function messagesOf(row: SandboxRow): ActivityMessage[] {
  const { id, name, state, reason, readyAt, preparingAt } = row;
  const step = (key: Step, status: 'running' | 'completed' | 'failed'): ActivityMessage => ({
    ...{ type: 'DEVOPS_STEP_UPDATE', step: STEPS[key], status },
    ...(status === 'failed' ? { error: reason } : {}),
  });
  if (state === 'queued') {
    const operation = `Open sandbox ${name ?? id}`;
    return [
      { type: 'DEVOPS_STARTED', operation, steps: stepsOf(row).map((key) => STEPS[key]), link: `/sandboxes/${id}` },
      step('queued', 'running'),
    ];
  }
  if (state === 'starting' && preparingAt !== null)
    return [step('starting', 'completed'), step('preparing', 'running')];
  if (state === 'starting') return [step('queued', 'completed'), step('starting', 'running')];
  if (state === 'running')
    return [...stepsOf(row).map((key) => step(key, 'completed')), { type: 'DEVOPS_COMPLETE', note: reason }];
  // Its opening is over then; what comes later is no part of it.
  if (!isClosed(state) || readyAt !== null) return [];
  return [step(preparingAt === null ? 'starting' : 'preparing', 'failed'), { type: 'DEVOPS_FAILED', error: reason }];
}
