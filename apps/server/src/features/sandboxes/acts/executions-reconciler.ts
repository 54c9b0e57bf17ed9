import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, isClosed } from '@hangar/contract';
import type { Result } from '@hangar/sandbox';
import type { Logger } from 'pino';
import type { Database } from '../../../platform/database/index.ts';
import { type Acting, type Acts, createActing } from '../../../platform/reconcile/acting.ts';
import type { Change } from '../../../platform/reconcile/reconciled.ts';
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts';
import { within } from '../../../platform/waits.ts';
import type { ExecutionAction, SeenOfExecution } from '../lifecycle/execution-lifecycle.ts';
import type { Hand, LogsOfExecutions, PeopleOfSandboxes } from '../needs.ts';
import { type OrdersOf, specOf } from '../orders.ts';
import type { SandboxesStore } from '../store/sandboxes-store.ts';
import type { Ending, ExecutionRow, SandboxRow } from '../store/sandboxes-tables.ts';
import type { Cancels } from './cancels.ts';
import type { Machines } from './machines.ts';
import { createRecorder, recordedOf } from './recorder.ts';

/** Each that runs is followed by one. */
const FOLLOWED_AT_ONCE = 1_000;
/** Of a server that died, another follows on after so long: people wait for the next line. */
const LEASE_SECONDS = 6;
const WAIT_FOR_MACHINE_MS = 200;
/** While something runs in it, a sandbox is in use. */
const TOUCH_MS = 20_000;
const FORGET_MS = 15_000;
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
  readonly logs: LogsOfExecutions;
  readonly log: Logger;
}): Reconciler {
  const { store, machines, cancels, logs, log } = parts;

  /** Its sandbox, once its machine runs; or why it never will. */
  async function machineOf(row: ExecutionRow, signal: AbortSignal): Promise<SandboxRow | Ending> {
    for (;;) {
      const sandbox = await store.byId(row.sandboxId);
      if (sandbox === null || isClosed(sandbox.state) || sandbox.closedFor !== null) {
        const isStarted = row.startedAt !== null;
        return {
          ...NOTHING,
          reason: isStarted ? 'lost' : 'cancelled',
          message: sandbox?.reason ?? 'The sandbox is gone.',
        };
      }
      if (sandbox.readyAt !== null && sandbox.machine?.kind !== 'paused') return sandbox;
      if (row.startedAt === null && (await store.cancelled([row.id])).length > 0)
        return { ...NOTHING, reason: 'cancelled' };
      await sleep(WAIT_FOR_MACHINE_MS, undefined, { signal });
    }
  }

  async function follow(row: ExecutionRow, { claim, signal }: Acting): Promise<Seen> {
    const sandbox = await machineOf(row, signal);
    if ('reason' in sandbox && !('id' in sandbox)) return () => ({ ending: sandbox });
    const touching = setInterval(() => void store.touch(row.sandboxId).catch(() => undefined), TOUCH_MS);
    try {
      return await followIn(sandbox as SandboxRow, row, { claim, signal });
    } finally {
      clearInterval(touching);
    }
  }

  async function followIn(sandbox: SandboxRow, row: ExecutionRow, { claim, signal }: Acting): Promise<Seen> {
    const spec = await specOf(parts.orders, sandbox, row);
    const { maxLogBytes: maxBytes } = await parts.people.planOf(row.userId);
    let { startedAt } = row;
    for (let tried = 0; ; tried++) {
      const from = claim === 1 && tried === 0 ? { stdout: 0, stderr: 0 } : await recordedOf(logs, row.id);
      const recorder = createRecorder(logs, { id: row.id, source: `${claim}-${tried}`, maxBytes });
      try {
        const hand = await machines.open(sandbox, signal);
        const ended = new AbortController();
        const unwatch = cancels.watch(row.id, () => void cancel(hand, row.id, AbortSignal.any([signal, ended.signal])));
        try {
          for await (const output of hand.executions.run(spec, from, { signal })) {
            if (output.type === 'started') {
              if (startedAt === null) ({ startedAt } = (await store.advanceExecution(row.id, started, { claim })).row);
            } else if (output.type === 'end') {
              await recorder.written();
              const truncated = await isTruncated(row.id, output.result, maxBytes);
              return endingSeen(output.result, truncated);
            } else {
              await recorder.add(output);
              tried = 0;
            }
          }
        } finally {
          unwatch();
          ended.abort();
        }
        throw new HangarError('connection_lost');
      } catch (error) {
        await recorder.written();
        signal.throwIfAborted();
        if (!(error instanceof HangarError)) throw error;
        const ending = endingOf(error);
        if (ending !== null) return () => ({ ending });
        machines.forget(sandbox.id);
        const now = await store.byId(sandbox.id);
        if (now === null || isClosed(now.state) || now.closedFor !== null)
          return () => ({ ending: { ...NOTHING, reason: 'lost', message: now?.reason ?? error.message } });
        const pause = AGAIN_MS[tried];
        // Its row says why, and it is asked for again later: the sandbox finds out what became of its machine.
        if (pause === undefined) throw new HangarError('driver_unavailable', { message: error.message, cause: error });
        log.info({ execution: row.id, code: error.code, why: error.message }, 'the way to a machine broke');
        await sleep(pause, undefined, { signal });
      }
    }
  }

  /** Whether the limit of its log was reached before its end. */
  async function isTruncated(id: string, { bytes }: Result, maxBytes: number): Promise<boolean> {
    // Far below the limit nobody needs to look: as text a piece is not twice as large.
    if ((bytes.stdout + bytes.stderr) * 2 < maxBytes) return false;
    const kept = await recordedOf(logs, id);
    return kept.stdout < bytes.stdout || kept.stderr < bytes.stderr;
  }

  /** What it ends with comes by the one who follows it. */
  async function cancel(hand: Hand, id: string, signal: AbortSignal): Promise<void> {
    try {
      const { cancelGraceMs } = (await store.executionById(id)) ?? { cancelGraceMs: null };
      await hand.executions.cancel(id, { graceMs: cancelGraceMs ?? 5_000, signal: 'SIGTERM' }, { signal });
    } catch (error) {
      if (!signal.aborted) log.info({ err: error, execution: id }, 'cannot end an execution yet');
    }
  }

  const acts: Acts<ExecutionRow, SeenOfExecution, ExecutionAction> = {
    follow: { run: (row, _action, acting) => follow(row, acting) },
    tell: {
      needsNobody: true,
      async run(row) {
        await logs.end(row.id, { state: row.state });
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

function endingSeen({ reason, exitCode, signal, bytes, leftover, message }: Result, truncated: boolean): Seen {
  const { stdout, stderr } = bytes;
  const ending = { reason, exitCode, signal, stdout, stderr, leftover, message };
  return (before, now) => ({
    ...{ ending, stdoutBytes: stdout, stderrBytes: stderr, truncated, awaySince: null, awayWhy: null },
    startedAt: before.startedAt ?? (reason === 'not_started' ? null : now),
  });
}

/** Errors that no other try mends. */
function endingOf({ code, message }: HangarError): Ending | null {
  if (code === 'sandbox_gone') return { ...NOTHING, reason: 'lost', message };
  if (code === 'command_too_long' || code === 'unsupported' || code === 'disk_full')
    return { ...NOTHING, reason: 'not_started', message };
  return null;
}
