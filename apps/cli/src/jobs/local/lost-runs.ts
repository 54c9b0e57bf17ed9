import type { Checkout } from '../../checkout/checkout.ts';
import type { Cli } from '../../cli.ts';
import { endProcesses } from './end-processes.ts';
import {
  findLocalRun,
  type KeptRun,
  keepLocalRun,
  type LocalRun,
  localRuns,
  ownRuns,
  readAgain,
} from './local-runs.ts';
import { noteLater } from './look-around.ts';
import { liesIn } from './run-records.ts';
import { abandonedFolders, removeWorkFolder } from './work-folder.ts';

/**
 * The runs on this machine of the repository of a checkout, newest first, after what killed commands have left behind is gone: agents
 * that still work, and the folders they work in. Says what is kept.
 */
export async function settledRuns(cli: Cli, checkout: Checkout): Promise<KeptRun[]> {
  endAbandoned();
  const runs = await localRuns(cli, checkout);
  await endLost(cli, runs);
  return runs;
}

/** Before a run: what was left behind here. Other places are asked only where a run may have ended in a copy of this checkout. */
export async function endLostHere(cli: Cli, checkout: Checkout): Promise<void> {
  endAbandoned();
  const isLeft = ({ state, dir }: KeptRun) => state === 'lost' && dir !== null;
  if ((await ownRuns(checkout.commonDir)).some(isLeft)) await endLost(cli, await localRuns(cli, checkout));
}

/** Also of runs that have no record yet. */
function endAbandoned(): void {
  for (const { dir, runId } of abandonedFolders()) {
    endProcesses(runId, dir, 'only of the run');
    removeWorkFolder(dir);
  }
}

async function endLost(cli: Cli, runs: readonly KeptRun[]): Promise<void> {
  for (const seen of runs) {
    if (seen.state !== 'lost' || seen.dir === null) continue;
    // Another look of this command may have done it.
    const run = await readAgain(seen);
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
  endAbandoned();
  const checkout = await cli.checkout();
  const run = await findLocalRun(cli, checkout, id);
  if (checkout !== null && liesIn(checkout.commonDir, run.folder)) noteLater(cli, checkout.commonDir);
  await endLost(cli, [run]);
  return run;
}
