import type { JobState } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../cli.ts';

/** The argument that names a job: an id, or the address of its page. */
export const jobArgument = { placeholder: 'ID', parse: parseJobId, proposeCompletions: proposeJobs } as const;

/** @throws HangarError usage */
export function parseJobId(text: string): string {
  const id = /^(?:https?:\/\/\S*\/)?([jl]_[0-9a-z]{6,40})(?:[/?#]\S*)?$/.exec(text)?.[1];
  if (id !== undefined) return id;
  throw new HangarError('usage', {
    message: `${JSON.stringify(text)} is not the id of a job; ids look like j_7k2m9p4x.`,
    wayOut: 'See the ids: hangar jobs',
  });
}

/** A run on this machine (hangar run without --cloud): it lives in the git folder, no server knows it. */
export const isLocalRun = (id: string): boolean => id.startsWith('l_');

/** Ids for shell completion; an empty list where the server is away. */
async function proposeJobs(this: Cli): Promise<readonly string[]> {
  try {
    const { client } = await this.api(undefined);
    return (await client.jobs.list({ limit: 30 })).items.map(({ id }) => id);
  } catch {
    return [];
  }
}

/**
 * The newest of my jobs in this repository, for a command that was given no id. Says on stderr which one it took.
 * @throws HangarError job_not_found
 */
export async function newestJob(cli: Cli, server: string | undefined, states?: JobState[]): Promise<string> {
  const { client } = await cli.api(server);
  const checkout = await cli.checkout();
  const repo = checkout === null ? undefined : await (await import('../checkout/checkout.ts')).nameOf(checkout);
  const { items } = await client.jobs.list({
    limit: 1,
    ...(repo === undefined ? {} : { repo }),
    ...(states === undefined ? {} : { state: states }),
  });
  const [job] = items;
  if (job === undefined)
    throw new HangarError('job_not_found', {
      message: `You have no ${states === undefined ? 'job' : 'finished job'}${repo === undefined ? '' : ` of ${repo}`} on this server.`,
      wayOut: 'Send one: hangar run --cloud --spec SPEC.md, or name one: hangar jobs',
    });
  cli.terminal.note(
    `${job.id}, your newest${states === undefined ? '' : ' finished'} job${repo === undefined ? '' : ` of ${repo}`}: ${job.title}`,
  );
  return job.id;
}
