import { relativeTime } from '@hangar/contract/words/time';
import { defineList } from '../../list-command.ts';

export const command = defineList({
  brief: 'List your API keys',
  examples: [
    ['keys', 'names and first characters'],
    ['keys --json', 'for programs'],
  ],
  about: ['A new key is made in the browser (Settings, API keys), or on the server itself: hangar server admin-key.'],
  json: '{"items": [{"id", "name", "prefix", "createdAt", "expiresAt", "lastUsedAt"}]}',
  ask: async (cli, { server }) => (await cli.api(server)).client.access.listApiKeys({}),
  empty: 'No API keys.',
  row: ({ id, name, prefix, lastUsedAt, expiresAt }) => [
    id,
    `${prefix}…`,
    lastUsedAt === null ? 'never used' : `used ${relativeTime(lastUsedAt)}`,
    expiresAt === null ? 'does not expire' : `expires ${relativeTime(expiresAt)}`,
    name,
  ],
  next: () => ['hangar keys remove ID'],
});
