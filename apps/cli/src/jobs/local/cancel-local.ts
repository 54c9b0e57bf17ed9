import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';
import { diffFileOf, type LocalRun } from './local-runs.ts';
import { needLocalRun } from './lost-runs.ts';
import { lookFor } from './run-owner.ts';

/**
 * Asks the command of a run on this machine to stop its agent and to keep what there is, as Ctrl-C does. A run that has ended stays
 * as it is.
 * @throws HangarError job_not_found; job_not_ended when its command is out of reach
 */
export async function cancelLocalRun(cli: Cli, id: string): Promise<{ run: LocalRun; diffFile: string | null }> {
  const run = await needLocalRun(cli, id);
  const asked = { run, diffFile: diffFileOf(run) };
  if (run.state !== 'running') return asked;
  const seen = lookFor(run.owner);
  if (seen === 'elsewhere')
    throw new HangarError('job_not_ended', {
      message: `${id} runs in another container or on another machine, which shares this checkout.`,
      wayOut: `Stop it there: with Ctrl-C where it was started, or hangar cancel ${id}`,
    });
  // The signal of a closed terminal: said twice, it still lets the command keep what there is.
  if (seen === 'alive') process.kill(run.owner.pid, 'SIGHUP');
  return asked;
}
