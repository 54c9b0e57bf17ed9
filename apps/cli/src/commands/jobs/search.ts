import type { Cli } from '../../cli.ts';
import { type GlobalFlags, globalFlags } from '../../command.ts';
import { defineList } from '../../list-command.ts';

export const command = defineList({
  brief: 'Find anything of yours by id or name',
  examples: [
    ['search login', 'jobs, profiles, credentials, people, activities'],
    ['search j_7k2 --json', 'by the beginning of an id'],
  ],
  json: '{"items": [{"kind", "id", "title", "detail", "link"}]}',
  parameters: {
    flags: globalFlags,
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { parse: String, placeholder: 'WORD', brief: 'What to look for' },
    },
  },
  ask: async (cli: Cli, { server }: GlobalFlags, ...words: [string, ...string[]]) =>
    (await cli.api(server)).client.system.search({ q: words.join(' ') }),
  empty: 'Nothing found.',
  row: ({ kind, id, title, detail }, { terminal }) => [
    kind,
    id,
    `${title}${detail === '' ? '' : `  ${terminal.color.dim(detail)}`}`,
  ],
  next({ items }) {
    const job = items.find(({ kind }) => kind === 'job');
    return [job === undefined ? 'hangar jobs' : `hangar status ${job.id}`];
  },
});
