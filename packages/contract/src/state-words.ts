/** States and phases as plain words, apart from their schemas: a command that only shows a job starts without zod. */

export const JOB_STATES = [
  'queued',
  'starting',
  'cloning',
  'running',
  'collecting',
  'succeeded',
  'failed',
  'cancelled',
  'timed_out',
  'lost',
] as const;
export type JobState = (typeof JOB_STATES)[number];

export const FINAL_STATES = [
  'succeeded',
  'failed',
  'cancelled',
  'timed_out',
  'lost',
] as const satisfies readonly JobState[];
export type FinalState = (typeof FINAL_STATES)[number];
export const isFinal = (state: JobState): state is FinalState => FINAL_STATES.some((final) => final === state);

/** Phases of a job in their order; the worker reports the last three. */
export const JOB_PHASES = [
  'queued',
  'starting',
  'cloning',
  'running',
  'collecting',
] as const satisfies readonly JobState[];
export type JobPhase = (typeof JOB_PHASES)[number];

export const SANDBOX_STATES = [
  'queued',
  'starting',
  'running',
  'paused',
  'closing',
  'closed',
  'failed',
  'lost',
] as const;
export type SandboxState = (typeof SANDBOX_STATES)[number];
const CLOSED_STATES: readonly SandboxState[] = ['closed', 'failed', 'lost'];
/** Its machine is gone, or never was. */
export const isClosed = (state: SandboxState): boolean => CLOSED_STATES.includes(state);

export const EXECUTION_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'lost'] as const;
export type ExecutionState = (typeof EXECUTION_STATES)[number];
export const isEnded = (state: ExecutionState): boolean => state !== 'queued' && state !== 'running';

/** States of a pod of the cluster in view, those that need somebody first. */
export const POD_STATES = ['pending', 'failing', 'unknown', 'failed', 'terminating', 'running', 'succeeded'] as const;

/** What a list of pods can be sorted by. */
export const POD_SORTS = ['attention', 'name', 'namespace', 'node', 'age', 'restarts', 'cpu', 'memory'] as const;
