import { stat } from 'node:fs/promises';
import type { SweepReport, UnitKey, Units } from '../../port/unit.ts';
import { readMarkers } from '../../process/index.ts';
import { UNIT_MARKER } from './end-unit.ts';
import { listUnits, parseUnitName, unitFolder, unitName } from './unit-folder.ts';

/** Longer than the test of a profile takes. */
const TESTED_MS = 150_000;

/** Of a unit that nobody owns another server on this machine may be in the middle: the probe of a profile. */
async function mayBeTested(parts: { unitsDir: string; socketDir: string | null }, unit: UnitKey): Promise<boolean> {
  if (parts.socketDir !== null) return false;
  const found = await stat(unitFolder(parts.unitsDir, unit).root).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs < TESTED_MS;
}

/** Units are found by their folders and, where somebody removed the folder, by what their processes carry. */
export async function sweepUnits(
  parts: { unitsDir: string; instanceId: string; socketDir: string | null; launching: ReadonlyMap<string, unknown> },
  units: Pick<Units, 'remove'>,
  isOwned: (unit: UnitKey) => Promise<boolean>,
  signal: AbortSignal,
): Promise<SweepReport> {
  const found = new Map((await listUnits(parts.unitsDir)).map((unit) => [unitName(unit), unit]));
  const ours = `${parts.instanceId}/`;
  for (const marker of (await readMarkers(UNIT_MARKER)).values()) {
    const unit = marker.startsWith(ours) ? parseUnitName(marker.slice(ours.length)) : null;
    if (unit) found.set(unitName(unit), unit);
  }
  const removed: string[] = [];
  let kept = 0;
  for (const [name, unit] of found) {
    signal.throwIfAborted();
    if (parts.launching.has(name) || (await isOwned(unit)) || (await mayBeTested(parts, unit))) {
      kept += 1;
      continue;
    }
    await units.remove(unit, { signal });
    removed.push(`unit ${name}`);
  }
  return { removed, kept };
}
