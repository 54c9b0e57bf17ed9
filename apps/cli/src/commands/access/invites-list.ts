import { relativeTime } from '@hangar/contract/words/time';
import { defineCommand, globalFlags } from '../../command.ts';
import { table } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'List open invitations (admin)',
  examples: [
    ['invites', 'who may still come in'],
    ['invites create --role member', 'makes one'],
  ],
  json: '{"items": [{"id", "role", "createdBy", "createdAt", "expiresAt"}]}',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items } = await client.access.listInvites({});
    if (flags.json) return terminal.json({ items });
    if (items.length === 0) terminal.note('No open invitations.');
    const rows = items.map(({ id, role, createdBy, expiresAt }) => [
      id,
      role,
      `by ${createdBy}`,
      `expires ${relativeTime(expiresAt)}`,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    terminal.next('hangar invites create');
  },
});
