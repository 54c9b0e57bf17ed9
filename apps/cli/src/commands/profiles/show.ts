import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { profileArgument } from './profile-argument.ts';
import { PROFILE_JSON, showProfile } from './profile-words.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Settings and limits of a profile',
  examples: [
    ['profiles show local', 'what it is'],
    ['profiles show local --json', 'for programs'],
  ],
  json: PROFILE_JSON,
  parameters: {
    flags: globalFlags,
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the profile' }] },
  },
  async run(flags, name) {
    const { client } = await this.api(flags.server);
    const profile = await client.profiles.get({ name });
    if (flags.json) return this.terminal.json(profile);
    showProfile(this, profile);
    this.terminal.next(`hangar profiles test ${name}`);
  },
});
