import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { profileArgument } from './profile-argument.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Make a profile the default (admin)',
  examples: [
    ['profiles default docker', 'jobs that name no profile run there'],
    ['profiles', 'shows which one it is'],
  ],
  json: 'The profile: {"name", "driver", "settings", "limits", "isDefault", "createdAt", "jobsRunning"}',
  parameters: {
    flags: globalFlags,
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the profile' }] },
  },
  async run(flags, name) {
    const { client } = await this.api(flags.server);
    const profile = await client.profiles.makeDefault({ name });
    if (flags.json) return this.terminal.json(profile);
    this.terminal.out(`${name} is the default.`);
    this.terminal.next('hangar run --cloud --spec SPEC.md');
  },
});
