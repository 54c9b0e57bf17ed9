import { type ActivityMessage, isFinal, JOB_PHASES, type JobPhase } from '@hangar/contract';
import type { Publication } from '../../../platform/capability.ts';
import type { JobRow } from '../store/jobs-tables.ts';

type Told = Pick<JobRow, 'id' | 'title' | 'state' | 'reason' | 'exitCode' | 'failure' | 'phases'>;

const STEP: Record<JobPhase, string> = {
  queued: 'Wait for a place',
  starting: 'Start the worker',
  cloning: 'Get the repository',
  running: 'Run the agent',
  collecting: 'Collect the diff',
};

/** What is published of jobs that are in a state in which they were not before. */
export const publications = (rows: readonly JobRow[]): Publication[] =>
  rows.flatMap((row) =>
    activityMessages(row).map((message) => ({
      activityId: row.activityId ?? row.id,
      message,
      at: row.stateSince,
      actor: { id: row.userId, name: row.userName },
      correlationId: row.id,
    })),
  );

/** What a move of a job says on the activity bus. Steps are idempotent: saying one twice changes nothing. */
export function activityMessages(row: Told): ActivityMessage[] {
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
  if (row.state === 'succeeded') {
    return [
      ...JOB_PHASES.map(
        (phase): ActivityMessage => ({ type: 'DEVOPS_STEP_UPDATE', step: STEP[phase], status: 'completed' }),
      ),
      { type: 'DEVOPS_COMPLETE', note: row.reason },
    ];
  }
  const failed = failedPhase(row);
  const reached = row.phases.filter((phase) => phase.name !== failed);
  return [
    ...reached.map(
      (phase): ActivityMessage => ({ type: 'DEVOPS_STEP_UPDATE', step: STEP[phase.name], status: 'completed' }),
    ),
    { type: 'DEVOPS_STEP_UPDATE', step: STEP[failed], status: 'failed', error: row.reason },
    { type: 'DEVOPS_FAILED', error: row.reason },
  ];
}

/** What went wrong while the agent ran is told after its diff was collected: the phase to blame is not always the last. */
function failedPhase(row: Told): JobPhase {
  const byAgent = row.state === 'timed_out' || row.exitCode !== null || row.failure?.code === 'out_of_memory';
  const ran = row.phases.some((phase) => phase.name === 'running');
  return byAgent && ran && row.failure?.code !== 'collect_failed' ? 'running' : (row.phases.at(-1)?.name ?? 'queued');
}
