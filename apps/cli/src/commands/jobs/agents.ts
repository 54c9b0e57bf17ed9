import { defineCommand, globalFlags } from '../../command.ts';
import { table } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'Agents a job can name',
  examples: [
    ['agents', 'presets of the server, and what each needs'],
    ['help agents', 'how a spec reaches them'],
  ],
  json: '{"items": [{"name", "title", "command", "needsEnv", "install", "homepage"}]}; needsEnv: at least one of each inner list must be set.',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const { items } = await client.jobs.agents({});
    if (flags.json) return terminal.json({ items });
    const rows = items.map(({ name, title, needsEnv }) => [
      terminal.color.bold(name),
      title,
      needsEnv.length === 0 ? 'needs nothing' : `needs ${needsEnv.map((any) => any.join(' or ')).join(', ')}`,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    terminal.next('hangar run --cloud --agent NAME --spec SPEC.md', 'hangar help agents');
  },
});
