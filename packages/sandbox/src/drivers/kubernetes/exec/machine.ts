import { HangarError, type MachineCapabilities } from '@hangar/contract';
import type { WebSocket } from 'ws';
import type { Channel, Machine, OpenOptions } from '../../../port/machine.ts';
import type { Place } from '../unit/parts.ts';
import { createExecChannel } from './exec-channel.ts';
import { asMachineError, type ExecPod } from './exec-pod.ts';
import { PROTOCOL, resizeFrame } from './frames.ts';
import type { Starts } from './starts.ts';

/** Linux takes no longer argument: 32 pages with the zero at its end. */
const ARGUMENT_BYTES = 131_071;
/** A command is part of the address of a request, of which API servers and kubelets take 1 MB with all its headers. */
const ADDRESS_BYTES = 900_000;
const START_DEADLINE_MS = 30_000;

export const CAPABILITIES: MachineCapabilities = {
  ...{ stdio: 'binary', stdin: 'stream', stderr: true, terminal: true, user: false, load: 'probe', openAtOnce: null },
  argumentBytes: ARGUMENT_BYTES,
};

/**
 * A running pod as a machine. A program that cannot be run is an exit, as in a shell: 127 when there is none, 126 when it cannot be run,
 * and why is in stderr. `open` listens to its signal until the API server has agreed; from then on the channel lives until the process
 * ends or `close()`. How it ended comes behind what it printed: only who reads that is told.
 */
export function createPodMachine(p: {
  readonly pod: ExecPod;
  readonly place: () => Promise<Place>;
  readonly starts: Starts;
}): Machine {
  const { pod, place, starts } = p;

  async function ask(argv: readonly string[], o: OpenOptions): Promise<WebSocket> {
    const terminal = o.terminal !== undefined;
    const { connection, namespace } = await place();
    return connection.api.socket(`/api/v1/namespaces/${namespace}/pods/${pod.name}/exec`, {
      query: {
        ...{ container: 'worker', command: argv, stdin: String(o.stdin), stdout: 'true' },
        ...{ stderr: String(!terminal), tty: String(terminal) },
      },
      ...{ protocol: PROTOCOL, signal: o.signal, deadlineMs: START_DEADLINE_MS },
    });
  }

  return {
    capabilities: CAPABILITIES,

    async open(argv, o): Promise<Channel> {
      if (o.user !== undefined) {
        throw new HangarError('unsupported', { message: 'In a pod everything runs as the account of its container.' });
      }
      const longest = Math.max(...argv.map((argument) => Buffer.byteLength(argument)));
      if (longest > ARGUMENT_BYTES) {
        const message = `An argument of the command has ${longest} bytes; a machine takes ${ARGUMENT_BYTES}.`;
        throw new HangarError('command_too_long', { message });
      }
      if (
        argv.reduce((sum, argument) => sum + new URLSearchParams({ command: argument }).toString().length, 0) >
        ADDRESS_BYTES
      )
        throw new HangarError('command_too_long', { message: 'The command is longer than Kubernetes takes.' });
      const onBegun = await starts.begin(pod.uid, o.signal);
      const socket = await ask(argv, o).catch(async (error: unknown) => {
        onBegun();
        o.signal.throwIfAborted();
        const why = await pod.whyShut({ signal: o.signal }).catch(() => null);
        o.signal.throwIfAborted();
        throw why ?? asMachineError(error, 'pods/exec');
      });
      // It begins in a size of its own choice, and gets the wanted one as its first message.
      if (o.terminal) socket.send(resizeFrame(o.terminal), () => {});
      return createExecChannel({ socket, pod, stdin: o.stdin, terminal: o.terminal !== undefined, onBegun });
    },
  };
}
