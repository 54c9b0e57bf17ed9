import type { Activity } from '@hangar/contract';
import type { Terminal } from '../../terminal/terminal.ts';
import { ago } from '../../terminal/words.ts';

const MARK = { in_progress: '◐', completed: '✓', failed: '✗', pending: '○', running: '◐' } as const;
const PAINT = { in_progress: 'blue', completed: 'green', failed: 'red', pending: 'dim', running: 'blue' } as const;

export function activityLine(activity: Activity, { color }: Terminal): string[] {
  const { status, steps } = activity;
  const at = steps.find((step) => step.status === 'running' || step.status === 'failed');
  const done = steps.filter((step) => step.status === 'completed').length;
  return [
    activity.id,
    color[PAINT[status]](`${MARK[status]} ${status === 'in_progress' ? 'going on' : status}`),
    ago(activity.startedAt),
    steps.length === 0 ? '' : `${done}/${steps.length}`,
    `${activity.operation}${at === undefined ? '' : `: ${at.name}`}${activity.error === null ? '' : `: ${activity.error}`}`,
  ];
}

export function showActivity(activity: Activity, terminal: Terminal): void {
  terminal.out(activityLine(activity, terminal).filter(Boolean).join('  '));
  for (const step of activity.steps)
    terminal.out(
      `  ${terminal.color[PAINT[step.status]](MARK[step.status])} ${step.name}${step.error === null ? '' : `: ${step.error}`}`,
    );
}

/** The argument that names an activity. */
export const activityArgument = { parse: String, placeholder: 'ID', brief: 'Id of the activity, a_…' } as const;
