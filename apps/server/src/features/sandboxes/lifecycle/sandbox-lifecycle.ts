import { ERRORS, type Failure, type SandboxStateName } from '@hangar/contract';
import { formatDuration } from '@hangar/contract/words/time';
import type { ClosedFor } from '../store/sandboxes-tables.ts';
import {
  closesAt,
  endsOf,
  nearOf,
  type Patience,
  type SandboxAction,
  type SandboxDecision,
  type SandboxFacts,
  warnedFrom,
} from './sandbox-facts.ts';

type Going = Omit<SandboxDecision, 'near'>;

const NONE: SandboxAction = { kind: 'none' };
const CLOSED: Readonly<Record<ClosedFor, string>> = {
  person: 'Closed as asked',
  idle: 'Closed: nobody used it',
  lifetime: 'Closed: its time was over',
  restore: 'This server was restored from a backup; its machine is left to the server that made it',
};

/** What becomes of a sandbox, from all that is wanted and seen. Pure. */
export function decide(facts: SandboxFacts, now: number, patience: Patience): SandboxDecision {
  const decided = decideState(facts, now, patience);
  const isOpen = decided.state === 'running' || decided.state === 'paused';
  return { ...decided, near: isOpen && facts.ended === null ? nearOf(facts, now, patience) : null };
}

function decideState(facts: SandboxFacts, now: number, patience: Patience): Going {
  if (facts.ended !== null) {
    const isOver = facts.cleaned || leftFor(facts) !== null;
    return {
      ...{ state: facts.ended, reason: facts.reason, failure: facts.failure },
      ...{ action: isOver ? NONE : { kind: 'clean' }, wakeMs: isOver ? null : 0 },
    };
  }
  const limit = closesAt(facts);
  if (facts.closedFor !== null) return closing(facts, facts.closedFor);
  if (facts.closeRequestedAt !== null) return closingFor('person');
  if (limit !== null && now >= limit.at) return limit.why === 'idle' ? idle(facts) : closingFor(limit.why);
  if (facts.admittedAt === null) return going('queued', 'Waiting for a free place', NONE, null);
  if (facts.launchedAt === null) return launching(facts, now, patience);
  return launched(facts, facts.launchedAt, now, patience);
}

function going(state: SandboxStateName, reason: string, action: SandboxAction, wakeMs: number | null): Going {
  return { state, reason, failure: null, action, wakeMs };
}

function closingFor(why: ClosedFor): Going {
  return going('closing', 'Closing', { kind: 'close', why }, 0);
}

/** Whether something runs in it is found out before it is said to close. */
function idle({ machine, pauseWanted }: SandboxFacts): Going {
  const state = pauseWanted && machine?.kind !== 'running' ? 'paused' : 'running';
  return going(state, 'Nobody uses it', { kind: 'close', why: 'idle' }, 0);
}

/** It is closed once nothing is left of its machine, and not before. */
function closing(facts: SandboxFacts, why: ClosedFor): Going {
  if (facts.cleaned) return going('closed', CLOSED[why], NONE, null);
  const left = leftFor(facts);
  if (left !== null) return { ...going('failed', `${CLOSED[why]}.`, NONE, null), failure: left };
  const away = facts.machine?.kind === 'unknown' ? `: ${facts.machine.reason}` : '';
  return going('closing', `Its machine is being removed${away}`, { kind: 'clean' }, 0);
}

/** Why its machine cannot be removed, ever, as things are. */
const leftFor = ({ fault }: SandboxFacts): Failure | null => (fault?.act === 'clean' ? fault.failure : null);

function launching(facts: SandboxFacts, now: number, patience: Patience): Going {
  const fault = facts.launchFault;
  if (fault === null) return going('starting', facts.launchReason ?? 'Starting its machine', { kind: 'launch' }, 0);
  const { message } = fault.failure;
  if (!fault.retry || facts.launchTries >= patience.launchTries) return failed('failed', fault.failure);
  const again = fault.at + Math.min(60_000, 1000 * 2 ** facts.launchTries);
  return now < again
    ? going('starting', `${message} Trying again`, NONE, again - now)
    : going('starting', `${message} Trying again`, { kind: 'launch' }, 0);
}

function failed(state: 'failed' | 'lost', failure: Failure): Going {
  return { state, reason: failure.message, failure, action: { kind: 'clean' }, wakeMs: 0 };
}

function launched(facts: SandboxFacts, launchedAt: number, now: number, patience: Patience): Going {
  const seen = facts.machine;
  const every = facts.readyAt === null ? patience.startingMs : patience.lookMs;
  const due = seen === null || seen.at + every <= now;
  const look: SandboxAction = due ? { kind: 'look' } : NONE;
  const wait = due || seen === null ? every : seen.at + every - now;
  if (seen === null) return going('starting', facts.launchReason ?? 'Starting its machine', look, wait);

  if (seen.kind === 'missing' || seen.kind === 'exited') {
    // The driver has a clock too, which began a little sooner.
    const slack = Math.min(patience.lookMs * 2, facts.lifetimeMs / 5);
    if (facts.readyAt !== null && launchedAt + facts.lifetimeMs - slack <= now) return closingFor('lifetime');
    const { message, wayOut } = ERRORS.sandbox_gone;
    return failed(facts.readyAt === null ? 'failed' : 'lost', {
      code: seen.code ?? 'sandbox_gone',
      message: seen.reason || message,
      wayOut,
    });
  }
  if (facts.treeFault !== null) return failed('failed', facts.treeFault);
  if (facts.treeWanted && facts.preparingAt !== null && facts.preparingAt + patience.prepareMs <= now) {
    const { message, wayOut } = ERRORS.tree_not_prepared;
    return failed('failed', { code: 'tree_not_prepared', message: `${message} ${seen.reason}`.trim(), wayOut });
  }
  // What it is waited for begins anew when its machine ran, and then cannot be reached.
  const waitedSince = facts.treeWanted && seen.kind === 'unknown' ? Math.max(launchedAt, seen.since) : launchedAt;
  const isProved = facts.treeWanted && seen.kind === 'running';
  if (facts.readyAt === null && !isProved && waitedSince + patience.readyMs <= now) {
    const { wayOut } = ERRORS.launch_failed;
    const message = `Its machine did not answer within ${formatDuration(patience.readyMs)}. ${seen.reason}`.trim();
    return failed('failed', { code: 'launch_failed', message, wayOut });
  }
  if (seen.kind === 'starting') return going('starting', seen.reason || 'Its machine is starting', look, wait);
  if (seen.kind === 'unknown') {
    const state = facts.readyAt === null ? 'starting' : facts.pauseWanted ? 'paused' : 'running';
    return going(state, `Its machine cannot be reached: ${seen.reason}`, look, wait);
  }
  if (seen.kind === 'paused') {
    if (!facts.pauseWanted) return going('paused', 'Going on', { kind: 'resume' }, 0);
    const why = facts.fault?.act === 'resume' ? `It could not go on: ${facts.fault.failure.message}` : 'Paused';
    return going('paused', soon(facts, now, patience) ?? why, look, untilLimit(facts, now, patience, wait));
  }
  if (facts.readyAt === null && facts.treeWanted)
    return going('starting', facts.launchReason ?? 'Preparing the tree of its job', { kind: 'prepare' }, 0);
  if (facts.readyAt === null) return going('starting', 'Its machine runs; trying it', { kind: 'look' }, wait);
  if (facts.pauseWanted) return going('running', 'Pausing', { kind: 'pause' }, 0);
  return going('running', reasonOf(facts, now, patience), look, untilLimit(facts, now, patience, wait));
}

/** Not later than a warning or an end. */
function untilLimit(facts: SandboxFacts, now: number, patience: Patience, wait: number): number {
  const times = endsOf(facts).flatMap((end) => [warnedFrom(end, patience), end.at]);
  return Math.min(wait, ...times.filter((at) => at > now).map((at) => at - now));
}

function reasonOf(facts: SandboxFacts, now: number, patience: Patience): string {
  const { fault } = facts;
  const plain = fault?.act === 'pause' ? `It could not be paused: ${fault.failure.message}` : 'Its machine runs';
  return soon(facts, now, patience) ?? plain;
}

function soon(facts: SandboxFacts, now: number, patience: Patience): string | null {
  // When it is, is a field of its own (`closesAt`), which faces tell in the reader's time.
  switch (nearOf(facts, now, patience)?.why) {
    case 'idle':
      return 'Closes soon unless something is done in it: nobody has used it';
    case 'lifetime':
      return 'Closes soon: its time is nearly over';
    case undefined:
      return null;
  }
}
