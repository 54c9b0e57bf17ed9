import { defineList } from '../../list-command.ts';

export const command = defineList({
  brief: 'Agents a job can name',
  examples: [
    ['agents', 'presets of the server, and what each needs'],
    ['help agents', 'how a spec reaches them'],
  ],
  json: '{"items": [{"name", "title", "command", "needsEnv", "install", "homepage"}]}; needsEnv: at least one of each inner list must be set.',
  ask: async (cli, { server }) => (await cli.api(server)).client.jobs.agents({}),
  row: ({ name, title, needsEnv }, { terminal }) => [
    terminal.color.bold(name),
    title,
    needsEnv.length === 0 ? 'needs nothing' : `needs ${needsEnv.map((any) => any.join(' or ')).join(', ')}`,
  ],
  next: () => ['hangar run --cloud --agent NAME --spec SPEC.md', 'hangar help agents'],
});
