import { isFinal, type JobState } from '@hangar/contract/state-words';
import { JOB_WORDS } from '@hangar/contract/words/job';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { isLocalRun, jobArgument } from '../../jobs/job-id.ts';
import { stateText } from '../../terminal/tones.ts';

export const command = defineCommand<GlobalFlags, string[]>({
  brief: 'Cancel a job; its partial diff is kept',
  examples: [
    ['cancel j_7k2m9p4x', 'asks the worker to stop and to save what there is'],
    ['cancel j_7k2m9p4x j_8m3n0q5y --json', 'several at once'],
  ],
  about: ['A run on this machine is stopped as by Ctrl-C where it was started.'],
  json: 'One job: the job. Several: {"items": [job, …]}.',
  parameters: {
    flags: globalFlags,
    positional: { kind: 'array', minimum: 1, parameter: { ...jobArgument, brief: 'One or more jobs' } },
  },
  async run(flags, ...ids) {
    const { terminal } = this;
    const jobs: unknown[] = [];
    for (const id of ids) {
      const job = await cancel(this, flags.server, id);
      jobs.push(job.json);
      if (!flags.json)
        terminal.out(
          isFinal(job.state) ? `${id} ${stateText(JOB_WORDS[job.state], terminal.color)}` : `${id} is being cancelled.`,
        );
    }
    if (flags.json) terminal.json(jobs.length > 1 ? { items: jobs } : jobs[0]);
    const [first = ''] = ids;
    terminal.next(`hangar status ${first}`, isLocalRun(first) ? `hangar logs ${first}` : `hangar retry ${first}`);
  },
});

async function cancel(cli: Cli, server: string | undefined, id: string): Promise<{ state: JobState; json: unknown }> {
  if (!isLocalRun(id)) {
    const { client } = await cli.api(server);
    const job = await client.jobs.cancel({ id });
    return { state: job.state, json: job };
  }
  const [{ cancelLocalRun }, { localJson }] = await Promise.all([
    import('../../jobs/local/cancel-local.ts'),
    import('../../jobs/local/local-words.ts'),
  ]);
  const { run, diffFile } = await cancelLocalRun(cli, id);
  return { state: run.state, json: localJson(run, diffFile) };
}
