import { relativeTime } from '@hangar/contract/words/time';
import { defineCommand, globalFlags } from '../../command.ts';
import { table } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'List names and kinds of your git credentials',
  examples: [
    ['cloud credentials list', 'names, kinds, hosts'],
    ['cloud credentials list --json', 'for programs'],
  ],
  json: '{"items": [{"name", "kind", "host", "username", "createdAt", "lastUsedAt"}]}; never a value.',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items } = await client.credentials.list({});
    if (flags.json) return terminal.json({ items });
    if (items.length === 0) terminal.note('No credentials.');
    const rows = items.map(({ name, kind, host, lastUsedAt }) => [
      name,
      kind,
      host ?? 'any host',
      lastUsedAt === null ? 'never used' : `used ${relativeTime(lastUsedAt)}`,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    terminal.next('hangar cloud credentials add NAME');
  },
});
