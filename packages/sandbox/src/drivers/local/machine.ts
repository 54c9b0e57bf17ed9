import { type ChildProcess, spawn } from 'node:child_process';
import { HangarError, type MachineCapabilities } from '@hangar/contract';
import type { Channel, Exit, Machine } from '../../port/machine.ts';

export const CAPABILITIES: MachineCapabilities = {
  ...{ stdio: 'binary', stdin: 'stream', stderr: true, terminal: false, user: false, load: 'probe' },
  ...{ openAtOnce: null, argumentBytes: 131_071 },
};

/** How a program is started inside of a unit. */
export interface WayIn {
  /** In front of the program and its arguments. */
  readonly enter: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** The machine that a held unit is: programs are started beside its holder, in the same namespaces. */
export function createLocalMachine(o: {
  /** @throws HangarError sandbox_gone */
  readonly wayIn: () => Promise<WayIn>;
  readonly isGone: () => Promise<boolean>;
}): Machine {
  return {
    capabilities: CAPABILITIES,
    async open(argv, { stdin, terminal, user, signal }) {
      signal.throwIfAborted();
      if (terminal !== undefined || user !== undefined)
        throw new HangarError('unsupported', { message: 'The local driver opens no terminals and has one account.' });
      const { enter, env, cwd } = await o.wayIn();
      signal.throwIfAborted();
      const [file, ...args] = [...enter, ...argv] as [string, ...string[]];
      let child: ChildProcess;
      try {
        child = spawn(file, args, {
          env: { ...env },
          cwd,
          detached: true,
          stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
        });
      } catch (error) {
        throw asOpenError(error);
      }
      return channelOf(child, o.isGone);
    },
  };
}

function channelOf(child: ChildProcess, isGone: () => Promise<boolean>): Channel {
  const { stdin, stdout, stderr } = child;
  if (stdout === null || stderr === null)
    throw new HangarError('driver_unavailable', { message: 'No pipe can be had.' });
  // Told by `exit`; without a listener they would end the server.
  for (const stream of [stdin, stdout, stderr]) stream?.on('error', () => undefined);
  const { promise: exit, resolve, reject } = Promise.withResolvers<Exit>();
  exit.catch(() => undefined);
  child.on('error', (error) => reject(asOpenError(error)));
  child.on('exit', (code, signal) => {
    if (code === 0) return resolve({ code, signal });
    // The end of its namespaces looks like a signal to each process in them.
    isGone().then(
      (gone) => (gone ? reject(new HangarError('sandbox_gone')) : resolve({ code, signal })),
      () => resolve({ code, signal }),
    );
  });
  return {
    ...{ stdin, stdout, stderr, exit },
    close() {
      for (const stream of [stdin, stdout, stderr]) stream?.destroy();
      child.unref();
      reject(new HangarError('connection_lost', { message: 'It was closed.' }));
    },
  };
}

function asOpenError(error: unknown): HangarError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'E2BIG') return new HangarError('command_too_long', { cause: error });
  return new HangarError('driver_unavailable', { message: `No process can be started: ${message}.`, cause: error });
}
