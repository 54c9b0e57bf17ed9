import type { Checkout } from '../checkout/checkout.ts';
import type { Cli } from '../cli.ts';
import { endProcesses } from './end-processes.ts';
import { findLocalRun, type KeptRun, keepLocalRun, type LocalRun, localRuns } from './local-runs.ts';
import { abandonedFolders, removeWorkFolder } from './work-folder.ts';

/**
 * Ends what killed commands have left behind on this machine: agents that still work, and the folders they work in. Says what is kept.
 * Every command that looks at runs on this machine comes by here first.
 */
export async function endLostRuns(cli: Cli, checkout: Checkout | null): Promise<void> {
  for (const { dir, runId } of abandonedFolders()) {
    endProcesses(runId, dir, 'only of the run');
    removeWorkFolder(dir);
  }
  for (const run of checkout === null ? [] : await localRuns(cli, checkout)) {
    if (run.state !== 'lost' || run.dir === null) continue;
    endProcesses(run.id, run.dir, 'only of the run');
    removeWorkFolder(run.dir);
    // Of another user's clone it stays; the next look does this again.
    await keepLocalRun({ ...run, dir: null }).catch(() => undefined);
    cli.terminal.note(
      `${run.id} was killed before it had ended. What it left running was ended and its work folder removed; kept are ${keptOf(run)}.`,
    );
  }
}

const keptOf = ({ id, diff }: LocalRun): string =>
  diff === null
    ? `its log (hangar logs ${id})`
    : `its log (hangar logs ${id}) and the last diff it had saved (hangar pull ${id})`;

/**
 * A run on this machine as it stands, after what killed commands left behind is gone.
 * @throws HangarError job_not_found
 */
export async function needLocalRun(cli: Cli, id: string): Promise<KeptRun> {
  const checkout = await cli.checkout();
  await endLostRuns(cli, checkout);
  return findLocalRun(cli, checkout, id);
}
