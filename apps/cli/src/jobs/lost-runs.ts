import type { Checkout } from '../checkout/checkout.ts';
import { needCheckout } from '../checkout/checkout.ts';
import type { Cli } from '../cli.ts';
import { endProcesses } from './end-processes.ts';
import { findLocalRun, keepLocalRun, type LocalRun, localRuns } from './local-runs.ts';
import { abandonedFolders, removeWorkFolder } from './work-folder.ts';

/**
 * Ends what killed commands have left behind on this machine: agents that still work, and the folders they work in. Says what is kept.
 * Every command that looks at runs on this machine comes by here first.
 */
export async function endLostRuns({ terminal }: Cli, checkout: Checkout | null): Promise<void> {
  for (const { dir, runId } of abandonedFolders()) {
    endProcesses(runId, dir, 'only of the run');
    removeWorkFolder(dir);
  }
  for (const run of checkout === null ? [] : await localRuns(checkout)) {
    if (run.state !== 'lost' || run.dir === null) continue;
    endProcesses(run.id, run.dir, 'only of the run');
    removeWorkFolder(run.dir);
    await keepLocalRun(checkout as Checkout, { ...run, dir: null });
    terminal.note(
      `${run.id} was killed before it had ended. What it left running was ended and its work folder removed; kept are ${keptOf(run)}.`,
    );
  }
}

const keptOf = ({ id, diff }: LocalRun): string =>
  diff === null
    ? `its log (hangar logs ${id})`
    : `its log (hangar logs ${id}) and the last diff it had saved (hangar pull ${id})`;

/**
 * A run of this checkout as it stands, after what killed commands left behind is gone.
 * @throws HangarError not_a_checkout, job_not_found
 */
export async function needLocalRun(cli: Cli, id: string): Promise<{ checkout: Checkout; run: LocalRun }> {
  const checkout = needCheckout(await cli.checkout());
  await endLostRuns(cli, checkout);
  return { checkout, run: await findLocalRun(checkout, id) };
}
