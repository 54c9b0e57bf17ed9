import { isFinal } from '@hangar/contract/state-words';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { jobArgument } from '../../jobs/job-id.ts';
import { stateWord } from '../../jobs/job-words.ts';

export const command = defineCommand<GlobalFlags, string[]>({
  brief: 'Cancel a job; its partial diff is kept',
  examples: [
    ['cancel j_7k2m9p4x', 'asks the worker to stop and to save what there is'],
    ['cancel j_7k2m9p4x j_8m3n0q5y --json', 'several at once'],
  ],
  json: 'One job: the job. Several: {"items": [job, …]}.',
  parameters: {
    flags: globalFlags,
    positional: { kind: 'array', minimum: 1, parameter: { ...jobArgument, brief: 'One or more jobs' } },
  },
  async run(flags, ...ids) {
    const { client } = await this.api(flags.server);
    const jobs = [];
    for (const id of ids) {
      const job = await client.jobs.cancel({ id }, { context: { repeatable: true } });
      jobs.push(job);
      if (!flags.json)
        this.terminal.out(
          isFinal(job.state)
            ? `${job.id} ${stateWord(job.state, this.terminal.color)}`
            : `${job.id} is being cancelled.`,
        );
    }
    if (flags.json) this.terminal.json(jobs.length > 1 ? { items: jobs } : jobs[0]);
    this.terminal.next(`hangar status ${ids[0]}`, `hangar retry ${ids[0]}`);
  },
});
