import { randomBytes } from 'node:crypto';
import { HangarError } from '@hangar/contract';
import { nameOfProgram, programFile } from '../../brought/programs.ts';
import { readProgramState } from '../../brought/remote/program-state.ts';
import type { RemotePrograms } from '../../brought/remote/programs.ts';
import { type UnitPlace, unitName } from '../../brought/remote/unit-folder.ts';
import { createTalk } from '../../machine/talk.ts';
import type { Brought } from '../../port/brought.ts';
import type { CallOptions, UnitKey, Units } from '../../port/unit.ts';
import type { Connection } from './connection.ts';
import { printable, whyScriptFailed } from './failures.ts';
import { createMachine } from './machine.ts';
import type { SshClient } from './master.ts';
import { runScript } from './session.ts';
import * as scripts from './unit-scripts.ts';

const CALL_MS = 60_000;
/** A large tree takes its time to go. */
const REMOVE_MS = 600_000;
const LONGEST_LIST = 4 * 1024 * 1024;

/** What one profile brings: the programs, and how they reach this server. */
export interface Bringing {
  readonly brought: Brought;
  readonly programs: RemotePrograms;
  /** @throws HangarError launch_failed when there is no way to it */
  readonly url: () => string;
}

/** Units as folders of an account, in which a program may run that was brought. */
export function createUnits(
  client: SshClient,
  connection: () => Promise<Connection>,
  place: UnitPlace,
  { brought, programs, url }: Bringing,
  making: Map<string, number>,
): Units {
  // What is the server's own carries the marker of no unit, or would be ended with it.
  const { ask } = createTalk(createMachine(client, connection, place, null), undefined);

  async function run(what: string, script: string, o: CallOptions, how: { deadlineMs?: number; most?: number } = {}) {
    return runScript(client, await connection(), {
      ...{ script, signal: o.signal, deadlineMs: how.deadlineMs ?? CALL_MS, most: how.most ?? 4_096 },
      failed: (complaint, code) =>
        code === scripts.ENSURED.noProc
          ? new HangarError('unsupported', {
              message: 'The machine has no /proc: only Linux finds the processes of a unit again.',
              wayOut: 'Choose a machine with Linux.',
            })
          : whyScriptFailed(what, complaint, code),
    });
  }

  const units: Units = {
    async ensure(spec, o) {
      checkKey(spec.key);
      const { program } = spec;
      // Before anything is made: what it lacks is known here.
      if (program.kind === 'brought') programFile(brought, program.name);
      const toServer = program.kind === 'brought' ? url() : null;
      const name = unitName(spec.key);
      making.set(name, (making.get(name) ?? 0) + 1);
      try {
        const script = scripts.ensureScript(place, spec.key, {
          ...{ deadlineSeconds: spec.deadlineSeconds, nonce: randomBytes(6).toString('hex') },
          program: nameOfProgram(program),
        });
        if (toServer !== null) await programs.ready(ask, o);
        await run('The folder of the unit cannot be made', script, o);
        if (toServer !== null) await programs.start(ask, spec, toServer, o);
      } finally {
        const left = (making.get(name) ?? 1) - 1;
        if (left === 0) making.delete(name);
        else making.set(name, left);
      }
    },

    async inspect(key, o) {
      checkKey(key);
      const said = await run('The unit cannot be looked at', scripts.inspectScript(place, key), o, { most: 16_384 });
      const [, program, told] = /^program ([a-z][a-z0-9-]*)\n(.*)$/s.exec(said) ?? [];
      if (program !== undefined && told !== undefined) return readProgramState(program, told);
      const [state, ...reason] = said.trim().split(' ');
      if (state === 'missing' || state === 'running') return { kind: state };
      if (state === 'exited') {
        return {
          kind: 'exited',
          exitCode: null,
          outOfMemory: false,
          reason: printable(reason.join(' ')) || 'It has ended.',
        };
      }
      throw new HangarError('launch_failed', { message: `The machine says of the unit: ${printable(said)}` });
    },

    async lastWords(key, o) {
      checkKey(key);
      return programs.lastWords(ask, key, o);
    },

    async stop(key, o) {
      checkKey(key);
      const graceSeconds = Math.max(0, Math.ceil(o.graceMs / 1000));
      const deadlineMs = CALL_MS + graceSeconds * 1000;
      await run('The unit does not end', scripts.stopScript(place, key, graceSeconds), o, { deadlineMs });
    },

    async remove(key, o) {
      checkKey(key);
      await run('The unit cannot be removed', scripts.removeScript(place, key), o, { deadlineMs: REMOVE_MS });
    },

    async sweep(isOwned, o) {
      const said = await run('Units cannot be listed', scripts.listScript(place), o, { most: LONGEST_LIST });
      const removed: string[] = [];
      let kept = 0;
      for (const name of new Set(said.split('\n'))) {
        const key = scripts.parseUnitName(name);
        if (!key) continue;
        o.signal.throwIfAborted();
        if (making.has(name) || (await isOwned(key))) {
          kept += 1;
          continue;
        }
        await units.remove(key, o);
        removed.push(`unit ${name}`);
      }
      for (const digest of await programs.tidy(ask, o)) removed.push(`programs ${digest}`);
      return { removed, kept };
    },

    async machine(key, o) {
      const { kind } = await units.inspect(key, o);
      if (kind !== 'running') throw new HangarError('sandbox_gone');
      return createMachine(client, connection, place, key);
    },

    serverUrl: async () => url(),
  };
  return units;
}

/** Names become folders of the machine. */
function checkKey(key: UnitKey): void {
  if (scripts.parseUnitName(unitName(key)) === null) {
    throw new HangarError('validation_failed', { message: 'The id of the unit is none that a folder can have.' });
  }
}
