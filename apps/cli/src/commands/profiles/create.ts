import { NewProfile } from '@hangar/contract';
import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
import { parseInput } from '../../terminal/parse-input.ts';
import { profileArgument } from './profile-argument.ts';
import { checkLimits, limitsOf, type ProfileFlags, profileFlags, settingsOf, showProfile } from './profile-words.ts';

interface Flags extends GlobalFlags, ProfileFlags {
  readonly driver: string;
  readonly default: boolean;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Make a profile (admin)',
  examples: [
    ['profiles create docker --driver docker --set image=node:24-bookworm', 'jobs in containers'],
    ['profiles create small --driver local --cpus 1 --memory 1g --default', 'with limits, as the default'],
  ],
  json: 'The profile: {"name", "driver", "settings", "limits", "isDefault", "createdAt", "jobsRunning"}',
  parameters: {
    flags: {
      driver: {
        kind: 'parsed',
        parse: String,
        brief: 'local, docker or kubernetes (see hangar profiles drivers)',
        placeholder: 'DRIVER',
      },
      ...profileFlags,
      default: yes('Make it the default'),
      ...globalFlags,
    },
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the new profile' }] },
  },
  async run(flags, name) {
    checkLimits('profiles create', flags);
    const wish = parseInput(NewProfile, {
      name,
      driver: flags.driver,
      settings: settingsOf(flags.set ?? []),
      limits: limitsOf(flags),
      isDefault: flags.default,
    });
    const { client } = await this.api(flags.server);
    const profile = await client.profiles.create(wish);
    if (flags.json) return this.terminal.json(profile);
    showProfile(this, profile);
    this.terminal.next(`hangar profiles test ${name}`);
  },
});
