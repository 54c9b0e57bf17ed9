import { formatBytes } from '@hangar/contract/words/size';
import { relativeTime } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { isLocalRun, jobArgument } from '../../jobs/job-id.ts';
import { table } from '../../terminal/words.ts';

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
    const id = given ?? (await (await import('../../jobs/newest.ts')).newestHere(this, flags.server, { ended: false }));
    const items = isLocalRun(id)
      ? await ofLocalRun(this, id)
      : (await (await this.api(flags.server)).client.jobs.artifacts({ id })).items;
    if (flags.json) return terminal.json({ items });
    if (items.length === 0) terminal.note('No artifacts.');
    const rows = items.map(({ name, kind, sizeBytes, partial, createdAt }) => [
      name,
      kind,
      formatBytes(sizeBytes),
      `${relativeTime(createdAt)}${partial ? ', partial' : ''}`,
    ]);
    for (const line of table(rows, terminal.columns)) terminal.out(line);
    if (items.length > 0) terminal.next(`hangar artifacts download ${id} ${items[0]?.name}`);
    else terminal.next(`hangar status ${id}`);
  },
});

async function ofLocalRun(cli: Cli, id: string) {
  const [{ needLocalRun }, { localArtifacts }] = await Promise.all([
    import('../../jobs/lost-runs.ts'),
    import('../../jobs/local-artifacts.ts'),
  ]);
  const run = await needLocalRun(cli, id);
  return (await localArtifacts(run)).map(({ file: _, ...artifact }) => artifact);
}
