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

/** States of a pod of the cluster in view, those that need somebody first. */
export const POD_STATES = ['pending', 'failing', 'unknown', 'failed', 'terminating', 'running', 'succeeded'] as const;

/** What a list of pods can be sorted by. */
export const POD_SORTS = ['attention', 'name', 'namespace', 'node', 'age', 'restarts', 'cpu', 'memory'] as const;
