import type { Role } from '@hangar/contract';
import { relativeTime } from '@hangar/contract/words/time';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';

interface Flags extends GlobalFlags {
  readonly role: Role;
}

export const command = defineCommand<Flags>({
  brief: 'Invite a person (admin)',
  examples: [
    ['invites create', 'prints a link for a new member'],
    ['invites create --role admin', 'for a new admin'],
  ],
  about: ['The link is shown once and works once.'],
  json: '{"id", "role", "createdBy", "createdAt", "expiresAt", "url"}',
  parameters: {
    flags: {
      role: { kind: 'enum', values: ['admin', 'member'], default: 'member', brief: 'Role of the new person' },
      ...globalFlags,
    },
  },
  async run(flags) {
    const { client } = await this.api(flags.server);
    const invite = await client.access.createInvite({ role: flags.role });
    if (flags.json) return this.terminal.json(invite);
    this.terminal.out(invite.url);
    this.terminal.note(`For a new ${invite.role}; works once, expires ${relativeTime(invite.expiresAt)}.`);
    this.terminal.next(`hangar invites remove ${invite.id}`, 'hangar people');
  },
});
