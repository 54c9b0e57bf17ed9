import { isFinal } from '@hangar/contract';
import type { SeenUnit } from '../store/jobs-tables.ts';
import {
  act,
  afterAll,
  byWorker,
  cancelled,
  end,
  ended,
  endedEarly,
  failed,
  failureOf,
  gone,
  goneAfterWish,
  killed,
  lastWordOf,
  mayComeBack,
  sentence,
} from './job-endings.ts';
import { type Decision, type JobFacts, PATIENCE, type Patience, TOO_EARLY } from './job-facts.ts';

/** What was seen longer ago says nothing of now: this server may have been away. */
const FRESH_MS = 90_000;
/** How often a unit is asked after whose worker is silent. */
const ASK_MS = 10_000;
/** Somebody paused it on its backend: it goes on when that person wants. */
const PAUSED = 'Its machine is paused; it goes on when that is resumed';

/**
 * Every move of a job, from what is wanted and what is seen. Pure; knows no clock but `now`.
 * An ended job stays as it ended, but that one which was given up takes the word of its worker after all. A job whose worker took
 * its work order is never launched again.
 */
export function decide(facts: JobFacts, now: number, patience: Patience = PATIENCE): Decision {
  if (isFinal(facts.state)) return afterEnd(facts, now, patience);
  if (facts.finished) return byWorker(facts, facts.finished, now);
  if (facts.admittedAt === null) return waiting(facts);
  if (facts.killedFor !== null) return killed(facts, facts.killedFor);
  if (facts.claimedAt === null) return beforeClaim(facts, now, patience);
  return withWorker(facts, now, patience);
}

function waiting(facts: JobFacts): Decision {
  if (facts.cancelRequestedAt !== null) return cancelled(facts, 'Cancelled before it started');
  return {
    state: 'queued',
    reason: facts.reason,
    failure: null,
    exitCode: null,
    action: { kind: 'none' },
    wakeMs: null,
  };
}

/** Admitted, and no worker has taken the work order: starting again is safe. */
function beforeClaim(facts: JobFacts, now: number, patience: Patience): Decision {
  const { launchFault, unit } = facts;
  if (facts.cancelRequestedAt !== null) {
    // Nothing has begun, and a worker that comes after all is turned away: nobody waits for a driver that is away.
    if (unit?.kind === 'unknown') return cancelled(facts, `Cancelled before it began. ${sentence(unit.reason)}`);
    return act('starting', 'Cancelling', { kind: 'kill', why: 'cancel' }, 1_000);
  }
  // Nothing was started where nobody could be reached: that is no try that failed, and it ends as other outages do.
  const isAway = launchFault?.failure.code === 'driver_unavailable';
  // Its sandbox is there, and begins or goes on when its person wants.
  const isEarly = launchFault !== null && TOO_EARLY.has(launchFault.failure.code);
  const isHopeless = isAway
    ? now - (facts.admittedAt ?? now) > patience.outageMs
    : !isEarly && facts.launchTries >= patience.launchTries;
  if (launchFault && (!launchFault.retry || isHopeless)) return failed(facts, launchFault.failure, null);
  if (facts.launchedAt === null) {
    if (!launchFault) return act('starting', facts.reportedReason ?? WORKING.starting, { kind: 'launch' }, 0);
    const longestMs = isAway ? 10_000 : 30_000;
    const waitMs = launchFault.at + Math.min(longestMs, 1_000 * 2 ** facts.launchTries) - now;
    const count = isAway ? '' : ` (${facts.launchTries} of ${patience.launchTries})`;
    const said = `${launchFault.failure.message} ${isEarly ? 'Waiting for it' : `Trying again${count}`}`;
    return waitMs > 0 ? act('starting', said, { kind: 'none' }, waitMs) : act('starting', said, { kind: 'launch' }, 0);
  }
  const fresh = unit && unit.at >= facts.launchedAt ? unit : null;
  if (fresh?.kind === 'exited') return failed(facts, endedEarly(facts, fresh), fresh.exitCode);
  if (fresh?.kind === 'missing') {
    if (facts.launchTries >= patience.launchTries)
      return failed(facts, failureOf('launch_failed', 'The worker was started and is gone.'), null);
    return act('starting', 'The worker is gone before it began; starting it again', { kind: 'launch' }, 1_000);
  }
  const away = fresh ? driverAway(facts, now, patience) : null;
  if (away)
    return failed(facts, failureOf('driver_unavailable', `The worker was started and never spoke. ${away}`), null);
  const waitedMs = now - facts.launchedAt;
  const runsSince = fresh ? seenSince(facts, 'running', now) : null;
  if (runsSince !== null && now - Math.max(runsSince, facts.launchedAt) > patience.claimMs)
    return act('starting', 'The worker does not reach this server', { kind: 'kill', why: 'silence' }, 1_000);
  const reason = wordOfStart(fresh, waitedMs);
  return act('starting', reason, { kind: 'inspect' }, waitedMs < 5_000 ? 1_000 : 5_000);
}

function wordOfStart(unit: JobFacts['unit'], waitedMs: number): string {
  if (unit?.kind === 'paused') return PAUSED;
  if (unit?.kind === 'starting') return unit.reason;
  return waitedMs > 10_000 ? 'Waiting for the first word of the worker' : 'Starting the worker';
}

/** The worker has its work order: from here on it is watched, never started again. */
function withWorker(facts: JobFacts, now: number, patience: Patience): Decision {
  const state = facts.reportedPhase ?? 'cloning';
  const said = facts.reportedReason ?? WORKING[state];
  const lastWord = lastWordOf(facts);
  const silentMs = now - lastWord;
  const away = silentMs > patience.outageMs ? driverAway(facts, now, patience) : null;
  if (away) {
    if (facts.cancelRequestedAt !== null) return cancelled(facts, `Cancelled. ${away}`);
    const since = new Date(lastWord).toISOString();
    return end(facts, 'lost', failureOf('worker_lost', `No word from the worker since ${since}. ${away}`), null);
  }
  if (facts.cancelRequestedAt !== null) {
    const waitedMs = now - facts.cancelRequestedAt;
    if (waitedMs > patience.cancelMs)
      return act(state, 'Cancelling; the worker does not answer', { kind: 'kill', why: 'cancel' }, 1_000);
    return (
      goneAfterWish(facts) ??
      act(state, 'Cancelling; saving the partial diff', { kind: 'inspect' }, Math.min(5_000, patience.cancelMs))
    );
  }
  const limit = limitOf(facts, patience);
  if (limit !== null && now > limit.at && lastWord > limit.at)
    return act(state, limit.says, { kind: 'kill', why: limit.why }, 1_000);
  const lost = gone(facts);
  if (lost) return lost;
  if (silentMs <= patience.silenceMs) return act(state, said, { kind: 'none' }, patience.silenceMs - silentMs + 100);
  if (seenSince(facts, 'paused', now) !== null) return act(state, PAUSED, { kind: 'inspect' }, ASK_MS);
  const runsSince = seenSince(facts, 'running', now);
  if (runsSince !== null && now - Math.max(runsSince, lastWord) > patience.giveUpMs)
    return act(state, 'No word from the worker for too long', { kind: 'kill', why: 'silence' }, 1_000);
  return act(
    state,
    `No word from the worker since ${new Date(lastWord).toISOString()}${facts.unit?.kind === 'unknown' ? `. ${sentence(facts.unit.reason)} Waiting for both` : '; waiting for it'}`,
    { kind: 'inspect' },
    ASK_MS,
  );
}

/**
 * When the phase in hand takes too long. Each has a limit of its own, kept by the worker first; here it counts against one that speaks
 * after it and says that it is still at it. Of one that is silent nobody knows: it may hold a result for a server that was away.
 */
function limitOf(
  facts: JobFacts,
  patience: Patience,
): { readonly at: number; readonly why: 'cloning' | 'timeout' | 'collecting'; readonly says: string } | null {
  const from = (begun: number | null, ms: number) => (begun === null ? null : begun + ms + patience.overtimeMs);
  switch (facts.reportedPhase) {
    case 'running': {
      const at = from(facts.agentStartedAt, facts.timeoutSeconds * 1_000);
      return at === null ? null : { at, why: 'timeout', says: 'Longer than its timeout' };
    }
    case 'collecting': {
      const at = from(facts.collectStartedAt, patience.collectingMs);
      return at === null ? null : { at, why: 'collecting', says: 'Collecting the diff takes too long' };
    }
    default: {
      const at = from(facts.claimedAt, patience.cloningMs);
      return at === null ? null : { at, why: 'cloning', says: 'Getting the repository takes too long' };
    }
  }
}

/** Ended: first followers are told, then what is left is removed; of one that may come back not at once. */
function afterEnd(facts: JobFacts, now: number, patience: Patience): Decision {
  const late = afterAll(facts);
  if (late) return late;
  const rest = ended(facts, facts.state, facts.reason, null, null);
  if (rest.action.kind !== 'clean' || !mayComeBack(facts) || facts.killedFor !== null) return rest;
  const waitMs = comesBackIn(facts, now, patience);
  if (waitMs === null) return rest;
  const isSpeaking = (facts.heardAt ?? 0) > (facts.endedAt ?? 0);
  return { ...rest, action: { kind: isSpeaking ? 'none' : 'inspect' }, wakeMs: waitMs };
}

/** How long until one looks again whether a worker that was given up speaks; null: there is nothing to wait for. */
function comesBackIn(facts: JobFacts, now: number, patience: Patience): number | null {
  const endedAt = facts.endedAt ?? now;
  const lastWord = lastWordOf(facts);
  const graceMs = 4 * patience.silenceMs;
  if (lastWord > endedAt) {
    const limit = limitOf(facts, patience);
    if (limit !== null && lastWord > limit.at) return null;
    return now - lastWord < graceMs ? graceMs - (now - lastWord) + 100 : null;
  }
  if (gone(facts)) return null;
  const runsSince = seenSince(facts, 'running', now) ?? seenSince(facts, 'paused', now);
  if (runsSince === null) return ASK_MS;
  const leftMs = Math.max(runsSince, endedAt) + graceMs - now;
  return leftMs > 0 ? Math.min(ASK_MS, leftMs + 100) : null;
}

/** Since when the unit has been seen like this without a gap, up to now. */
function seenSince({ unit }: JobFacts, kind: 'running' | 'paused' | 'unknown', now: number): number | null {
  if (unit?.kind !== kind || now - unit.at > FRESH_MS) return null;
  return unit.since === undefined ? 0 : Date.parse(unit.since);
}

/**
 * Why nobody can tell what became of the unit: whoever runs it has not answered for too long, asked again and again. Its job ends
 * then, and what may be left of it is removed when there is an answer again.
 */
function driverAway(facts: JobFacts, now: number, patience: Patience): string | null {
  const since = seenSince(facts, 'unknown', now);
  return since !== null && now - since > patience.outageMs ? sentence(facts.unit?.reason ?? '') : null;
}

/** What is said of a phase in hand when nobody says more. */
export const WORKING = {
  starting: 'Starting the worker',
  cloning: 'Getting the repository',
  running: 'The agent works',
  collecting: 'Collecting the diff',
} as const;

/** A gap this long between two looks: nobody looked. Of drivers that hang one look may take its time, with many jobs. */
const GAP_MS = { running: 120_000, unknown: 10 * 60_000 } as const;

/** Since when a unit is seen as it is now, with what was seen of it before. */
export function sinceWhen(before: JobFacts['unit'], kind: SeenUnit['kind'], now: number): number {
  if (before?.kind !== kind || before.since === undefined) return now;
  return now - before.at <= GAP_MS[kind === 'unknown' ? 'unknown' : 'running'] ? Date.parse(before.since) : now;
}
