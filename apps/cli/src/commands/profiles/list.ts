import { limitWords } from '@hangar/contract/words/resources';
import { defineList } from '../../list-command.ts';
import { PROFILE_FIELDS } from './profile-words.ts';

export const command = defineList({
  brief: 'List profiles',
  examples: [
    ['profiles', 'names, drivers, whose they are, limits'],
    ['run --cloud --on docker --spec SPEC.md', 'runs a job on one'],
  ],
  json: `{"items": [${PROFILE_FIELDS}]}`,
  ask: async (cli, { server }) => (await cli.api(server)).client.profiles.list({}),
  row: (profile, { terminal }) => [
    terminal.color.bold(profile.name),
    profile.driver,
    profile.personal ? 'yours' : 'server',
    profile.isDefault ? 'default' : '',
    `${profile.jobsRunning} running`,
    limitWords(profile.limits) ?? 'no limits',
  ],
  next: ({ items }) => [`hangar profiles test ${items[0]?.name ?? 'NAME'}`],
});
