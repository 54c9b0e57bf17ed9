import type { Activity } from '@hangar/contract';
import { ACTIVITY_WORDS, STEP_WORDS, stepsDone, stepToName } from '@hangar/contract/words/activity';
import { relativeTime } from '@hangar/contract/words/time';
import type { Terminal } from '../../terminal/terminal.ts';
import { stateText, toneMark } from '../../terminal/tones.ts';

export function activityLine(activity: Activity, { color }: Terminal): string[] {
  const { status, steps } = activity;
  const at = status === 'completed' ? undefined : stepToName(activity);
  return [
    activity.id,
    stateText(ACTIVITY_WORDS[status], color),
    relativeTime(activity.startedAt),
    steps.length === 0 ? '' : `${stepsDone(activity)}/${steps.length}`,
    `${activity.operation}${at === undefined ? '' : `: ${at.name}`}${activity.error === null ? '' : `: ${activity.error}`}`,
  ];
}

export function showActivity(activity: Activity, terminal: Terminal): void {
  terminal.out(activityLine(activity, terminal).filter(Boolean).join('  '));
  for (const { name, status, error } of activity.steps)
    terminal.out(`  ${toneMark(STEP_WORDS[status].tone, terminal.color)} ${name}${error === null ? '' : `: ${error}`}`);
}

/** The argument that names an activity. */
export const activityArgument = { parse: String, placeholder: 'ID', brief: 'Id of the activity, a_…' } as const;
