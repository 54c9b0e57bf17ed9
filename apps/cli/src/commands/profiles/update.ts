import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { profileArgument } from './profile-argument.ts';
import { checkLimits, limitsOf, type ProfileFlags, profileFlags, settingsOf, showProfile } from './profile-words.ts';

interface Flags extends GlobalFlags, ProfileFlags {}

export const command = defineCommand<Flags, [string]>({
  brief: 'Change settings or limits of a profile (admin)',
  examples: [
    ['profiles update docker --set image=node:24-bookworm', 'another image'],
    ['profiles update local --jobs-at-once 4', 'another limit'],
  ],
  about: ['Limits and settings that are not named stay as they are.'],
  json: 'The profile: {"name", "driver", "settings", "limits", "isDefault", "createdAt", "jobsRunning"}',
  parameters: {
    flags: { ...profileFlags, ...globalFlags },
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the profile' }] },
  },
  async run(flags, name) {
    checkLimits('profiles update', flags);
    const limits = limitsOf(flags);
    const settings = settingsOf(flags.set ?? []);
    const changed = { limits: Object.keys(limits).length > 0, settings: Object.keys(settings).length > 0 };
    if (!changed.limits && !changed.settings)
      throw new HangarError('usage', {
        message: 'Nothing to change was given.',
        wayOut: 'See: hangar profiles update --help',
      });
    const { client } = await this.api(flags.server);
    const now = await client.profiles.get({ name });
    const profile = await client.profiles.update({
      name,
      ...(changed.limits ? { limits: { ...now.limits, ...limits } } : {}),
      ...(changed.settings ? { settings: { ...now.settings, ...settings } } : {}),
    });
    if (flags.json) return this.terminal.json(profile);
    showProfile(this, profile);
    this.terminal.next(`hangar profiles test ${name}`);
  },
});
