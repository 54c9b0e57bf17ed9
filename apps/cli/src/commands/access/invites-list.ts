import { relativeTime } from '@hangar/contract/words/time';
import { defineList } from '../../list-command.ts';

export const command = defineList({
  brief: 'List open invitations (admin)',
  examples: [
    ['invites', 'who may still come in'],
    ['invites create --role member', 'makes one'],
  ],
  json: '{"items": [{"id", "role", "createdBy", "createdAt", "expiresAt"}]}',
  ask: async (cli, { server }) => (await cli.api(server)).client.access.listInvites({}),
  empty: 'No open invitations.',
  row: ({ id, role, createdBy, expiresAt }) => [id, role, `by ${createdBy}`, `expires ${relativeTime(expiresAt)}`],
  next: () => ['hangar invites create'],
});
