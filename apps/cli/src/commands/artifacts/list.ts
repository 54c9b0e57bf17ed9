import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { jobArgument, newestJob } from '../../jobs/job-id.ts';
import { ago, bytes, table } from '../../terminal/words.ts';

export const command = defineCommand<GlobalFlags, [string?]>({
  brief: 'List the artifacts of a job',
  examples: [
    ['artifacts list j_7k2m9p4x', 'what the job left behind'],
    ['artifacts list --json', 'of your newest job here, for programs'],
  ],
  about: ['An agent leaves a file by writing it into the folder $HANGAR_ARTIFACTS. The diff is an artifact too.'],
  json: '{"items": [{"name", "kind", "contentType", "sizeBytes", "sha256", "partial", "createdAt"}]}',
  parameters: {
    flags: globalFlags,
    positional: {
      kind: 'tuple',
      parameters: [{ ...jobArgument, optional: true, brief: 'The job; your newest of this repository when left out' }],
    },
  },
  async run(flags, given) {
    const { terminal } = this;
    const { client } = await this.api(flags.server);
    const id = given ?? (await newestJob(this, flags.server));
    const { items } = await client.jobs.artifacts({ id });
    if (flags.json) return terminal.json({ items });
    if (items.length === 0) terminal.note('No artifacts.');
    const rows = items.map(({ name, kind, sizeBytes, partial, createdAt }) => [
      name,
      kind,
      bytes(sizeBytes),
      `${ago(createdAt)}${partial ? ', partial' : ''}`,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    if (items.length > 0) terminal.next(`hangar artifacts download ${id} ${items[0]?.name}`);
    else terminal.next(`hangar status ${id}`);
  },
});
