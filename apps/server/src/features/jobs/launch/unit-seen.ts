import { sinceWhen } from '../lifecycle/job-lifecycle.ts';
import { unitOf } from '../lifecycle/job-moves.ts';
import type { JobRow, SeenUnit } from '../store/jobs-tables.ts';
import type { UnitState } from './launcher.ts';

export const REASON_MOST = 2_000;

export const within = (signal: AbortSignal, ms: number): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(ms)]);

/** What the launcher says of the unit of a job, as it is written down. */
export const unitSeen = (state: UnitState, before: JobRow, now: Date): SeenUnit => ({
  kind: state.kind,
  exitCode: state.kind === 'exited' ? state.exitCode : null,
  outOfMemory: state.kind === 'exited' && state.outOfMemory,
  reason: 'reason' in state ? state.reason.slice(0, REASON_MOST) : '',
  ...(state.kind === 'exited' && state.code !== undefined ? { code: state.code } : {}),
  ...{ since: sinceOf(before, state.kind, now), at: now.toISOString() },
});

/** The launcher could not be asked. */
export const unitUnknown = (reason: string, before: JobRow, now: Date): SeenUnit => ({
  ...{ kind: 'unknown', exitCode: null, outOfMemory: false, reason: reason.slice(0, REASON_MOST) },
  ...{ since: sinceOf(before, 'unknown', now), at: now.toISOString() },
});

const sinceOf = (row: JobRow, kind: SeenUnit['kind'], now: Date): string =>
  new Date(sinceWhen(unitOf(row), kind, now.getTime())).toISOString();
