import { relativeTime } from '@hangar/contract/words/time';
import { defineCommand, globalFlags } from '../../command.ts';
import { personWords, table } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'List people (admin)',
  examples: [
    ['people', 'who may use this server'],
    ['people --json', 'for programs'],
  ],
  json: '{"items": [{"id", "name", "email", "role", "planId", "disabled", "hasPassword", "createdAt", "lastSeenAt"}]}',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items } = await client.access.listPeople({});
    if (flags.json) return terminal.json({ items });
    const rows = items.map(({ id, name, email, role, planId, disabled, lastSeenAt }) => [
      id,
      disabled ? 'disabled' : role,
      planId,
      lastSeenAt === null ? 'never' : relativeTime(lastSeenAt),
      personWords({ name, email }),
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    terminal.next('hangar invites create', `hangar people update ${items[0]?.id ?? 'ID'} --role member`);
  },
});
