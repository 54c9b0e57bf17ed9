import { type Failure, type JobState, PHASE_GRACE_SECONDS, PHASE_LIMITS } from '@hangar/contract';
import type { Finished, KilledFor, LaunchFault, SeenUnit } from '../store/jobs-tables.ts';

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
  /** What the worker, or before it the driver, says that it does. */
  readonly reportedReason: string | null;
  readonly agentStartedAt: number | null;
  /** When the worker began to make the diff and to hand over what there is. */
  readonly collectStartedAt: number | null;
  readonly finished: Finished | null;
  readonly killedAt: number | null;
  readonly killedFor: KilledFor | null;
  readonly endedAt: number | null;
  /** Its log has ended, and its followers know. */
  readonly told: boolean;
  readonly cleaned: boolean;
  readonly timeoutSeconds: number;
  readonly memoryBytes: number | null;
}

/**
 * What the reconciler does now. `inspect` asks the driver, `kill` ends the unit, `tell` ends the log of an ended job, `clean` removes
 * what is left of its unit.
 */
export type Action =
  | { readonly kind: 'none' }
  | { readonly kind: 'launch' }
  | { readonly kind: 'inspect' }
  | { readonly kind: 'kill'; readonly why: Exclude<KilledFor, 'restore'> }
  | { readonly kind: 'tell' }
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
  /** Silence of the worker after which the driver is asked. */
  readonly silenceMs: number;
  /** Silence of a unit that the driver still sees, after which it is ended. Longer than any network cut we ride out. */
  readonly giveUpMs: number;
  /** From launch to the worker's first word. */
  readonly claimMs: number;
  /** From the wish to cancel to force; the worker saves its partial diff in this time. */
  readonly cancelMs: number;
  /** Beyond the timeout and the limits of the other phases, which the worker itself keeps. */
  readonly overtimeMs: number;
  readonly cloningMs: number;
  /** To make the diff and to hand it over, to a server that may be away. */
  readonly collectingMs: number;
  readonly launchTries: number;
  /** How long a driver that cannot be reached is waited for. Longer than any network cut we ride out. */
  readonly outageMs: number;
}

/** Of a launch: its sandbox is there and does not run yet, or not now. That is no try. */
export const TOO_EARLY: ReadonlySet<string> = new Set(['sandbox_paused', 'sandbox_not_ready']);

export const PATIENCE: Patience = {
  silenceMs: 30_000,
  giveUpMs: 15 * 60_000,
  claimMs: 3 * 60_000,
  cancelMs: 60_000,
  overtimeMs: PHASE_GRACE_SECONDS * 1_000,
  cloningMs: PHASE_LIMITS.cloningSeconds * 1_000,
  collectingMs: (PHASE_LIMITS.collectingSeconds + PHASE_LIMITS.deliveringSeconds) * 1_000,
  launchTries: 5,
  outageMs: 15 * 60_000,
};
