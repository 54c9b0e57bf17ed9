import type { JobPhase, JobState } from '@hangar/contract';
import { describe, expect, it } from 'vitest';
import { activityMessages } from './job-activity.ts';

type Given = Parameters<typeof activityMessages>[0];
const job = (state: JobState, reached: JobPhase[], more: Partial<Given> = {}): Given => ({
  id: 'j_1234567890',
  title: 'Add search',
  state,
  reason: 'As it is',
  exitCode: null,
  failure: null,
  phases: reached.map((name) => ({ name, startedAt: '', endedAt: null, reason: null })),
  ...more,
});
const steps = (given: Given) =>
  activityMessages(given).flatMap((message) =>
    message.type === 'DEVOPS_STEP_UPDATE' ? [`${message.step}: ${message.status}`] : [],
  );

describe('what a job says on the activity bus', () => {
  it('names its steps when it is sent', () => {
    expect(activityMessages(job('queued', ['queued']))[0]).toMatchObject({
      type: 'DEVOPS_STARTED',
      operation: 'Job: Add search',
      link: '/jobs/j_1234567890',
      steps: { length: 5 },
    });
  });
  it('follows the phases', () => {
    expect(steps(job('cloning', ['queued', 'starting', 'cloning']))).toEqual([
      'Wait for a place: completed',
      'Start the worker: completed',
      'Get the repository: running',
    ]);
  });
  it('blames the agent for its exit code, though the diff was collected after it', () => {
    const failed = job('failed', ['queued', 'starting', 'cloning', 'running', 'collecting'], { exitCode: 3 });
    expect(steps(failed)).toContain('Run the agent: failed');
    expect(steps(failed)).toContain('Collect the diff: completed');
    expect(activityMessages(failed).at(-1)).toEqual({ type: 'DEVOPS_FAILED', error: 'As it is' });
  });
  it('blames the last phase for the rest', () => {
    expect(steps(job('failed', ['queued', 'starting']))).toContain('Start the worker: failed');
    expect(steps(job('cancelled', ['queued']))).toEqual(['Wait for a place: failed']);
  });
});
