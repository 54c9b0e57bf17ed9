import type { ActivityMessage, ActivityStep } from '@hangar/contract';
import type { Summary } from './activity-tables.ts';

export interface StoredMessage {
  readonly n: number;
  readonly activityId: string;
  readonly at: Date;
  readonly message: ActivityMessage;
  readonly actorId: string | null;
  readonly actorName: string;
  readonly correlationId: string | null;
}

/** As many as can be announced. What is shown in lists stays small, whoever says what. */
const MOST_STEPS = 100;
/** Characters of the errors of all steps together. */
const MOST_ERRORS = 8_000;

/**
 * Folds the messages of one activity into what people see. Tolerates messages that come late, twice or not at all: the order of
 * their times counts, not that of their arrival; a step nobody announced is added; an end ends what was still open. `base`: what was
 * folded from earlier messages; these go on from there. Pure.
 */
export function foldActivity(messages: readonly StoredMessage[], base: Summary | null = null): Summary | null {
  const ordered = [...messages].sort((a, b) => a.at.getTime() - b.at.getTime() || a.n - b.n);
  const [first] = ordered;
  if (!first) return base;
  const activity = base ? structuredClone(base) : begun(ordered, first);
  for (const { message, at } of ordered) apply(activity, message, at.toISOString());
  return activity;
}

function begun(ordered: readonly StoredMessage[], first: StoredMessage): Summary {
  const started = ordered.find(({ message }) => message.type === 'DEVOPS_STARTED');
  return {
    id: first.activityId,
    operation: started?.message.type === 'DEVOPS_STARTED' ? started.message.operation : 'Unnamed',
    status: 'in_progress',
    startedAt: (started ?? first).at.toISOString(),
    completedAt: null,
    steps: started?.message.type === 'DEVOPS_STARTED' ? started.message.steps.map(newStep) : [],
    error: null,
    actor: { id: (started ?? first).actorId, name: (started ?? first).actorName },
    correlationId: (started ?? first).correlationId,
    link: started?.message.type === 'DEVOPS_STARTED' ? (started.message.link ?? null) : null,
  };
}

function apply(activity: Summary, message: ActivityMessage, at: string): void {
  switch (message.type) {
    case 'DEVOPS_STARTED':
      return;
    case 'DEVOPS_STEP_UPDATE':
      applyStep(activity, message, at);
      return;
    case 'DEVOPS_COMPLETE':
    case 'DEVOPS_FAILED': {
      // The first end counts; a second one changes nothing.
      if (activity.completedAt !== null) return;
      const failed = message.type === 'DEVOPS_FAILED';
      activity.status = failed ? 'failed' : 'completed';
      activity.completedAt = at;
      if (message.type === 'DEVOPS_FAILED') activity.error = message.error;
      for (const step of activity.steps) {
        if (step.status !== 'running') continue;
        step.status = failed ? 'failed' : 'completed';
        step.completedAt = at;
      }
      return;
    }
  }
}

function applyStep(
  activity: Summary,
  message: Extract<ActivityMessage, { type: 'DEVOPS_STEP_UPDATE' }>,
  at: string,
): void {
  let step = activity.steps.find(({ name }) => name === message.step);
  if (!step) {
    if (activity.steps.length >= MOST_STEPS) return;
    step = newStep(message.step);
    activity.steps.push(step);
  }
  // A step that ended stays ended: a late "running" is old news.
  if (
    (step.status === 'completed' || step.status === 'failed') &&
    message.status !== 'completed' &&
    message.status !== 'failed'
  )
    return;
  if (step.status === message.status) return;
  step.status = message.status;
  if (message.status === 'running') step.startedAt ??= at;
  if (message.status === 'completed' || message.status === 'failed') {
    step.startedAt ??= at;
    step.completedAt = at;
  }
  if (message.error === undefined) return;
  const told = activity.steps.reduce((sum, { error }) => sum + (error?.length ?? 0), 0);
  step.error = message.error.slice(0, Math.max(0, MOST_ERRORS - told));
}

const newStep = (name: string): ActivityStep => ({
  name,
  status: 'pending',
  startedAt: null,
  completedAt: null,
  error: null,
});
