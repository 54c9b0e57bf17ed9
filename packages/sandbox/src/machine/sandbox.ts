import type { Brought } from '../port/brought.ts';
import type { Machine } from '../port/machine.ts';
import { createPrograms } from './brought-programs.ts';
import { createExecutions } from './executions.ts';
import { createFiles } from './files.ts';
import { createLoad } from './load.ts';
import { readPlatform } from './platform.ts';
import { createTalk } from './talk.ts';
import type { Sandbox } from './types.ts';

/**
 * A machine with all that is written once above its driver. Opening asks nothing of it. Keeps nothing that another one opened on the same
 * machine would need: one is opened anew after a restart.
 * @param o.brought the programs that may be run in it; none but the probe when left out
 * @param o.folder where spools lie, private to the account; found out when left out. The same each time: executions are found in it.
 */
export function openSandbox(
  machine: Machine,
  o: { readonly folder?: string; readonly brought?: Pick<Brought, 'programs' | 'nodeFile'> } = {},
): Sandbox {
  const talk = createTalk(machine, o.folder);
  return {
    executions: createExecutions(talk),
    files: createFiles(talk),
    programs: createPrograms(talk, o.brought ?? { programs: {}, nodeFile: process.execPath }),
    platform: (call) => readPlatform(talk, call),
    load: createLoad(talk),
  };
}
