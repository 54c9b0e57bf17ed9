import type { Activity, ActivityStep } from '@hangar/contract';
import { ago } from '../../gallery/samples.ts';

const step = (
  name: string,
  status: ActivityStep['status'],
  from: number | null,
  to: number | null,
  error: string | null = null,
): ActivityStep => ({
  name,
  status,
  startedAt: from === null ? null : ago(from),
  completedAt: to === null ? null : ago(to),
  error,
});

const actor = { id: 'u_ada0001', name: 'Ada Lovelace' };

export const running: Activity = {
  id: 'a_run00001',
  version: 1,
  operation: 'Job: Add full-text search to the notes list',
  status: 'in_progress',
  startedAt: ago(204),
  completedAt: null,
  steps: [
    step('Wait for a place', 'completed', 204, 198),
    step('Start the worker', 'completed', 198, 195.6),
    step('Clone', 'completed', 195.6, 187),
    step('Run claude', 'running', 187, null),
    step('Collect the diff', 'pending', null, null),
  ],
  error: null,
  actor,
  correlationId: 'j_7k2m9qx4',
  link: '/jobs/j_7k2m9qx4',
};

export const completed: Activity = {
  id: 'a_done0001',
  version: 1,
  operation: 'Job: Correct the time zone of the export',
  status: 'completed',
  startedAt: ago(1500),
  completedAt: ago(1074),
  steps: [
    step('Wait for a place', 'completed', 1500, 1499.8),
    step('Start the worker', 'completed', 1499.8, 1497),
    step('Clone', 'completed', 1497, 1489),
    step('Run shell', 'completed', 1489, 1076),
    step('Collect the diff', 'completed', 1076, 1074),
  ],
  error: null,
  actor,
  correlationId: 'j_4p8v1cz0',
  link: '/jobs/j_4p8v1cz0',
};

export const failed: Activity = {
  id: 'a_fail0001',
  version: 1,
  operation: 'Job: Move the build to Node 24',
  status: 'failed',
  startedAt: ago(5400),
  completedAt: ago(5312),
  steps: [
    step('Wait for a place', 'completed', 5400, 5399.5),
    step('Start the worker', 'completed', 5399.5, 5396),
    step(
      'Clone',
      'failed',
      5396,
      5312,
      'The git server refused the credential. remote: HTTP Basic: Access denied for https://git.example.com/platform/build-scripts.git',
    ),
    step('Run codex', 'pending', null, null),
    step('Collect the diff', 'pending', null, null),
  ],
  error: 'The git server refused the credential.',
  actor: { id: null, name: 'release-bot' },
  correlationId: 'j_9t5w3bn7',
  link: '/jobs/j_9t5w3bn7',
};

export const announced: Activity = {
  id: 'a_cli00001',
  version: 1,
  operation: 'Deploy staging',
  status: 'in_progress',
  startedAt: ago(42),
  completedAt: null,
  steps: [step('Build images', 'completed', 42, 11), step('Roll out', 'running', 11, null)],
  error: null,
  actor: { id: 'u_grace001', name: 'Grace Hopper' },
  correlationId: null,
  link: null,
};
