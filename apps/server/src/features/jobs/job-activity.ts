import { type ActivityMessage, isFinal, JOB_PHASES, type JobPhase } from '@hangar/contract';
import type { JobRow } from './jobs-store.ts';

const STEP: Record<JobPhase, string> = {
  queued: 'Wait for a place',
  starting: 'Start the worker',
  cloning: 'Get the repository',
  running: 'Run the agent',
  collecting: 'Collect the diff',
};

/** What a move of a job says on the activity bus. Steps are idempotent: saying one twice changes nothing. */
export function activityMessages(row: JobRow): ActivityMessage[] {
  if (row.state === 'queued') {
    return [
      {
        type: 'DEVOPS_STARTED',
        operation: `Job: ${row.title}`,
        steps: JOB_PHASES.map((phase) => STEP[phase]),
        link: `/jobs/${row.id}`,
      },
      { type: 'DEVOPS_STEP_UPDATE', step: STEP.queued, status: 'running' },
    ];
  }
  if (!isFinal(row.state)) {
    const reached = JOB_PHASES.indexOf(row.state);
    return JOB_PHASES.slice(0, reached + 1).map((phase, index) => ({
      type: 'DEVOPS_STEP_UPDATE',
      step: STEP[phase],
      status: index < reached ? 'completed' : 'running',
    }));
  }
  const last = row.phases.at(-1)?.name ?? 'queued';
  if (row.state === 'succeeded') {
    return [
      ...JOB_PHASES.map(
        (phase): ActivityMessage => ({ type: 'DEVOPS_STEP_UPDATE', step: STEP[phase], status: 'completed' }),
      ),
      { type: 'DEVOPS_COMPLETE', note: row.reason },
    ];
  }
  return [
    { type: 'DEVOPS_STEP_UPDATE', step: STEP[last], status: 'failed', error: row.reason },
    { type: 'DEVOPS_FAILED', error: row.reason },
  ];
}
