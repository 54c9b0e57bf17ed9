import { relativeTime } from '@hangar/contract/words/time';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Make a one-time sign-in link for a person (admin)',
  examples: [
    ['people sign-in-link u_9x2k4m', 'for somebody who forgot the password'],
    ['people', 'shows the ids'],
  ],
  about: ['The link signs in as that person, once. Give it to nobody else.'],
  json: '{"url", "expiresAt"}',
  parameters: {
    flags: globalFlags,
    positional: { kind: 'tuple', parameters: [{ parse: String, placeholder: 'ID', brief: 'Id of the person, u_…' }] },
  },
  async run(flags, id) {
    const { client } = await this.api(flags.server);
    const link = await client.access.createSignInLink({ id });
    if (flags.json) return this.terminal.json(link);
    this.terminal.out(link.url);
    this.terminal.note(`It works once, and expires ${relativeTime(link.expiresAt)}.`);
    this.terminal.next('hangar people');
  },
});
