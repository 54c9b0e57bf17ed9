import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import {
  isSame,
  listProcesses,
  type ProcessEntry,
  processesInside,
  processMarkedWith,
  signalTo,
} from '../../process/index.ts';
import { readClaim, type UnitFolder } from './unit-folder.ts';

/** In the environment of every process of a unit: `<instance>/<id>-<attempt>`. */
export const UNIT_MARKER = 'HANGAR_UNIT';

/** Programs that stand between the starting shell and that of the unit. */
const WRAPPERS = new Set(['timeout', 'bwrap', 'setpriv', 'prlimit']);
const KILL_DEADLINE_MS = 15_000;

/** TERM to the unit's program, time to save its work, then KILL until nothing of the unit is left. */
export async function endUnit(
  folder: UnitFolder,
  marker: string,
  o: { graceMs: number; signal: AbortSignal },
): Promise<void> {
  const claim = await readClaim(folder);
  if (claim && (await isSame(claim))) {
    const program = o.graceMs > 0 ? await findProgram(claim.pid) : null;
    if (program !== null) signalTo(program, 'SIGTERM');
    const graceEnds = performance.now() + (program === null ? 0 : o.graceMs);
    while ((await isSame(claim)) && performance.now() < graceEnds) await sleep(20, undefined, { signal: o.signal });
    // The group is the shell, bubblewrap's outer half and what stayed with them. With that half dies all within.
    if (await isSame(claim)) signalTo(-claim.pid, 'SIGKILL');
  }
  await killStragglers(folder, marker, o.signal);
}

/** Kills what left the group. Twice nothing in a row, because a fork may happen between reading and killing. */
async function killStragglers(folder: UnitFolder, marker: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + KILL_DEADLINE_MS;
  for (let quiet = 0; quiet < 2; ) {
    const left = await unitProcesses(folder, marker);
    quiet = left.length === 0 ? quiet + 1 : 0;
    for (const pid of left) signalTo(pid, 'SIGKILL');
    if (left.length > 0 && performance.now() > deadline) {
      throw new HangarError('driver_unavailable', { message: `Processes of the unit do not end: ${left.join(', ')}.` });
    }
    if (left.length > 0) await sleep(20, undefined, { signal });
  }
}

/** Living processes of the unit, by what they inherited. */
async function unitProcesses(folder: UnitFolder, marker: string): Promise<number[]> {
  return [...new Set([...(await processMarkedWith(UNIT_MARKER, marker)), ...(await processesInside(folder.root))])];
}

/** From the shell down through the wrappers; of several children the eldest is what was started, others are orphans. */
async function findProgram(shell: number): Promise<number | null> {
  const all = await listProcesses();
  const eldestChild = (parent: number): ProcessEntry | undefined =>
    all
      .filter((entry) => entry.parent === parent && !entry.zombie)
      .sort((a, b) => Number(a.started) - Number(b.started) || a.pid - b.pid)[0];
  let current = eldestChild(shell);
  while (current && WRAPPERS.has(current.name)) current = eldestChild(current.pid);
  return current?.pid ?? null;
}
