import { limitWords } from '@hangar/contract/words/resources';
import { defineList } from '../../list-command.ts';

export const command = defineList({
  brief: 'List profiles',
  examples: [
    ['profiles', 'names, drivers, limits'],
    ['run --cloud --on docker --spec SPEC.md', 'runs a job on one'],
  ],
  json: '{"items": [{"name", "driver", "settings", "limits", "isDefault", "createdAt", "jobsRunning"}]}',
  ask: async (cli, { server }) => (await cli.api(server)).client.profiles.list({}),
  row: (profile, { terminal }) => [
    terminal.color.bold(profile.name),
    profile.driver,
    profile.isDefault ? 'default' : '',
    `${profile.jobsRunning} running`,
    limitWords(profile.limits) ?? 'no limits',
  ],
  next: ({ items }) => [`hangar profiles test ${items[0]?.name ?? 'NAME'}`],
});
