import type { Terminal } from '../terminal/terminal.ts';

/** Says what the agent made and the diff does not hold. */
export function warnOfLeftOut(terminal: Pick<Terminal, 'warn'>, notes: readonly string[] = []): void {
  for (const note of notes) terminal.warn(`${note}.`);
}
