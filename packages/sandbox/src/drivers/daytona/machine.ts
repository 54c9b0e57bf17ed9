import type { Sandbox } from '@daytona/sdk';
import { HangarError, type MachineCapabilities } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Load, Machine } from '../../port/machine.ts';
import type { CallOptions } from '../../port/unit.ts';
import { type Client, within } from './client.ts';
import { isMissing, reading, told } from './errors.ts';
import { createFiles } from './files.ts';
import type { MachineParts } from './parts.ts';
import { openSession } from './session-channel.ts';
import { ARGUMENT_BYTES } from './shell-line.ts';
import { openTerminal } from './terminal-channel.ts';

export const DAYTONA_MACHINE: MachineCapabilities = {
  stdio: 'text',
  // Input can be sent, but never ended.
  stdin: 'none',
  stderr: true,
  terminal: true,
  user: false,
  load: 'native',
  openAtOnce: null,
  argumentBytes: ARGUMENT_BYTES,
};

/** A small program of ours, as mv. */
const SMALL_MS = 60_000;
const MOST_SAID = 4_000;
/** With two beats of the heart that nothing answered, less than 30 s. */
export const PROOF_MS = 5_000;

export function createMachine(o: {
  client: Client;
  sandbox: Sandbox;
  log: Logger;
  heartbeatMs: number;
  background: (work: Promise<unknown>) => void;
}): Machine {
  const { client, sandbox, log, heartbeatMs, background } = o;

  const parts: MachineParts = {
    ...{ sandbox, log, heartbeatMs, background },
    told: (text) => told(text, client.key),
    async proveGone(error) {
      try {
        const { state } = await within(client.sdk.get(sandbox.id), null, PROOF_MS);
        if (state === 'started') return error;
        if (state === 'destroyed' || state === 'destroying') return gone(error);
        return new HangarError('sandbox_gone', {
          message: `The sandbox ${sandbox.name} does not run: its state is ${told(String(state), client.key)}.`,
          wayOut: 'Resume it, or open another one: hangar sandbox open',
          cause: error,
        });
      } catch (asked) {
        return isMissing(asked) ? gone(error) : error;
      }
    },
    async ask(options, call) {
      try {
        return await client.ask(options, call);
      } catch (error) {
        // The proxy before a sandbox answers many things for one that is stopped or deleted.
        if (!(error instanceof HangarError) || error.code === 'driver_busy' || error.code === 'driver_auth_failed')
          throw error;
        if (reading(error.cause).code.startsWith('FILE_')) throw error;
        throw await parts.proveGone(error);
      }
    },
  };
  const gone = (cause: unknown) =>
    new HangarError('sandbox_gone', { message: `The sandbox ${sandbox.name} is not there any more.`, cause });

  async function run(argv: readonly [string, ...string[]], { signal }: CallOptions) {
    const channel = await openSession(parts, argv, { stdin: false, signal });
    let said = '';
    channel.stdout.resume();
    channel.stderr.on('data', (bytes: Buffer) => {
      if (said.length < MOST_SAID) said += bytes.toString('utf8');
    });
    try {
      const { code } = await within(channel.exit, signal, SMALL_MS);
      return { code: code ?? 1, said };
    } finally {
      channel.close();
    }
  }
  const files = createFiles(parts, run);

  return {
    capabilities: DAYTONA_MACHINE,

    async open(argv, options) {
      if (options.user !== undefined) {
        throw new HangarError('unsupported', { message: 'Daytona runs all commands as the account of the sandbox.' });
      }
      const { terminal } = options;
      if (terminal) return openTerminal(parts, argv, { ...options, terminal });
      if (options.stdin) {
        throw new HangarError('unsupported', {
          message: 'A command in Daytona can be sent input, but no end of it.',
          wayOut: 'Bring the input as a file.',
        });
      }
      return openSession(parts, argv, options);
    },

    writeFile: (path, body, options) => files.write(path, body, options),
    readFile: (path, options) => files.read(path, options),

    async load({ signal }): Promise<Load> {
      const seen = await parts.ask({ signal, doing: 'tell its load' }, () => sandbox.getMetricsLatest());
      // The SDK says 0 for what did not come.
      const most = (value: number) => (Number.isFinite(value) && value > 0 ? value : null);
      const used = (value: number, of: number) => (most(of) !== null && Number.isFinite(value) ? value : null);
      const cpus = used(seen.cpuUsedPct, seen.cpuCount);
      return {
        at: Number.isFinite(seen.timestamp.getTime()) ? seen.timestamp : new Date(),
        ...{ cpus: cpus === null ? null : (cpus / 100) * seen.cpuCount, cpusMost: most(seen.cpuCount) },
        ...{ memoryBytes: used(seen.memUsed, seen.memTotal), memoryMost: most(seen.memTotal) },
        ...{ diskBytes: used(seen.diskUsed, seen.diskTotal), diskMost: most(seen.diskTotal) },
      };
    },
  };
}
