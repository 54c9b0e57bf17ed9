import type { ActivityStatus } from '@hangar/contract';
import type { Cli } from '../../cli.ts';
import { type GlobalFlags, globalFlags, text } from '../../command.ts';
import { defineList } from '../../list-command.ts';
import { wholeNumber } from '../../terminal/numbers.ts';
import { activityLine } from './activity-words.ts';

interface Flags extends GlobalFlags {
  readonly status?: ActivityStatus | undefined;
  readonly actor?: string | undefined;
  readonly about?: string | undefined;
  readonly limit?: number | undefined;
}

export const command = defineList({
  brief: 'What is being done now and was done lately',
  examples: [
    ['activity', 'everything that takes longer than a request'],
    ['activity --about j_7k2m9p4x', 'of one job'],
  ],
  json: '{"current": [activity, …], "recent": [activity, …]}, as GET /devops/activity answers.',
  parameters: {
    flags: {
      status: {
        kind: 'enum',
        values: ['in_progress', 'completed', 'failed'],
        optional: true,
        brief: 'Only with this status',
        placeholder: 'STATUS',
      },
      actor: text('Only by this actor', 'NAME'),
      about: text('Only about this, for example the id of a job', 'ID'),
      limit: {
        kind: 'parsed',
        parse: wholeNumber,
        optional: true,
        brief: 'Recent ones to show, at most 100; 10 when left out',
        placeholder: 'N',
      },
      ...globalFlags,
    },
    aliases: { n: 'limit' },
  },
  async ask(cli: Cli, flags: Flags) {
    if (flags.limit !== undefined) (await import('../../terminal/check-page.ts')).checkPage('activity', flags);
    const found = await (await cli.api(flags.server)).client.activity.list({
      ...(flags.limit === undefined ? {} : { limit: flags.limit }),
      ...(flags.status === undefined ? {} : { status: flags.status }),
      ...(flags.actor === undefined ? {} : { actor: flags.actor }),
      ...(flags.about === undefined ? {} : { correlationId: flags.about }),
    });
    return { found, items: [...found.current, ...found.recent] };
  },
  print: ({ found }) => found,
  empty: 'Nothing is being done, and nothing was lately.',
  row: (one, { terminal }) => activityLine(one, terminal),
  next: () => ["hangar activity start 'Deploy' --step build --step push"],
});
