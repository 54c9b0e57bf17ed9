import { z } from 'zod';

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
export const JobState = z.enum(JOB_STATES).describe('Where the job stands');
export type JobState = z.infer<typeof JobState>;

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
export const JobPhase = z.enum(JOB_PHASES);
export type JobPhase = z.infer<typeof JobPhase>;
