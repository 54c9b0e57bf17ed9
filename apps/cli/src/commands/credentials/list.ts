import { relativeTime } from '@hangar/contract/words/time';
import { defineList } from '../../list-command.ts';

export const command = defineList({
  brief: 'List names and kinds of your git credentials',
  examples: [
    ['cloud credentials list', 'names, kinds, hosts'],
    ['cloud credentials list --json', 'for programs'],
  ],
  json: '{"items": [{"name", "kind", "host", "username", "createdAt", "lastUsedAt"}]}; never a value.',
  ask: async (cli, { server }) => (await cli.api(server)).client.credentials.list({}),
  empty: 'No credentials.',
  row: ({ name, kind, host, lastUsedAt }) => [
    name,
    kind,
    host ?? 'any host',
    lastUsedAt === null ? 'never used' : `used ${relativeTime(lastUsedAt)}`,
  ],
  next: () => ['hangar cloud credentials add NAME'],
});
