import { plural } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { formatSeconds } from '@hangar/contract/words/time';
import { defineList } from '../../list-command.ts';

export const command = defineList({
  brief: 'List plans',
  examples: [
    ['plans', 'what people may use'],
    ['plans --json', 'for programs'],
  ],
  json: '{"items": [{"id", "title", "jobsAtOnce", "jobsWaiting", "sandboxesAtOnce", "minutesPerMonth", "maxTimeoutSeconds", "maxArtifactBytes", "maxLogBytes"}]}',
  ask: async (cli, { server }) => (await cli.api(server)).client.access.listPlans({}),
  row: (plan, { terminal }) => [
    terminal.color.bold(plan.id),
    `${plural(plan.jobsAtOnce, 'job')} at once`,
    plural(plan.sandboxesAtOnce, 'sandbox', 'sandboxes'),
    plan.minutesPerMonth === null ? 'no monthly limit' : `${plan.minutesPerMonth} min a month`,
    `${formatSeconds(plan.maxTimeoutSeconds)} a job`,
    `${sizeInWords(plan.maxArtifactBytes)} of artifacts`,
  ],
  next: () => ['hangar cloud whoami'],
});
