import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { jobArgument, refuseLocalRun } from '../../jobs/job-id.ts';
import { nextCommands } from '../../jobs/job-words.ts';

export const command = defineCommand<GlobalFlags, [string]>({
  brief: 'Send the same job again',
  examples: [
    ['retry j_7k2m9p4x', 'from the same commit, as a new job'],
    ['retry j_7k2m9p4x --json', 'prints the new job'],
  ],
  about: [
    'The new job starts from the base commit; nothing of the earlier run is in it. A run on this machine is not kept to be sent again: use hangar run.',
  ],
  json: 'The new job; .retryOf names the earlier one.',
  parameters: {
    flags: globalFlags,
    positional: { kind: 'tuple', parameters: [{ ...jobArgument, brief: 'The job to send again' }] },
  },
  async run(flags, id) {
    refuseLocalRun(id, 'Run it again: hangar run --spec SPEC.md');
    const { client } = await this.api(flags.server);
    const job = await client.jobs.retry({ id });
    if (flags.json) return this.terminal.json(job);
    this.terminal.out(job.id);
    this.terminal.note(`${job.title}, again.`);
    this.terminal.next(...nextCommands(job));
  },
});
