import { type Failure, isFinal, JOB_PHASES } from '@hangar/contract';
import type { UnitState } from '@hangar/sandbox';
import type { JobRow, PhaseRecord, SeenUnit } from '../store/jobs-tables.ts';
import type { Decision, JobFacts } from './job-facts.ts';
import { sinceWhen, WORKING } from './job-lifecycle.ts';

/** What is written when a job comes into another state. */
export function moveTo(row: JobRow, decision: Decision, now: Date): Partial<JobRow> {
  const final = isFinal(decision.state);
  const failure: Failure | null = decision.failure;
  return {
    state: decision.state,
    stateSince: now,
    phases: movePhase(row, decision, now),
    ...(decision.state === 'running' ? { startedAt: now } : {}),
    ...(final ? { finishedAt: now, exitCode: decision.exitCode, failure } : {}),
  };
}

/** Closes the phase in hand and opens the next. Phases a fast worker skipped over get no record. */
function movePhase(row: JobRow, decision: Decision, now: Date): PhaseRecord[] {
  const closed = row.phases.map((phase) => (phase.endedAt === null ? closePhase(phase, now) : phase));
  const name = JOB_PHASES.find((phase) => phase === decision.state);
  return name ? [...closed, { name, startedAt: now.toISOString(), endedAt: null, reason: decision.reason }] : closed;
}

const PLAIN: ReadonlySet<string | null> = new Set(Object.values(WORKING));

/** That it worked goes without saying once it has ended; a reason that somebody gave is kept. */
function closePhase(phase: PhaseRecord, now: Date): PhaseRecord {
  return { ...phase, endedAt: now.toISOString(), reason: PLAIN.has(phase.reason) ? null : phase.reason };
}

export function describePhase(phases: readonly PhaseRecord[], reason: string): PhaseRecord[] {
  return phases.map((phase) => (phase.endedAt === null ? { ...phase, reason } : phase));
}

export function factsOf(row: JobRow): JobFacts {
  const begun = (name: PhaseRecord['name']) => {
    const phase = row.phases.find((record) => record.name === name);
    return phase ? Date.parse(phase.startedAt) : null;
  };
  return {
    state: row.state,
    reason: row.reason,
    cancelRequestedAt: ms(row.cancelRequestedAt),
    admittedAt: ms(row.admittedAt),
    launchTries: row.launchTries,
    launchedAt: ms(row.launchedAt),
    launchFault: row.launchFault ? { ...row.launchFault, at: Date.parse(row.launchFault.at) } : null,
    unit: unitOf(row),
    claimedAt: ms(row.claimedAt),
    heardAt: ms(row.heardAt),
    reportedPhase: row.reportedPhase,
    reportedReason: row.reportedReason,
    agentStartedAt: begun('running'),
    collectStartedAt: begun('collecting'),
    finished: row.finished,
    killedAt: ms(row.killedAt),
    killedFor: row.killedFor,
    endedAt: ms(row.finishedAt),
    told: row.toldAt !== null,
    cleaned: row.cleanedAt !== null,
    timeoutSeconds: row.timeoutSeconds,
    memoryBytes: row.resources.memoryBytes ?? null,
  };
}

export const unitOf = ({ unit }: Pick<JobRow, 'unit'>): JobFacts['unit'] =>
  unit ? { ...unit, at: Date.parse(unit.at) } : null;

const ms = (date: Date | null) => date?.getTime() ?? null;

export const REASON_MOST = 2_000;

/** What the driver says of the unit of a job, as it is written down. */
export const unitSeen = (state: UnitState, before: Pick<JobRow, 'unit'>, now: Date): SeenUnit => ({
  kind: state.kind,
  exitCode: state.kind === 'exited' ? state.exitCode : null,
  outOfMemory: state.kind === 'exited' && state.outOfMemory,
  reason: 'reason' in state ? state.reason.slice(0, REASON_MOST) : '',
  ...(state.kind === 'exited' && state.code !== undefined ? { code: state.code } : {}),
  ...{ since: sinceOf(before, state.kind, now), at: now.toISOString() },
});

/** The backend could not be asked. */
export const unitUnknown = (reason: string, before: JobRow, now: Date): SeenUnit => ({
  ...{ kind: 'unknown', exitCode: null, outOfMemory: false, reason: reason.slice(0, REASON_MOST) },
  ...{ since: sinceOf(before, 'unknown', now), at: now.toISOString() },
});

const sinceOf = (row: Pick<JobRow, 'unit'>, kind: SeenUnit['kind'], now: Date): string =>
  new Date(sinceWhen(unitOf(row), kind, now.getTime())).toISOString();
