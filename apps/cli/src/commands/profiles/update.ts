import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
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
  readonly key?: string | undefined;
  readonly forgetHostKey: boolean;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Change settings or limits of a profile',
  examples: [
    ['profiles update docker --set image=node:24-bookworm', 'another image'],
    ['profiles update local --jobs-at-once 4', 'another limit'],
    ['profiles update box --key - < ~/.ssh/new', 'another key'],
    ['profiles update box --forget-host-key', 'the machine was made anew'],
  ],
  about: [
    'Limits and settings that are not named stay as they are. What runs on the profile goes on with those it was started with.',
    "Only admins change what is the server's.",
  ],
  json: PROFILE_JSON,
  parameters: {
    flags: {
      ...profileFlags,
      ...keyFlag,
      forgetHostKey: yes('Believe the host key that is seen next'),
      ...globalFlags,
    },
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the profile' }] },
  },
  async run(flags, name) {
    checkLimits('profiles update', flags);
    const limits = limitsOf(flags);
    const settings = settingsOf(flags);
    const changed = {
      limits: Object.keys(limits).length > 0,
      settings: Object.keys(settings).length > 0 || flags.key !== undefined,
    };
    if (!changed.limits && !changed.settings && !flags.forgetHostKey)
      throw new HangarError('usage', {
        message: 'Nothing to change was given.',
        wayOut: 'See: hangar profiles update --help',
      });
    const { client } = await this.api(flags.server);
    const { driver } = await client.profiles.get({ name });
    const secrets = await secretSettings(this, flags, driver, settings);
    const profile = await client.profiles.update({
      name,
      ...(changed.limits ? { limits } : {}),
      ...(changed.settings ? { settings: { ...settings, ...secrets } } : {}),
      ...(flags.forgetHostKey ? { forgetHostKey: true } : {}),
    });
    if (flags.json) return this.terminal.json(profile);
    showProfile(this, profile);
    this.terminal.next(`hangar profiles test ${name}`);
  },
});
