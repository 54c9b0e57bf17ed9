import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
import { confirm } from '../../terminal/ask.ts';

interface Flags extends GlobalFlags {
  readonly yes: boolean;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Revoke an API key',
  examples: [
    ['keys remove k_3f8a2b', 'asks first'],
    ['keys remove k_3f8a2b --yes', 'does not ask'],
  ],
  json: '{"id", "removed": true}',
  parameters: {
    flags: { yes: yes('Do not ask'), ...globalFlags },
    aliases: { y: 'yes' },
    positional: { kind: 'tuple', parameters: [{ parse: String, placeholder: 'ID', brief: 'Id of the key, k_…' }] },
  },
  async run(flags, id) {
    await confirm(this, flags, `Revoke ${id}? Whatever uses it is signed out at once.`);
    const { client } = await this.api(flags.server);
    await client.access.removeApiKey({ id });
    if (flags.json) return this.terminal.json({ id, removed: true });
    this.terminal.out(`Revoked ${id}.`);
    this.terminal.next('hangar keys');
  },
});
