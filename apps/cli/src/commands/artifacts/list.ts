import { formatBytes } from '@hangar/contract/words/size';
import { relativeTime } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { type GlobalFlags, globalFlags } from '../../command.ts';
import { isLocalRun, jobArgument } from '../../jobs/job-id.ts';
import { defineList } from '../../list-command.ts';

export const command = defineList({
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
  async ask(cli: Cli, { server }: GlobalFlags, given?: string) {
    const id = given ?? (await (await import('../../jobs/newest.ts')).newestHere(cli, server, { ended: false }));
    if (isLocalRun(id)) return { items: await ofLocalRun(cli, id), of: id };
    return { ...(await (await cli.api(server)).client.jobs.artifacts({ id })), of: id };
  },
  print: ({ items }) => ({ items }),
  empty: 'No artifacts.',
  row: ({ name, kind, sizeBytes, partial, createdAt }) => [
    name,
    kind,
    formatBytes(sizeBytes),
    `${relativeTime(createdAt)}${partial ? ', partial' : ''}`,
  ],
  next: ({ items: [first], of }) => [
    first === undefined ? `hangar status ${of}` : `hangar artifacts download ${of} ${first.name}`,
  ],
});

async function ofLocalRun(cli: Cli, id: string) {
  const [{ needLocalRun }, { localArtifacts }] = await Promise.all([
    import('../../jobs/local/lost-runs.ts'),
    import('../../jobs/local/local-artifacts.ts'),
  ]);
  const run = await needLocalRun(cli, id);
  return (await localArtifacts(run)).map(({ file: _, ...artifact }) => artifact);
}
