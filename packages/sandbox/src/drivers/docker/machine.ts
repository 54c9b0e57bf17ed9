import type { Socket } from 'node:net';
import { HangarError, type MachineCapabilities } from '@hangar/contract';
import { z } from 'zod';
import type { Channel, Machine, OpenOptions } from '../../port/machine.ts';
import { EngineError } from './engine.ts';
import { isStatus } from './errors.ts';
import { createExecChannel, resizeExec } from './exec-channel.ts';
import { asMachineError, type MachineEngine, whyShut } from './exec-state.ts';
import { createLoad } from './load.ts';

export type { MachineEngine } from './exec-state.ts';

/** Linux takes no longer argument: 32 pages with the zero at its end. */
const ARGUMENT_BYTES = 131_071;
const START_DEADLINE_MS = 60_000;
/** In place of ^P^Q, which leaves a terminal: shells and editors use those. There is no way to have none. */
const DETACH_KEYS = 'ctrl-^,ctrl-_,ctrl-^,ctrl-_,ctrl-^,ctrl-_';

export const CAPABILITIES: MachineCapabilities = {
  ...{ stdio: 'binary', stdin: 'stream', stderr: true, terminal: true, user: true, load: 'native' },
  ...{ openAtOnce: null, argumentBytes: ARGUMENT_BYTES },
};

const Identified = z.object({ Id: z.string().regex(/^[\w-]+$/) });

/**
 * A running container as a machine. A program that cannot be run is an exit, as in a shell: 127 when there is none, 126
 * when it, its account or its folder is no good, and why is in stderr. `open` listens to its signal until the process is
 * under way; from then on the channel lives until the process ends or `close()`.
 *
 * @param container name or id
 */
export function createDockerMachine({ engine, container }: { engine: MachineEngine; container: string }): Machine {
  const path = `/containers/${encodeURIComponent(container)}`;

  /** @throws HangarError */
  async function refuse(error: unknown, signal: AbortSignal): Promise<never> {
    const why = isStatus(error, 404, 409) ? await whyShut(engine, container, signal) : null;
    throw why ?? asMachineError(error, engine.host);
  }

  async function create(argv: readonly string[], o: OpenOptions): Promise<string> {
    const made = await engine.json('POST', `${path}/exec`, {
      body: {
        ...{ Cmd: argv, AttachStdin: o.stdin, AttachStdout: true, AttachStderr: true },
        ...(o.user === undefined ? {} : { User: o.user }),
        ...(o.terminal ? { Tty: true, DetachKeys: DETACH_KEYS, ...consoleSize(o.terminal) } : {}),
      },
      signal: o.signal,
    });
    return Identified.parse(made).Id;
  }

  async function start(id: string, o: OpenOptions): Promise<Socket> {
    try {
      return await engine.upgrade(`/exec/${id}/start`, {
        body: { Detach: false, Tty: o.terminal !== undefined, ...consoleSize(o.terminal) },
        signal: o.signal,
        deadlineMs: START_DEADLINE_MS,
      });
    } catch (error) {
      o.signal.throwIfAborted();
      if (error instanceof EngineError) throw error;
      // It may have begun: who tries again must know that.
      const message = `The connection to ${container} broke while a process was started in it.`;
      throw new HangarError('connection_lost', { message, cause: error });
    }
  }

  return {
    capabilities: CAPABILITIES,
    load: createLoad(engine, container),

    async open(argv, o): Promise<Channel> {
      const longest = Math.max(...argv.map((argument) => Buffer.byteLength(argument)));
      if (longest > ARGUMENT_BYTES) {
        const message = `An argument of the command has ${longest} bytes; a machine takes ${ARGUMENT_BYTES}.`;
        throw new HangarError('command_too_long', { message });
      }
      const id = await create(argv, o).catch((error: unknown) => refuse(error, o.signal));
      const socket = await start(id, o).catch((error: unknown) => refuse(error, o.signal));
      const terminal = o.terminal !== undefined;
      const channel = createExecChannel({
        ...{ engine, container, id, output: socket, socket, stdin: o.stdin, terminal },
      });
      if (o.terminal === undefined) return channel;
      try {
        // Engines before 23 do not read the size at the start.
        await resizeExec(engine, id, o.terminal, o.signal);
        return channel;
      } catch (error) {
        channel.close();
        return refuse(error, o.signal);
      }
    },
  };
}

const consoleSize = (size: OpenOptions['terminal']) => (size ? { ConsoleSize: [size.rows, size.columns] } : {});
