import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { table } from '../../terminal/words.ts';

export const command = defineCommand<GlobalFlags, [string, ...string[]]>({
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
  async run(flags, ...words) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items } = await client.system.search({ q: words.join(' ') });
    if (flags.json) return terminal.json({ items });
    if (items.length === 0) terminal.note('Nothing found.');
    const rows = items.map(({ kind, id, title, detail }) => [
      kind,
      id,
      `${title}${detail === '' ? '' : `  ${terminal.color.dim(detail)}`}`,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    const job = items.find(({ kind }) => kind === 'job');
    terminal.next(job === undefined ? 'hangar jobs' : `hangar status ${job.id}`);
  },
});
