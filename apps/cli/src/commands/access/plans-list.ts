import { sizeInWords } from '@hangar/contract/words/size';
import { formatSeconds } from '@hangar/contract/words/time';
import { defineCommand, globalFlags } from '../../command.ts';
import { table } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'List plans',
  examples: [
    ['plans', 'what people may use'],
    ['plans --json', 'for programs'],
  ],
  json: '{"items": [{"id", "title", "jobsAtOnce", "jobsWaiting", "minutesPerMonth", "maxTimeoutSeconds", "maxArtifactBytes", "maxLogBytes"}]}',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items } = await client.access.listPlans({});
    if (flags.json) return terminal.json({ items });
    const rows = items.map((plan) => [
      terminal.color.bold(plan.id),
      `${plan.jobsAtOnce} at once`,
      plan.minutesPerMonth === null ? 'no monthly limit' : `${plan.minutesPerMonth} min a month`,
      `${formatSeconds(plan.maxTimeoutSeconds)} a job`,
      `${sizeInWords(plan.maxArtifactBytes)} of artifacts`,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    terminal.next('hangar cloud whoami');
  },
});
