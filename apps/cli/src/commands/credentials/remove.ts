import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Remove a git credential',
  examples: [
    ['cloud credentials remove github', 'the server forgets it'],
    ['cloud credentials list', 'shows the names'],
  ],
  about: ['Jobs that already hold it keep it until they end.'],
  json: '{"name", "removed": true}',
  parameters: {
    flags: globalFlags,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'NAME', brief: 'Name of the credential' }],
    },
  },
  async run(flags, name) {
    const { client } = await this.api(flags.server);
    await client.credentials.remove({ name });
    if (flags.json) return this.terminal.json({ name, removed: true });
    this.terminal.out(`Removed ${name}.`);
    this.terminal.next('hangar cloud credentials list');
  },
});
