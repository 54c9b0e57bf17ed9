import type { Role } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { personWords } from '../../terminal/words.ts';

interface Flags extends GlobalFlags {
  readonly role?: Role | undefined;
  readonly plan?: string | undefined;
  readonly disable: boolean;
  readonly enable: boolean;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Change role, plan or access of a person (admin)',
  examples: [
    ['people update u_9x2k4m --role admin', 'makes an admin'],
    ['people update u_9x2k4m --disable', 'ends sessions and devices, refuses new ones'],
  ],
  json: '{"id", "name", "email", "role", "planId", "disabled", …}',
  parameters: {
    flags: {
      role: { kind: 'enum', values: ['admin', 'member'], optional: true, brief: 'The new role' },
      plan: text('The new plan, see hangar plans', 'PLAN'),
      disable: yes('Refuse this person'),
      enable: yes('Let this person in again'),
      ...globalFlags,
    },
    positional: { kind: 'tuple', parameters: [{ parse: String, placeholder: 'ID', brief: 'Id of the person, u_…' }] },
  },
  async run(flags, id) {
    const { role, plan, disable, enable } = flags;
    if (disable && enable) throw new HangarError('usage', { message: '--disable and --enable do not go together.' });
    if (role === undefined && plan === undefined && !disable && !enable)
      throw new HangarError('usage', {
        message: 'Nothing to change was given.',
        wayOut: 'See: hangar people update --help',
      });
    const { client } = await this.api(flags.server);
    const person = await client.access.updatePerson({
      id,
      ...(role === undefined ? {} : { role }),
      ...(plan === undefined ? {} : { planId: plan }),
      ...(disable || enable ? { disabled: disable } : {}),
    });
    if (flags.json) return this.terminal.json(person);
    this.terminal.out(`${personWords(person)}: ${person.disabled ? 'disabled' : person.role}, plan ${person.planId}`);
    this.terminal.next('hangar people');
  },
});
