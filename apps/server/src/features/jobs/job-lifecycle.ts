import { ERRORS, type ErrorCode, type Failure, isFinal, type JobState, sizeInWords } from '@hangar/contract';
import type { Finished, LaunchFault, SeenUnit } from './jobs-tables.ts';

/** All that `decide` looks at. Times are milliseconds of one clock, the database's. */
export interface JobFacts {
  readonly state: JobState;
  readonly reason: string;
  readonly cancelRequestedAt: number | null;
  readonly admittedAt: number | null;
  readonly launchTries: number;
  readonly launchedAt: number | null;
  readonly launchFault: (Omit<LaunchFault, 'at'> & { readonly at: number }) | null;
  readonly unit: (Omit<SeenUnit, 'at'> & { readonly at: number }) | null;
  readonly claimedAt: number | null;
  readonly heardAt: number | null;
  readonly reportedPhase: 'cloning' | 'running' | 'collecting' | null;
  /** What the worker, or before it the launcher, says that it does. */
  readonly reportedReason: string | null;
  readonly agentStartedAt: number | null;
  readonly finished: Finished | null;
  readonly killedAt: number | null;
  /** `restore`: this server was restored from a backup that was made while the job was in hand. */
  readonly killedFor: 'cancel' | 'timeout' | 'silence' | 'restore' | null;
  readonly cleaned: boolean;
  readonly timeoutSeconds: number;
  readonly memoryBytes: number | null;
}

/** What the reconciler does now. `inspect` asks the launcher, `kill` ends the unit, `clean` removes what is left of it. */
export type Action =
  | { readonly kind: 'none' }
  | { readonly kind: 'launch' }
  | { readonly kind: 'inspect' }
  | { readonly kind: 'kill'; readonly why: 'cancel' | 'timeout' | 'silence' }
  | { readonly kind: 'clean' };

export interface Decision {
  readonly state: JobState;
  readonly reason: string;
  readonly failure: Failure | null;
  readonly exitCode: number | null;
  readonly action: Action;
  /** When to look again after that, in milliseconds; null: only when something is written. */
  readonly wakeMs: number | null;
}

/** How often the reconciler looks at a job that runs, and what it waits for. All in milliseconds. */
export interface Patience {
  /** Silence of the worker after which the launcher is asked. */
  readonly silenceMs: number;
  /** Silence of a unit that the launcher still sees, after which it is ended. Longer than any network cut we ride out. */
  readonly giveUpMs: number;
  /** From launch to the worker's first word. */
  readonly claimMs: number;
  /** From the wish to cancel to force; the worker saves its partial diff in this time. */
  readonly cancelMs: number;
  /** Beyond the timeout, which the worker itself keeps. */
  readonly overtimeMs: number;
  readonly launchTries: number;
  /** How long a driver that cannot be reached is waited for. Longer than any network cut we ride out. */
  readonly outageMs: number;
}

export const PATIENCE: Patience = {
  silenceMs: 30_000,
  giveUpMs: 15 * 60_000,
  claimMs: 3 * 60_000,
  cancelMs: 60_000,
  overtimeMs: 120_000,
  launchTries: 5,
  outageMs: 15 * 60_000,
};

export function failureOf(code: ErrorCode, message?: string): Failure {
  return { code, message: message ?? ERRORS[code].message, wayOut: ERRORS[code].wayOut };
}

/**
 * Every move of a job, from what is wanted and what is seen. Pure; knows no clock but `now`.
 * An ended job stays as it ended. A job whose worker took its work order is never launched again.
 */
export function decide(facts: JobFacts, now: number, patience: Patience = PATIENCE): Decision {
  if (isFinal(facts.state)) return ended(facts, facts.state, facts.reason, null, null);
  if (facts.finished) return byWorker(facts, facts.finished, now);
  if (facts.admittedAt === null) return waiting(facts);
  if (facts.killedFor !== null) return killed(facts, facts.killedFor);
  if (facts.claimedAt === null) return beforeClaim(facts, now, patience);
  return withWorker(facts, facts.claimedAt, now, patience);
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
  const isHopeless = isAway
    ? now - (facts.admittedAt ?? now) > patience.outageMs
    : facts.launchTries >= patience.launchTries;
  if (launchFault && (!launchFault.retry || isHopeless)) return failed(facts, launchFault.failure, null);
  if (facts.launchedAt === null) {
    if (!launchFault) return act('starting', facts.reportedReason ?? WORKING.starting, { kind: 'launch' }, 0);
    const longestMs = isAway ? 10_000 : 30_000;
    const waitMs = launchFault.at + Math.min(longestMs, 1_000 * 2 ** facts.launchTries) - now;
    const count = isAway ? '' : ` (${facts.launchTries} of ${patience.launchTries})`;
    const said = `${launchFault.failure.message} Trying again${count}`;
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
  if (waitedMs > patience.claimMs && fresh?.kind === 'running')
    return act('starting', 'The worker does not reach this server', { kind: 'kill', why: 'silence' }, 1_000);
  const reason =
    fresh?.kind === 'starting'
      ? fresh.reason
      : waitedMs > 10_000
        ? 'Waiting for the first word of the worker'
        : 'Starting the worker';
  return act('starting', reason, { kind: 'inspect' }, waitedMs < 5_000 ? 1_000 : 5_000);
}

/** The worker has its work order: from here on it is watched, never started again. */
function withWorker(facts: JobFacts, claimedAt: number, now: number, patience: Patience): Decision {
  const state = facts.reportedPhase ?? 'cloning';
  const said = facts.reportedReason ?? WORKING[state];
  const lastWord = Math.max(claimedAt, facts.heardAt ?? 0);
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
      gone(facts) ??
      act(state, 'Cancelling; saving the partial diff', { kind: 'inspect' }, Math.min(5_000, patience.cancelMs))
    );
  }
  if (
    facts.agentStartedAt !== null &&
    now - facts.agentStartedAt > facts.timeoutSeconds * 1_000 + patience.overtimeMs
  ) {
    return act(state, 'Longer than its timeout', { kind: 'kill', why: 'timeout' }, 1_000);
  }
  if (silentMs <= patience.silenceMs) return act(state, said, { kind: 'none' }, patience.silenceMs - silentMs + 100);
  const lost = gone(facts);
  if (lost) return lost;
  if (silentMs > patience.giveUpMs && facts.unit?.kind === 'running' && facts.unit.at > lastWord) {
    return act(state, 'No word from the worker for too long', { kind: 'kill', why: 'silence' }, 1_000);
  }
  return act(
    state,
    `No word from the worker since ${new Date(lastWord).toISOString()}${facts.unit?.kind === 'unknown' ? `. ${sentence(facts.unit.reason)} Waiting for both` : '; waiting for it'}`,
    { kind: 'inspect' },
    10_000,
  );
}

/**
 * Why nobody can tell what became of the unit: whoever runs it has not answered for too long. Its job ends then, and what may be
 * left of it is removed when there is an answer again.
 */
function driverAway({ unit }: JobFacts, now: number, patience: Patience): string | null {
  if (unit?.kind !== 'unknown' || unit.since === undefined) return null;
  return now - Date.parse(unit.since) > patience.outageMs ? sentence(unit.reason) : null;
}

const RESTORED = 'The server was restored from a backup that was made while this job was in hand.';

/** What is said of a phase in hand when nobody says more. */
export const WORKING = {
  starting: 'Starting the worker',
  cloning: 'Getting the repository',
  running: 'The agent works',
  collecting: 'Collecting the diff',
} as const;

/** The launcher proved that the unit is gone, after the worker's last word, and no finish came. */
function gone(facts: JobFacts): Decision | null {
  const { unit } = facts;
  if (!unit || (unit.kind !== 'exited' && unit.kind !== 'missing')) return null;
  if (unit.at <= Math.max(facts.claimedAt ?? 0, facts.heardAt ?? 0)) return null;
  if (unit.kind === 'exited' && unit.outOfMemory)
    return end(facts, 'failed', failureOf('out_of_memory', outOfMemory(facts)), unit.exitCode);
  // The launcher's own limit, which it keeps when this server was away.
  if (unit.code === 'job_timeout')
    return end(facts, 'timed_out', failureOf('job_timeout', sentence(unit.reason)), unit.exitCode);
  if (unit.code !== undefined && TOOK_AWAY.has(unit.code))
    return end(facts, 'lost', failureOf(unit.code, `The worker is gone: ${sentence(unit.reason)}`), unit.exitCode);
  return end(
    facts,
    'lost',
    failureOf(
      'worker_lost',
      unit.kind === 'missing' ? 'The worker is gone.' : `The worker died: ${sentence(unit.reason)}`,
    ),
    unit.exitCode,
  );
}

function killed(facts: JobFacts, why: NonNullable<JobFacts['killedFor']>): Decision {
  if (why === 'restore') {
    if (facts.cancelRequestedAt !== null)
      return cancelled(facts, 'Cancelled; the server was restored from a backup meanwhile');
    return end(facts, 'lost', failureOf('worker_lost', RESTORED), null);
  }
  if (why === 'cancel')
    return cancelled(facts, facts.claimedAt === null ? 'Cancelled before it began' : 'Cancelled by force');
  if (why === 'timeout') return end(facts, 'timed_out', failureOf('job_timeout'), null);
  if (facts.claimedAt === null)
    return failed(facts, failureOf('launch_failed', 'The worker was started and never reached this server.'), null);
  return end(facts, 'lost', failureOf('worker_lost', 'The worker ran on without a word and was ended.'), null);
}

/** How long the launcher is asked why a machine ended its worker, and how long when it sees the end and not yet the cause. */
const ASK_WHY_MS = 15_000;
const SAY_WHY_MS = 5_000;

function byWorker(facts: JobFacts, finished: Finished, now: number): Decision {
  // A worker that was told to stop, though nobody here wants it, was ended by its machine: that is a loss, not a wish.
  if (finished.outcome === 'cancelled' && facts.cancelRequestedAt === null) {
    const endedAt = Date.parse(finished.at);
    const knows = facts.unit !== null && facts.unit.at > endedAt && facts.unit.code !== undefined;
    const known = knows ? gone(facts) : null;
    if (known) return { ...known, exitCode: finished.exitCode };
    const isOver = facts.unit !== null && facts.unit.at > endedAt && /^(exited|missing)$/.test(facts.unit.kind);
    if (facts.killedFor === null && now - endedAt < (isOver ? SAY_WHY_MS : ASK_WHY_MS)) {
      return act(
        facts.reportedPhase ?? 'cloning',
        'The machine of the worker ended it; asking why',
        { kind: 'inspect' },
        1_000,
      );
    }
    return end(facts, 'lost', failureOf('worker_lost', 'The machine of the worker ended it.'), finished.exitCode);
  }
  return ended(facts, finished.outcome, finished.reason, finished.failure, finished.exitCode);
}

function endedEarly(facts: JobFacts, unit: NonNullable<JobFacts['unit']>): Failure {
  if (unit.outOfMemory) return failureOf('out_of_memory', outOfMemory(facts));
  if (unit.code !== undefined && NEVER_RAN.has(unit.code)) return failureOf(unit.code, sentence(unit.reason));
  return failureOf(unit.code ?? 'launch_failed', `The worker ended before it began: ${sentence(unit.reason)}`);
}

/** The unit was refused: there was no worker that could end. */
const NEVER_RAN: ReadonlySet<ErrorCode> = new Set([
  'image_not_found',
  'unschedulable',
  'quota_refused',
  'admission_refused',
]);
/** The backend took the unit away from under its worker. */
const TOOK_AWAY: ReadonlySet<ErrorCode> = new Set(['worker_evicted', 'node_lost']);

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

function outOfMemory(facts: JobFacts): string {
  return facts.memoryBytes === null ? 'Out of memory.' : `Out of memory at ${sizeInWords(facts.memoryBytes)}.`;
}

const cancelled = (facts: JobFacts, reason: string) =>
  ended(facts, 'cancelled', reason, failureOf('job_cancelled'), null);
const failed = (facts: JobFacts, failure: Failure, exitCode: number | null) => end(facts, 'failed', failure, exitCode);
const end = (facts: JobFacts, state: JobState, failure: Failure, exitCode: number | null) =>
  ended(facts, state, failure.message, failure, exitCode);

function ended(
  facts: JobFacts,
  state: JobState,
  reason: string,
  failure: Failure | null,
  exitCode: number | null,
): Decision {
  const clean = facts.cleaned || facts.admittedAt === null;
  return {
    state,
    reason,
    failure,
    exitCode,
    action: clean ? { kind: 'none' } : { kind: 'clean' },
    wakeMs: clean ? null : 0,
  };
}

function act(state: JobState, reason: string, action: Action, wakeMs: number): Decision {
  return { state, reason, failure: null, exitCode: null, action, wakeMs };
}
