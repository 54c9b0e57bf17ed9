import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Take an invitation back (admin)',
  examples: [
    ['invites remove i_2k9f4c', 'its link does not work any more'],
    ['invites', 'shows the ids'],
  ],
  json: '{"id", "removed": true}',
  parameters: {
    flags: globalFlags,
    positional: { kind: 'tuple', parameters: [{ parse: String, placeholder: 'ID', brief: 'Id of the invitation' }] },
  },
  async run(flags, id) {
    const { client } = await this.api(flags.server);
    await client.access.removeInvite({ id });
    if (flags.json) return this.terminal.json({ id, removed: true });
    this.terminal.out(`Took ${id} back.`);
    this.terminal.next('hangar invites');
  },
});
