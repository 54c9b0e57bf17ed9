import { ERRORS, type ErrorCode, type Failure, type JobState, sizeInWords } from '@hangar/contract';
import type { Finished, KilledFor } from '../store/jobs-tables.ts';
import type { Action, Decision, JobFacts } from './job-facts.ts';

export function failureOf(code: ErrorCode, message?: string): Failure {
  return { code, message: message ?? ERRORS[code].message, wayOut: ERRORS[code].wayOut };
}

export const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** The last thing that was heard of a worker that has its work order. */
export const lastWordOf = (facts: JobFacts): number => Math.max(facts.claimedAt ?? 0, facts.heardAt ?? 0);

/**
 * Given up, though nobody knows that its worker has nothing to say: what it says after all counts. Not so after a restore: then its
 * worker belongs to another server.
 */
export const mayComeBack = (
  facts: Pick<JobFacts, 'state' | 'killedFor' | 'finished'> & { readonly claimedAt: unknown },
): boolean =>
  facts.state === 'lost' && facts.claimedAt !== null && facts.finished === null && facts.killedFor !== 'restore';

/** The driver proved that the unit is gone, after the worker's last word, and no finish came. */
export function gone(facts: JobFacts): Decision | null {
  const { unit } = facts;
  if (!unit || (unit.kind !== 'exited' && unit.kind !== 'missing')) return null;
  if (unit.at <= lastWordOf(facts)) return null;
  if (unit.kind === 'exited' && unit.outOfMemory)
    return end(facts, 'failed', failureOf('out_of_memory', outOfMemory(facts)), unit.exitCode);
  // The driver's own limit, which it keeps when this server was away.
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

/** The same for one that is to end: whoever closes its sandbox then wants nothing else. */
export function goneAfterWish(facts: JobFacts): Decision | null {
  const lost = gone(facts);
  return lost?.failure?.code === 'sandbox_closed' ? cancelled(facts, 'Cancelled; its sandbox was closed') : lost;
}

const RESTORED = 'The server was restored from a backup that was made while this job was in hand.';

export function killed(facts: JobFacts, why: KilledFor): Decision {
  switch (why) {
    case 'restore':
      return facts.cancelRequestedAt === null
        ? end(facts, 'lost', failureOf('worker_lost', RESTORED), null)
        : cancelled(facts, 'Cancelled; the server was restored from a backup meanwhile');
    case 'cancel':
      return cancelled(facts, facts.claimedAt === null ? 'Cancelled before it began' : 'Cancelled by force');
    case 'cloning':
      return failed(facts, failureOf('cloning_too_long'), null);
    case 'timeout':
      return end(facts, 'timed_out', failureOf('job_timeout'), null);
    case 'collecting':
      return failed(facts, failureOf('collect_failed', 'The worker did not come to an end with the diff.'), null);
    case 'silence':
      return facts.claimedAt === null
        ? failed(facts, failureOf('launch_failed', 'The worker was started and never reached this server.'), null)
        : end(facts, 'lost', failureOf('worker_lost', 'The worker ran on without a word and was ended.'), null);
  }
}

/** How long the driver is asked why a machine ended its worker, and how long when it sees the end and not yet the cause. */
const ASK_WHY_MS = 15_000;
const SAY_WHY_MS = 5_000;

/** A worker that was told to stop, though nobody here wants it, was ended by its machine: that is a loss, not a wish. */
const wasTakenAway = (facts: JobFacts, finished: Finished): boolean =>
  finished.outcome === 'cancelled' && facts.cancelRequestedAt === null;

export function byWorker(facts: JobFacts, finished: Finished, now: number): Decision {
  if (!wasTakenAway(facts, finished))
    return ended(facts, finished.outcome, finished.reason, finished.failure, finished.exitCode);
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

/** The word of a worker that was given up; null when there is none, or it says the same. */
export function afterAll(facts: JobFacts): Decision | null {
  const { finished } = facts;
  if (facts.state !== 'lost' || finished === null || wasTakenAway(facts, finished)) return null;
  const reason = `${sentence(finished.reason)} Its worker was out of reach before; the end of its log was not kept.`;
  return ended(facts, finished.outcome, reason, finished.failure, finished.exitCode);
}

export function endedEarly(facts: JobFacts, unit: NonNullable<JobFacts['unit']>): Failure {
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
const TOOK_AWAY: ReadonlySet<ErrorCode> = new Set(['worker_evicted', 'node_lost', 'sandbox_closed']);

function outOfMemory(facts: JobFacts): string {
  return facts.memoryBytes === null ? 'Out of memory.' : `Out of memory at ${sizeInWords(facts.memoryBytes)}.`;
}

export const cancelled = (facts: JobFacts, reason: string): Decision =>
  ended(facts, 'cancelled', reason, failureOf('job_cancelled'), null);
export const failed = (facts: JobFacts, failure: Failure, exitCode: number | null): Decision =>
  end(facts, 'failed', failure, exitCode);
export const end = (facts: JobFacts, state: JobState, failure: Failure, exitCode: number | null): Decision =>
  ended(facts, state, failure.message, failure, exitCode);

/** Every end is made here, whatever came before it: followers are told first, then what is left of the unit goes. */
export function ended(
  facts: JobFacts,
  state: JobState,
  reason: string,
  failure: Failure | null,
  exitCode: number | null,
): Decision {
  const action: Action = { kind: !facts.told ? 'tell' : !facts.cleaned ? 'clean' : 'none' };
  return { state, reason, failure, exitCode, action, wakeMs: action.kind === 'none' ? null : 0 };
}

export function act(state: JobState, reason: string, action: Action, wakeMs: number): Decision {
  return { state, reason, failure: null, exitCode: null, action, wakeMs };
}
