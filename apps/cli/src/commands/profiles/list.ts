import { limitWords } from '@hangar/contract/words/limits';
import { defineCommand, globalFlags } from '../../command.ts';
import { table } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'List profiles',
  examples: [
    ['profiles', 'names, drivers, limits'],
    ['run --cloud --on docker --spec SPEC.md', 'runs a job on one'],
  ],
  json: '{"items": [{"name", "driver", "settings", "limits", "isDefault", "createdAt", "jobsRunning"}]}',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items } = await client.profiles.list({});
    if (flags.json) return terminal.json({ items });
    const rows = items.map((profile) => [
      terminal.color.bold(profile.name),
      profile.driver,
      profile.isDefault ? 'default' : '',
      `${profile.jobsRunning} running`,
      limitWords(profile.limits) ?? 'no limits',
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    terminal.next(`hangar profiles test ${items[0]?.name ?? 'NAME'}`);
  },
});
