import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { profileArgument } from './profile-argument.ts';
import { PROFILE_JSON } from './profile-words.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: "Make a profile the default: yours for you, the server's for everybody",
  examples: [
    ['profiles default box', 'jobs that name no profile run there'],
    ['profiles', 'shows which one it is'],
  ],
  about: ["Only admins choose the server's default. Who names it has no default of their own any more."],
  json: PROFILE_JSON,
  parameters: {
    flags: globalFlags,
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the profile' }] },
  },
  async run(flags, name) {
    const { client } = await this.api(flags.server);
    const profile = await client.profiles.makeDefault({ name });
    if (flags.json) return this.terminal.json(profile);
    this.terminal.out(`${name} is ${profile.personal ? 'your' : 'the'} default.`);
    this.terminal.next('hangar run --cloud --spec SPEC.md');
  },
});
