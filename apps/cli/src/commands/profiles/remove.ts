import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
import { confirm } from '../../terminal/ask.ts';
import { profileArgument } from './profile-argument.ts';

interface Flags extends GlobalFlags {
  readonly yes: boolean;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Remove a profile',
  examples: [
    ['profiles remove old', 'asks first'],
    ['profiles remove old --yes', 'does not ask'],
  ],
  json: '{"name", "removed": true}',
  parameters: {
    flags: { yes: yes('Do not ask'), ...globalFlags },
    aliases: { y: 'yes' },
    positional: { kind: 'tuple', parameters: [{ ...profileArgument, brief: 'Name of the profile' }] },
  },
  async run(flags, name) {
    await confirm(this, flags, `Remove profile ${name}? Its settings and keys are gone then.`);
    const { client } = await this.api(flags.server);
    await client.profiles.remove({ name });
    if (flags.json) return this.terminal.json({ name, removed: true });
    this.terminal.out(`Removed ${name}.`);
    this.terminal.next('hangar profiles');
  },
});
