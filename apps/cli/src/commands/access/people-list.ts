import { relativeTime } from '@hangar/contract/words/time';
import { defineList } from '../../list-command.ts';
import { personWords } from '../../terminal/words.ts';

export const command = defineList({
  brief: 'List people (admin)',
  examples: [
    ['people', 'who may use this server'],
    ['people --json', 'for programs'],
  ],
  json: '{"items": [{"id", "name", "email", "role", "planId", "disabled", "hasPassword", "createdAt", "lastSeenAt"}]}',
  ask: async (cli, { server }) => (await cli.api(server)).client.access.listPeople({}),
  row: ({ id, name, email, role, planId, disabled, lastSeenAt }) => [
    id,
    disabled ? 'disabled' : role,
    planId,
    lastSeenAt === null ? 'never' : relativeTime(lastSeenAt),
    personWords({ name, email }),
  ],
  next: ({ items }) => ['hangar invites create', `hangar people update ${items[0]?.id ?? 'ID'} --role member`],
});
