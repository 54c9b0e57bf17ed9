import type { Activity, ActivityStatus, ActivityStep, StepStatus } from '../activity.ts';
import { spanMs } from './time.ts';
import type { StateWords } from './tone.ts';

export const ACTIVITY_WORDS = {
  in_progress: { tone: 'working', word: 'running' },
  completed: { tone: 'good', word: 'done' },
  failed: { tone: 'bad', word: 'failed' },
} as const satisfies Record<ActivityStatus, StateWords>;

export const STEP_WORDS = {
  pending: { tone: 'idle', word: 'not begun' },
  running: { tone: 'working', word: 'running' },
  completed: { tone: 'good', word: 'done' },
  failed: { tone: 'bad', word: 'failed' },
} as const satisfies Record<StepStatus, StateWords>;

/** The step to name: the one that failed or runs, else the last that ended. */
export const stepToName = ({ steps }: Pick<Activity, 'steps'>): ActivityStep | undefined =>
  steps.find((step) => step.status === 'failed') ??
  steps.findLast((step) => step.status === 'running') ??
  steps.findLast((step) => step.status === 'completed');

export const stepsDone = ({ steps }: Pick<Activity, 'steps'>): number =>
  steps.filter((step) => step.status === 'completed').length;

/** How long an activity or a step has taken; null before it began. */
export const durationOf = (span: Pick<ActivityStep, 'startedAt' | 'completedAt'>, now = Date.now()): number | null =>
  span.startedAt === null ? null : spanMs(span.startedAt, span.completedAt, now);
