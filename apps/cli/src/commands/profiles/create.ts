import { DriverName, NewProfile } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
import { parseInput } from '../../terminal/parse-input.ts';
import { profileArgument } from './profile-argument.ts';
import { keyFlag, secretSettings } from './profile-secret.ts';
import {
  checkLimits,
  limitsOf,
  PROFILE_JSON,
  type ProfileFlags,
  profileFlags,
  settingsOf,
  showProfile,
} from './profile-words.ts';

interface Flags extends GlobalFlags, ProfileFlags {
  readonly driver: string;
  readonly default: boolean;
  readonly personal: boolean;
  readonly key?: string | undefined;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Make a profile',
  examples: [
    ['profiles create docker --driver docker --set image=node:24-bookworm', 'jobs in containers'],
    ['profiles create box --driver ssh --host box.example.org --key ~/.ssh/box', 'a machine over SSH'],
    ['profiles create small --driver local --cpus 1 --memory 1g --default', 'with limits, as the default'],
  ],
  about: [
    "Profiles of an admin are everybody's unless they are --personal. Other people make personal ones, of ssh, e2b and daytona, which nobody else sees or uses.",
    'A key is read from a file or standard input and kept in the secret store of the server, never in its database, and never shown again.',
  ],
  json: PROFILE_JSON,
  parameters: {
    flags: {
      driver: {
        kind: 'parsed',
        parse: String,
        brief: 'local, docker, kubernetes, ssh, e2b or daytona (see hangar profiles drivers)',
        placeholder: 'DRIVER',
      },
      ...profileFlags,
      ...keyFlag,
      personal: yes('For you alone, also when you are an admin'),
      default: yes('Make it the default'),
      ...globalFlags,
    },
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the new profile' }] },
  },
  async run(flags, name) {
    checkLimits('profiles create', flags);
    const driver = DriverName.safeParse(flags.driver);
    if (!driver.success) throw new HangarError('driver_unknown', { message: `There is no driver ${flags.driver}.` });
    const settings = settingsOf(flags);
    const secrets = await secretSettings(this, flags, driver.data, settings);
    const wish = parseInput(NewProfile, {
      ...{ name, driver: driver.data, settings: { ...settings, ...secrets } },
      limits: limitsOf(flags),
      isDefault: flags.default,
      ...(flags.personal ? { personal: true } : {}),
    });
    const { client } = await this.api(flags.server);
    const profile = await client.profiles.create(wish);
    if (flags.json) return this.terminal.json(profile);
    showProfile(this, profile);
    this.terminal.next(`hangar profiles test ${name}`);
  },
});
