import { z } from 'zod';
import { JOB_PHASES, JOB_STATES, type JobPhase as Phase, type JobState as State } from './state-words.ts';

export const JobState = z.enum(JOB_STATES).describe('Where the job stands');
export type JobState = State;
export const JobPhase = z.enum(JOB_PHASES);
export type JobPhase = Phase;
