import { ERRORS, type ErrorCode, HangarError } from '@hangar/contract';
import type { UnitState, Units } from '@hangar/sandbox';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Database } from '../../../platform/database/index.ts';
import { type Acting, type Acts, createActing } from '../../../platform/reconcile/acting.ts';
import { type Change, Fenced } from '../../../platform/reconcile/reconciled.ts';
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts';
import { orAborted, within } from '../../../platform/waits.ts';
import type { SandboxAction } from '../lifecycle/sandbox-facts.ts';
import type { SeenOfSandbox } from '../lifecycle/sandbox-noun.ts';
import type { ProfilesOfSandboxes } from '../needs.ts';
import type { SandboxesStore } from '../store/sandboxes-store.ts';
import type { SandboxRow, SeenMachine } from '../store/sandboxes-tables.ts';
import { failureOf, isForGood, passes } from './failures.ts';
import { type Machines, unitOf } from './machines.ts';
import type { Trees } from './trees.ts';

const CALL_MS = 60_000;
/** A machine that is there and says nothing for so long has lost its connection. */
const PROOF_MS = 12_000;
/** An image may take its time to be pulled. */
const LAUNCH_MS = 15 * 60_000;
/** How often a machine is renewed, and for how long each time. */
const RENEW_MS = 5 * 60_000;
const RENEWED_FOR_MS = 30 * 60_000;
const WANTED_MS = 1_000;
const HANDLED_AT_ONCE = 64;
const LAUNCHES = 32;
/** Of those that are handled: each may take as long as a clone. */
const PREPARED_AT_ONCE = 24;
const ASK_AGAIN_MS = 5_000;
/** What is left of one that closes can wait, the longer the longer it cannot be removed. */
const CLEAN_AGAIN_MOST_MS = 10 * 60_000;
const REASON_MOST = 2_000;
const RETRY: ReadonlySet<ErrorCode> = new Set([
  ...(['driver_unavailable', 'driver_busy', 'disk_full', 'internal', 'launch_failed', 'quota_refused'] as const),
]);

/** What a machine lacks it lacks for good. */
const NEVER: ReadonlySet<ErrorCode> = new Set(['unsupported', 'disk_full', 'file_forbidden']);
const LEFT_WAY_OUT = 'Remove it where it runs, or have it tried again: hangar sandbox close ID';
const MISSING = { kind: 'missing' } as const;
type Unsuitable = Extract<UnitState, { kind: 'exited' }>;
type Seen = Change<SandboxRow, SeenOfSandbox>;

/** Acts on what `decide` says of sandboxes, through the driver of each. */
export function createSandboxesReconciler(parts: {
  readonly database: Database;
  readonly store: SandboxesStore;
  readonly profiles: Pick<ProfilesOfSandboxes, 'revisionOf'>;
  readonly machines: Machines;
  readonly trees: Pick<Trees, 'prepare'>;
  readonly log: Logger;
}): Reconciler {
  const { store, profiles, machines, trees, log } = parts;
  const renewed = new LRUCache<string, true>({ max: 10_000, ttl: RENEW_MS });
  const call = (signal: AbortSignal) => ({ signal: within(signal, CALL_MS) });

  /** What takes long while a sandbox is opened is its reason, and ends when it is to close. */
  async function whileWanted(
    row: SandboxRow,
    work: (o: { closed: AbortSignal; say: (reason: string) => void }) => Promise<Seen>,
  ): Promise<Seen> {
    const closed = new AbortController();
    const watch = setInterval(() => {
      store.isCloseWanted(row.id).then(
        (wanted) => wanted && closed.abort(new Error('the sandbox is to close')),
        () => undefined,
      );
    }, WANTED_MS);
    let told = Promise.resolve();
    let last: string | null = null;
    // Of what is said faster than it is written, the last.
    const say = (reason: string) => {
      const isWritten = last !== null;
      last = reason.slice(0, REASON_MOST);
      if (isWritten) return;
      told = told.then(async () => {
        const launchReason = last;
        last = null;
        await store.advance(row.id, () => ({ launchReason })).catch(() => undefined);
      });
    };
    try {
      return await work({ closed: closed.signal, say });
    } finally {
      clearInterval(watch);
      await told;
    }
  }

  const launch = (row: SandboxRow, { claim, signal }: Acting) =>
    whileWanted(row, async ({ closed, say }) => {
      try {
        const revision = row.profileRevision ?? (await profiles.revisionOf(row.profile));
        if (row.profileRevision === null) await store.advance(row.id, () => ({ profileRevision: revision }), { claim });
        const reach = await machines.reach({ ...row, profileRevision: revision });
        await reach?.units.ensure(
          {
            ...{ key: unitOf(row), program: { kind: 'hold' }, image: row.image, resources: row.resources },
            deadlineSeconds: row.lifetimeSeconds,
          },
          { signal: within(AbortSignal.any([signal, closed]), LAUNCH_MS), say },
        );
        return (_row, now) => ({
          launchedAt: now,
          launchFault: null,
          launchTries: row.launchTries + 1,
          launchReason: null,
        });
      } catch (error) {
        if (signal.aborted || error instanceof Fenced) throw error;
        // What was begun goes with the sandbox.
        if (closed.aborted) return () => ({ launchReason: null });
        if (!(error instanceof HangarError)) log.warn({ err: error, sandbox: row.id }, 'launch failed');
        const failure = failureOf(error, 'launch_failed');
        return (_row, now) => ({
          launchFault: { failure, retry: RETRY.has(failure.code), at: now.toISOString() },
          ...{ launchTries: row.launchTries + 1, launchReason: null },
        });
      }
    });

  /** Again after a crash: what was begun in the machine is followed on. */
  const prepare = (row: SandboxRow, { claim, signal }: Acting) =>
    whileWanted(row, async ({ closed, say }) => {
      if (row.preparingAt === null) await store.advance(row.id, (_row, now) => ({ preparingAt: now }), { claim });
      const units = (await machines.reach(row))?.units;
      const renewing = setInterval(() => void (units && renew(row, units, signal).catch(() => undefined)), RENEW_MS);
      try {
        const hand = await machines.open(row, signal);
        const made = await trees.prepare(row, hand, { signal: AbortSignal.any([signal, closed]), say });
        if ('code' in made) return () => ({ treeFault: made, launchReason: null });
        return (before, now) => ({ tree: made, launchReason: null, readyAt: before.readyAt ?? now });
      } catch (error) {
        signal.throwIfAborted();
        if (closed.aborted) return () => ({ launchReason: null });
        machines.forget(row.id);
        if (!(error instanceof HangarError)) throw error;
        // Whether its machine is gone is found out by the next look.
        throw new HangarError('driver_unavailable', { message: error.message, cause: error });
      } finally {
        clearInterval(renewing);
      }
    });

  /** The driver is asked, and a machine that runs has to prove it: `running` is said after that alone. */
  async function look(row: SandboxRow, signal: AbortSignal): Promise<Seen> {
    const reach = await machines.reach(row);
    // One that was there is to be noticed in half a minute when it is not any more, wherever an answer gets lost.
    const proof = within(signal, PROOF_MS);
    const asked = row.readyAt === null ? within(signal, CALL_MS) : proof;
    const asking = async () => (await reach?.units.inspect(unitOf(row), { signal: asked })) ?? MISSING;
    const state: UnitState = await orAborted(asking(), asked).catch((error: unknown) => {
      // Drivers say in many ways that they were cut off.
      if (!asked.aborted || signal.aborted) throw error;
      throw new HangarError('driver_unavailable', { message: 'Its driver does not answer in time.', cause: error });
    });
    if (state.kind !== 'running') {
      machines.forget(row.id);
      return (before, now) => ({ machine: seenOf(state, before, now) });
    }
    const unsuitable = await prove(row, row.readyAt === null ? within(signal, PROOF_MS) : proof);
    if (unsuitable !== null) return (before, now) => ({ machine: seenOf(unsuitable, before, now) });
    if (reach !== null) await renew(row, reach.units, signal);
    return (before, now) => ({ machine: seenOf(state, before, now), readyAt: readyOf(before, now) });
  }

  /** Where the backend has a clock of its own, it does not end a machine that is in hand. */
  async function renew(row: SandboxRow, units: Units, signal: AbortSignal): Promise<void> {
    if (units.renew === undefined || renewed.has(row.id)) return;
    renewed.set(row.id, true);
    try {
      await units.renew(unitOf(row), RENEWED_FOR_MS, { signal: within(signal, PROOF_MS) });
    } catch (error) {
      signal.throwIfAborted();
      renewed.delete(row.id);
      log.info({ err: error, sandbox: row.id }, 'cannot renew a machine yet');
    }
  }

  /** Answers why nothing can be executed in it, ever. @throws HangarError driver_unavailable: not now */
  async function prove(row: SandboxRow, signal: AbortSignal): Promise<Unsuitable | null> {
    try {
      await (await machines.open(row, signal)).executions.list({ signal });
      return null;
    } catch (error) {
      machines.forget(row.id);
      if (row.readyAt === null && error instanceof HangarError && NEVER.has(error.code))
        return { kind: 'exited', exitCode: null, outOfMemory: false, reason: error.message, code: 'image_unsuitable' };
      const { message } = error instanceof HangarError ? error : ERRORS.connection_lost;
      throw new HangarError('driver_unavailable', { message, cause: error });
    }
  }

  const acts: Acts<SandboxRow, SeenOfSandbox, SandboxAction> = {
    launch: { atOnce: LAUNCHES, run: (row, _action, acting) => launch(row, acting) },
    prepare: { atOnce: PREPARED_AT_ONCE, run: (row, _action, acting) => prepare(row, acting) },
    look: { isLast: true, run: (row, _action, { signal }) => look(row, signal) },
    pause: {
      async run(row, _action, { signal }) {
        try {
          const units = (await machines.reach(row))?.units;
          if (units?.pause === undefined) throw new HangarError('unsupported');
          await units.pause(unitOf(row), call(signal));
        } catch (error) {
          return refused(row, 'pause', error, signal);
        }
        return (before, now) => ({ machine: seenOf({ kind: 'paused' }, before, now), fault: null });
      },
    },
    resume: {
      async run(row, _action, { signal }) {
        try {
          await (await machines.reach(row))?.units.resume?.(unitOf(row), call(signal));
        } catch (error) {
          return refused(row, 'resume', error, signal);
        }
        renewed.delete(row.id);
        return look(row, signal);
      },
    },
    close: {
      needsNobody: true,
      async run(row, { why }) {
        if (why !== 'idle') return () => ({ closedFor: why });
        // What runs in it uses it, though nobody could follow it for a while: this server was down, or the driver away.
        const runs = (await store.running([row.id])).get(row.id) ?? 0;
        if (runs > 0) return (_row, now) => ({ lastActivityAt: now });
        return (before) => (before.lastActivityAt > row.lastActivityAt ? {} : { closedFor: why });
      },
    },
    clean: {
      async run(row, _action, { signal }) {
        try {
          await (await machines.reach(row))?.units.remove(unitOf(row), call(signal));
        } catch (error) {
          const left = notRemoved(row, error, signal);
          if (left !== null) return left;
        }
        machines.forget(row.id);
        return (_row, now) => ({ cleanedAt: now, fault: null });
      },
    },
  };

  /** It stays as it is, and says why: what no other try mends is tried again when somebody asks for it. */
  function refused(row: SandboxRow, act: 'pause' | 'resume', error: unknown, signal: AbortSignal): Seen {
    signal.throwIfAborted();
    if (error instanceof Fenced || passes(error)) throw error;
    log.warn({ err: error, sandbox: row.id, act }, 'a driver refused');
    return () => ({ pauseWanted: act === 'resume', fault: { act, failure: failureOf(error) } });
  }

  /** Null: there is nothing to remove. @throws HangarError driver_unavailable: somebody may mend it, and it is tried again */
  function notRemoved(row: SandboxRow, error: unknown, signal: AbortSignal): Seen | null {
    signal.throwIfAborted();
    if (error instanceof Fenced || passes(error)) throw error;
    if (error instanceof HangarError && error.code === 'sandbox_gone') return null;
    const failure = failureOf(error);
    log.warn({ err: error, sandbox: row.id }, 'cannot remove a machine');
    if (isForGood(error)) return () => ({ fault: { act: 'clean', failure: { ...failure, wayOut: LEFT_WAY_OUT } } });
    throw new HangarError('driver_unavailable', { message: failure.message, cause: error });
  }

  return createActing({
    ...{ database: parts.database, reconciled: store.reconciled, acts, concurrency: HANDLED_AT_ONCE, log },
    away: {
      seen: (why, row, now) => ({ machine: seenOf({ kind: 'unknown', reason: why }, row, now) }),
      againMs: askAgainMs,
    },
  });
}

function askAgainMs({ closedFor, finishedAt, machine, readyAt, preparingAt }: SandboxRow): number {
  if (readyAt === null && preparingAt !== null && closedFor === null && finishedAt === null)
    return Math.min(60_000, Math.max(ASK_AGAIN_MS, (Date.now() - preparingAt.getTime()) / 10));
  if ((closedFor === null && finishedAt === null) || machine?.kind !== 'unknown') return ASK_AGAIN_MS;
  return Math.min(CLEAN_AGAIN_MOST_MS, Math.max(ASK_AGAIN_MS, (Date.now() - Date.parse(machine.since)) / 10));
}

/** With the files of a job in it, it is ready when they are laid out. */
const readyOf = ({ readyAt, jobId, tree }: SandboxRow, now: Date): Date | null =>
  readyAt ?? (jobId !== null && tree === null ? null : now);

function seenOf(state: UnitState | { kind: 'unknown'; reason: string }, before: SandboxRow, now: Date): SeenMachine {
  return {
    kind: state.kind,
    reason: 'reason' in state ? state.reason.slice(0, REASON_MOST) : '',
    ...('code' in state && state.code !== undefined ? { code: state.code } : {}),
    since: before.machine?.kind === state.kind ? before.machine.since : now.toISOString(),
    at: now.toISOString(),
  };
}
