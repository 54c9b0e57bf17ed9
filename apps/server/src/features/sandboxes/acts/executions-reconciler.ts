import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, HangarError, isClosed } from '@hangar/contract';
import type { ExecutionSpec, Offsets, Result } from '@hangar/sandbox';
import type { Logger } from 'pino';
import type { Database } from '../../../platform/database/index.ts';
import { type Acting, type Acts, createActing } from '../../../platform/reconcile/acting.ts';
import type { Change } from '../../../platform/reconcile/reconciled.ts';
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts';
import { within } from '../../../platform/waits.ts';
import type { ExecutionAction, SeenOfExecution } from '../lifecycle/execution-lifecycle.ts';
import type { Hand, JobsOfSandboxes, LogsOfExecutions, PeopleOfSandboxes } from '../needs.ts';
import { type OrdersOf, specOf } from '../orders.ts';
import type { SandboxesStore } from '../store/sandboxes-store.ts';
import type { ClosedFor, Ending, ExecutionRow, SandboxRow } from '../store/sandboxes-tables.ts';
import type { Cancels } from './cancels.ts';
import { type Counting, createCounting } from './counting.ts';
import type { Machines } from './machines.ts';
import { createRecorder, recordedOf } from './recorder.ts';
import { workerState } from './worker-state.ts';

/** Each that runs is followed by one. */
const FOLLOWED_AT_ONCE = 1_000;
/** Of a server that died, another follows on after so long: people wait for the next line. */
const LEASE_SECONDS = 6;
const WAIT_FOR_MACHINE_MS = 200;
/** Who waits for longer does not keep others from being followed: it is woken when its sandbox moves. */
const WAIT_IN_PLACE_MS = 1_000;
/** While something runs in it, a sandbox is in use. */
const TOUCH_MS = 20_000;
const FORGET_MS = 15_000;
/** What did not end by being told to is told again. */
const CANCEL_AGAIN_MS = 5_000;
/** What broke is tried again at once, then ever more slowly. */
const AGAIN_MS = [100, 500, 2_000] as const;

type Seen = Change<ExecutionRow, SeenOfExecution>;

/** Runs what is to be executed, takes down what it prints, and ends what is to end. */
export function createExecutionsReconciler(parts: {
  readonly database: Database;
  readonly store: SandboxesStore;
  readonly people: Pick<PeopleOfSandboxes, 'planOf'>;
  readonly machines: Machines;
  readonly cancels: Cancels;
  readonly orders: OrdersOf;
  readonly jobs: Pick<JobsOfSandboxes, 'workerEnded'>;
  readonly logs: LogsOfExecutions;
  readonly log: Logger;
}): Reconciler {
  const { store, machines, cancels, jobs, logs, log } = parts;

  /** Its sandbox, once its machine runs; or why it never will. */
  async function machineOf(row: ExecutionRow, signal: AbortSignal): Promise<SandboxRow | Ending> {
    const until = performance.now() + WAIT_IN_PLACE_MS;
    for (;;) {
      const sandbox = await store.byId(row.sandboxId);
      const ending = endedWith(sandbox, row.startedAt !== null);
      if (ending !== null || sandbox === null) return ending ?? { ...NOTHING, reason: 'lost' };
      if (sandbox.readyAt !== null && sandbox.machine?.kind !== 'paused') return sandbox;
      if (row.startedAt === null && (await store.cancelled([row.id])).length > 0)
        return { ...NOTHING, reason: 'cancelled', message: 'It was cancelled before it started.' };
      if (performance.now() > until)
        throw new HangarError('driver_unavailable', {
          message: sandbox.readyAt === null ? 'its sandbox is being opened' : 'its sandbox is paused',
        });
      await sleep(WAIT_FOR_MACHINE_MS, undefined, { signal });
    }
  }

  async function follow(row: ExecutionRow, { claim, signal }: Acting): Promise<Seen> {
    await store.touch(row.sandboxId);
    const sandbox = await machineOf(row, signal);
    if (!('id' in sandbox)) return ended(row.id, sandbox);
    const touching = setInterval(() => void store.touch(row.sandboxId).catch(() => undefined), TOUCH_MS);
    const counting = createCounting((kept) => store.countOutput(row, claim, kept));
    try {
      return await followIn(sandbox, row, { claim, signal }, counting.printed);
    } finally {
      clearInterval(touching);
      counting.stop();
    }
  }

  async function followIn(
    sandbox: SandboxRow,
    row: ExecutionRow,
    { claim, signal }: Acting,
    printed: Counting['printed'],
  ): Promise<Seen> {
    const spec = await specOf(parts.orders, sandbox, row);
    const { maxLogBytes: maxBytes } = await parts.people.planOf(row.userId);
    let { startedAt } = row;
    let isAway = row.awayWhy !== null;
    for (let tried = 0, round = 0; ; tried++, round++) {
      const from = claim === 1 && round === 0 ? { stdout: 0, stderr: 0 } : await recordedOf(logs, row.id);
      // Never one that wrote before: its batches are numbered anew, and would be taken for those that are there.
      const recorder = createRecorder(logs, { id: row.id, source: `${claim}-${round}`, maxBytes, from });
      try {
        const hand = await machines.open(sandbox, signal);
        const over = new AbortController();
        const unwatch = cancels.watch(row.id, () => void cancel(hand, spec, AbortSignal.any([signal, over.signal])));
        try {
          for await (const output of hand.executions.run(spec, from, { signal })) {
            if (output.type === 'started') {
              if (startedAt === null || isAway)
                ({ startedAt } = (await store.advanceExecution(row.id, started, { claim })).row);
              isAway = false;
            } else if (output.type === 'end') {
              await recorder.written();
              return ended(row.id, endingOfResult(output.result));
            } else {
              await recorder.add(output);
              printed(recorder.reached);
              tried = 0;
            }
          }
        } finally {
          unwatch();
          over.abort();
        }
        throw new HangarError('connection_lost');
      } catch (error) {
        await recorder.written();
        signal.throwIfAborted();
        if (!(error instanceof HangarError)) throw error;
        machines.forget(sandbox.id);
        // Whoever closed the sandbox is the cause, whatever broke by it.
        const ending = endedWith(await store.byId(sandbox.id), startedAt !== null) ?? endingOf(error);
        if (ending !== null) return ended(row.id, ending);
        const pause = AGAIN_MS[tried];
        // Its row says why, and it is asked for again later: the sandbox finds out what became of its machine.
        if (pause === undefined) throw new HangarError('driver_unavailable', { message: error.message, cause: error });
        log.info({ execution: row.id, code: error.code, why: error.message }, 'the way to a machine broke');
        await sleep(pause, undefined, { signal });
      }
    }
  }

  /** With what is kept of its output, which may be less than it printed. */
  async function ended(id: string, ending: Ending): Promise<Seen> {
    const kept: Offsets = await recordedOf(logs, id);
    return (before, now) => ({
      ...{ ending, stdoutBytes: kept.stdout, stderrBytes: kept.stderr, awaySince: null, awayWhy: null },
      truncated: kept.stdout < ending.stdout || kept.stderr < ending.stderr,
      startedAt: before.startedAt ?? (RAN.has(ending.reason) ? now : null),
    });
  }

  /** Told again until it has ended: what it ends with comes by the one who follows it. */
  async function cancel(hand: Hand, { id, graceMs }: ExecutionSpec, signal: AbortSignal): Promise<void> {
    while (!signal.aborted)
      try {
        const { cancelGraceMs } = (await store.executionById(id)) ?? { cancelGraceMs: null };
        await hand.executions.cancel(id, { graceMs: cancelGraceMs ?? graceMs, signal: 'SIGTERM' }, { signal });
        await sleep(CANCEL_AGAIN_MS, undefined, { signal });
      } catch (error) {
        if (signal.aborted) return;
        log.info({ err: error, execution: id }, 'cannot end an execution yet');
        await sleep(AGAIN_MS[1], undefined, { signal }).catch(() => undefined);
      }
  }

  const acts: Acts<ExecutionRow, SeenOfExecution, ExecutionAction> = {
    follow: { run: (row, _action, acting) => follow(row, acting) },
    tell: {
      needsNobody: true,
      async run(row) {
        await logs.end(row.id, { state: row.state });
        const { jobId: id, jobAttempt: attempt } = row;
        if (id !== null && attempt !== null)
          await jobs.workerEnded({ id, attempt }, workerState(row, await store.byId(row.sandboxId)));
        return (_row, now) => ({ toldAt: now });
      },
    },
    clean: {
      needsNobody: true,
      async run(row, _action, { signal }) {
        const sandbox = await store.byId(row.sandboxId);
        if (sandbox !== null && !isClosed(sandbox.state) && sandbox.closedFor === null) {
          const short = within(signal, FORGET_MS);
          // What stays goes with the machine.
          await machines
            .open(sandbox, short)
            .then(({ executions }) => executions.forget(row.id, { signal: short }))
            .catch((error: unknown) =>
              log.info({ err: error, execution: row.id }, 'cannot tidy up after an execution'),
            );
          signal.throwIfAborted();
        }
        return (_row, now) => ({ cleanedAt: now });
      },
    },
  };

  return createActing({
    ...{ database: parts.database, reconciled: store.reconciledExecutions, acts, concurrency: FOLLOWED_AT_ONCE, log },
    leaseSeconds: LEASE_SECONDS,
    away: {
      seen: (why, row, now) => ({ awaySince: row.awaySince ?? now, awayWhy: why }),
      againMs: () => 2_000,
    },
  });
}

const NOTHING: Omit<Ending, 'reason'> = {
  ...{ exitCode: null, signal: null, stdout: 0, stderr: 0, leftover: 0, message: null },
};

const started: Seen = (before, now) => ({ startedAt: before.startedAt ?? now, awaySince: null, awayWhy: null });

/** How it ends that had run, or may have. */
const RAN: ReadonlySet<Ending['reason']> = new Set([...(['exited', 'signaled', 'timeout', 'out_of_memory'] as const)]);

const endingOfResult = ({ reason, exitCode, signal, bytes, leftover, message }: Result): Ending => ({
  ...{ reason, exitCode, signal, stdout: bytes.stdout, stderr: bytes.stderr, leftover, message },
  ...(reason === 'lost' ? { code: 'execution_lost' } : {}),
});

const CLOSED_FOR = {
  person: 'Its sandbox was closed.',
  idle: 'Its sandbox was closed because nobody used it.',
  lifetime: 'Its sandbox was closed because its time was over.',
  restore: 'This server was restored from a backup.',
} as const satisfies Record<ClosedFor, string>;

/** What its sandbox ends it with; null while that is there. */
function endedWith(sandbox: SandboxRow | null, hasStarted: boolean): Ending | null {
  if (sandbox === null) return { ...NOTHING, reason: 'lost', message: 'Its sandbox is gone.' };
  const { closedFor, state, reason } = sandbox;
  if (closedFor !== null)
    return { ...NOTHING, reason: hasStarted ? 'lost' : 'cancelled', message: CLOSED_FOR[closedFor] };
  return isClosed(state) ? { ...NOTHING, reason: 'lost', message: reason } : null;
}

const NEVER_STARTS: ReadonlySet<ErrorCode> = new Set([
  ...(['command_too_long', 'unsupported', 'disk_full', 'validation_failed'] as const),
]);

/** Errors that no other try mends. */
function endingOf({ code, message }: HangarError): Ending | null {
  if (code === 'sandbox_gone') return { ...NOTHING, reason: 'lost', message };
  if (code === 'execution_not_found')
    return { ...NOTHING, reason: 'lost', message: 'The machine knows nothing of it any more.', code: 'execution_lost' };
  return NEVER_STARTS.has(code) ? { ...NOTHING, reason: 'not_started', message } : null;
}
