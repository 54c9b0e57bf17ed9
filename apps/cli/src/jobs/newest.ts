import type { Job } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { FINAL_STATES } from '@hangar/contract/state-words';
import type { Checkout } from '../checkout/checkout.ts';
import type { Cli } from '../cli.ts';
import { newestOf } from './job-id.ts';
import type { LocalRun } from './local/local-runs.ts';

interface Which {
  /** Only what has ended. */
  readonly ended: boolean;
}

/**
 * The id of the newest of my jobs of this repository and of the runs on this machine, for a command that was given none; says on
 * stderr which it took. A server that nobody signed in to is not asked; one that was named is the only one that is.
 * @throws HangarError job_not_found, not_signed_in
 */
export async function newestHere(cli: Cli, server: string | undefined, { ended }: Which): Promise<string> {
  const checkout = await cli.checkout();
  const run = server !== undefined || checkout === null ? null : await newestRun(cli, checkout, ended);
  const job = await newestJob(cli, server, checkout, run, ended);
  if (job !== null && (run === null || Date.parse(job.createdAt) >= Date.parse(run.startedAt))) {
    const repo = await repoOf(checkout);
    cli.terminal.note(
      `${job.id}, your newest${ended ? ' finished' : ''} job${repo === null ? '' : ` of ${repo}`}: ${job.title}`,
    );
    return job.id;
  }
  if (run !== null) {
    cli.terminal.note(`${run.id}, the newest run here: ${run.title}`);
    return run.id;
  }
  const repo = await repoOf(checkout);
  throw new HangarError('job_not_found', {
    message: `You have no ${ended ? 'finished job' : 'job'}${repo === null ? '' : ` of ${repo}`} on this server${checkout === null ? '' : ', and there was no run of it on this machine'}.`,
    wayOut: 'Send one: hangar run --cloud --spec SPEC.md, or name one: hangar jobs',
  });
}

async function newestRun(cli: Cli, checkout: Checkout, ended: boolean): Promise<LocalRun | null> {
  const [{ settledRuns }, { hasResult }] = await Promise.all([
    import('./local/lost-runs.ts'),
    import('./local/local-runs.ts'),
  ]);
  return (await settledRuns(cli, checkout)).find((run) => !ended || hasResult(run)) ?? null;
}

/** null: there is none, or there is no server to ask. */
async function newestJob(
  cli: Cli,
  server: string | undefined,
  checkout: Checkout | null,
  run: LocalRun | null,
  ended: boolean,
): Promise<Job | null> {
  const api = await cli.api(server).catch((error: unknown) => {
    // Who is signed in cannot be read: runs on this machine need nobody.
    if (run === null || server !== undefined || !isAway(error)) throw error;
    cli.terminal.warn(`only runs on this machine were looked at. ${error.message}`);
    return null;
  });
  if (api === null) return null;
  if (api.identity === 'none' && server === undefined) {
    if (run !== null) return null;
    throw new HangarError('not_signed_in', {
      message: `${checkout === null ? 'This is no checkout' : 'There was no run of this repository on this machine'}, and you are not signed in to ${api.server}.`,
      wayOut: 'Run one: hangar run --spec SPEC.md, or sign in: hangar cloud login',
    });
  }
  try {
    return await newestOf(api, checkout, ended ? { states: [...FINAL_STATES] } : {});
  } catch (error) {
    if (run === null || !isAway(error)) throw error;
    cli.terminal.warn(`only runs on this machine were looked at. ${error.message}`);
    return null;
  }
}

const isAway = (error: unknown): error is HangarError =>
  error instanceof HangarError &&
  (error.code === 'config_invalid' || ['unavailable', 'unauthenticated'].includes(error.kind));

const repoOf = async (checkout: Checkout | null): Promise<string | null> =>
  checkout === null ? null : (await import('../checkout/checkout.ts')).nameOf(checkout);
