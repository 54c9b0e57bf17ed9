import type { Activity, ActivityStatus, ActivityStep, StepStatus } from '@hangar/contract';
import type { Tone } from '../../components/tones.ts';

export const ACTIVITY_STATUS: Record<ActivityStatus, { tone: Tone; word: string }> = {
  in_progress: { tone: 'working', word: 'Running' },
  completed: { tone: 'good', word: 'Done' },
  failed: { tone: 'bad', word: 'Failed' },
};

export const STEP_STATUS: Record<StepStatus, { tone: Tone | 'idle'; word: string }> = {
  pending: { tone: 'idle', word: 'Not begun' },
  running: { tone: 'working', word: 'Running' },
  completed: { tone: 'good', word: 'Done' },
  failed: { tone: 'bad', word: 'Failed' },
};

/** The step to name: the one that runs or failed, else the last that ended. */
export function stepToName(activity: Activity): ActivityStep | undefined {
  return (
    activity.steps.find((step) => step.status === 'failed') ??
    activity.steps.findLast((step) => step.status === 'running') ??
    activity.steps.findLast((step) => step.status === 'completed')
  );
}

export const stepsDone = (activity: Activity): number =>
  activity.steps.filter((step) => step.status === 'completed').length;

/** How long it took, or has taken until `now`. */
export const durationOf = (
  span: { startedAt: string | null; completedAt: string | null },
  now: number,
): number | null => {
  if (span.startedAt === null) return null;
  const end = span.completedAt === null ? now : new Date(span.completedAt).getTime();
  return Math.max(0, end - new Date(span.startedAt).getTime());
};
