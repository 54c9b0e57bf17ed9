import { HangarError, type MachineCapabilities } from '@hangar/contract';
import type { UnitPlace } from '../../brought/remote/unit-folder.ts';
import type { Channel, Machine, TerminalSize } from '../../port/machine.ts';
import type { UnitKey } from '../../port/unit.ts';
import type { Connection } from './connection.ts';
import { whyScriptFailed } from './failures.ts';
import type { SshClient } from './master.ts';
import { checkWords, quoteForSh } from './quote.ts';
import { openSession, runScript } from './session.ts';
import { openScript } from './unit-scripts.ts';

export const CAPABILITIES: MachineCapabilities = {
  ...{ stdio: 'binary', stdin: 'stream', stderr: true, terminal: true, user: false, load: 'probe', openAtOnce: null },
  // What Linux takes, with the NUL at its end.
  argumentBytes: 131_071,
};
const RESIZE_MS = 20_000;

/** A unit as a machine: what is opened carries its marker, and is in its work folder. Without one: the machine itself, for what is the server's own. */
export function createMachine(
  client: SshClient,
  connection: () => Promise<Connection>,
  place: UnitPlace,
  key: UnitKey | null,
): Machine {
  return {
    capabilities: CAPABILITIES,

    async open(argv, o): Promise<Channel> {
      checkWords(argv);
      if (o.user !== undefined) {
        throw new HangarError('unsupported', { message: 'Over SSH everything runs as the account of the profile.' });
      }
      if (argv.some((word) => Buffer.byteLength(word) > CAPABILITIES.argumentBytes))
        throw new HangarError('command_too_long');
      const terminal = o.terminal === undefined ? null : bounded(o.terminal);
      const { note, ...session } = await openSession(client, await connection(), {
        ...{ stdin: o.stdin, terminal, signal: o.signal },
        script: (marks) => openScript(place, key, argv, { print: marks.print, terminal }),
      });
      if (terminal === null) return session;
      return {
        ...session,
        async resize(size) {
          const { rows, columns } = bounded(size);
          // Anybody can write a mark into a terminal of theirs; it is a path and no more.
          if (!/^\/dev\/[A-Za-z0-9/._-]{1,100}$/.test(note)) throw new HangarError('unsupported');
          await runScript(client, await connection(), {
            ...{ script: `stty rows ${rows} columns ${columns} <${quoteForSh(note)}`, most: 1_024 },
            ...{ signal: AbortSignal.timeout(RESIZE_MS), deadlineMs: RESIZE_MS },
            failed: (complaint, code) => whyScriptFailed('The terminal keeps its size', complaint, code),
          });
        },
      };
    },
  };
}

/** Whole numbers that a terminal can have: they become words of a script. */
function bounded(size: TerminalSize): TerminalSize {
  const within = (value: number) => Math.min(Math.max(Math.trunc(value) || 1, 1), 10_000);
  return { columns: within(size.columns), rows: within(size.rows) };
}
