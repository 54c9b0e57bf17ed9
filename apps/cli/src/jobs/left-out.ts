import type { DiffStat } from '@hangar/contract';
import type { Terminal } from '../terminal/terminal.ts';

/** Says what the agent made and the diff does not hold. */
export function warnOfLeftOut(terminal: Pick<Terminal, 'warn'>, diff: DiffStat | null): void {
  for (const note of diff?.leftOut ?? []) terminal.warn(`${note}.`);
}
