import { HangarError } from '@hangar/contract';
import type { Brought, ProgramFile } from '../port/brought.ts';
import type { Program } from '../port/unit.ts';
import { PROBE_SOURCE } from './probe.ts';

/** The program that a profile's test runs; every driver has it. */
export const PROBE = 'probe';
/** Of a unit that an older server made: it ran nothing else, and did not say so. */
export const BEFORE_NAMES = 'worker';

/** All that a driver brings along, by name. */
export const programsOf = (brought: Pick<Brought, 'programs'>): Readonly<Record<string, ProgramFile>> => ({
  ...brought.programs,
  [PROBE]: { text: PROBE_SOURCE },
});

/** What a unit with this program is called where it is described: the name of what was brought, or `hold`. */
export const nameOfProgram = (program: Program): string => (program.kind === 'hold' ? 'hold' : program.name);

/** The file of a program that was brought. @throws HangarError internal when the driver was not given it */
export function programFile(brought: Pick<Brought, 'programs'>, name: string): ProgramFile {
  const found = programsOf(brought)[name];
  if (found && /^[a-z][a-z0-9-]*$/.test(name)) return found;
  throw new HangarError('internal', { message: `The driver was given no program ${name}.` });
}

/** What a unit ended as, in people's words: "The worker", "The machine". */
export const programInWords = (name: string): string => `The ${name === 'hold' ? 'machine' : name}`;
