import { relativeTime } from '@hangar/contract/words/time';
import { defineCommand, globalFlags } from '../../command.ts';
import { table } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'List your API keys',
  examples: [
    ['keys', 'names and first characters'],
    ['keys --json', 'for programs'],
  ],
  about: ['A new key is made in the browser (Settings, API keys), or on the server itself: hangar server admin-key.'],
  json: '{"items": [{"id", "name", "prefix", "createdAt", "expiresAt", "lastUsedAt"}]}',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items } = await client.access.listApiKeys({});
    if (flags.json) return terminal.json({ items });
    if (items.length === 0) terminal.note('No API keys.');
    const rows = items.map(({ id, name, prefix, lastUsedAt, expiresAt }) => [
      id,
      `${prefix}…`,
      lastUsedAt === null ? 'never used' : `used ${relativeTime(lastUsedAt)}`,
      expiresAt === null ? 'does not expire' : `expires ${relativeTime(expiresAt)}`,
      name,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    terminal.next('hangar keys remove ID');
  },
});
