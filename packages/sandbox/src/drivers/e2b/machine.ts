import { randomBytes } from 'node:crypto';
import { HangarError, type MachineCapabilities } from '@hangar/contract';
import type { Sandbox } from 'e2b';
import { z } from 'zod';
import type { Load, Machine, OpenOptions } from '../../port/machine.ts';
import { createChannel, type OpenChannel } from './channel.ts';
import { asHangarError, isNoSandbox, messageOf, nameOf, statusOf } from './errors.ts';
import { readFile, writeFile } from './files.ts';
import { createOutlet } from './outlet.ts';
import { CALL_MS, type E2bClient } from './sdk.ts';
import { shellLine } from './shell-line.ts';
import { createWatch } from './watch.ts';

const METRICS_AGE_MS = 300_000;

export const CAPABILITIES: MachineCapabilities = {
  stdio: 'text',
  stdin: 'stream',
  stderr: true,
  terminal: true,
  user: true,
  load: 'native',
  // The SDK keeps a connection for each command that runs, and has so many.
  openAtOnce: 200,
  // All arguments go as one line of at most 128 KiB, in which a quote becomes four characters.
  argumentBytes: 96 * 1024,
};

const Sample = z.object({
  timestamp: z.date(),
  cpuUsedPct: z.number().min(0),
  cpuCount: z.number().positive(),
  memUsed: z.number().min(0),
  memTotal: z.number().min(0),
  diskUsed: z.number().min(0),
  diskTotal: z.number().min(0),
});

export function createMachine(o: { client: E2bClient; sandbox: Sandbox; watchMs?: number }): Machine {
  const { client, sandbox } = o;
  const open = new Set<OpenChannel>();
  const keepWatch = createWatch({
    everyMs: o.watchMs,
    isNeeded: () => open.size > 0,
    isThere: (call) => sandbox.isRunning(call),
    async lost(error, requestTimeoutMs) {
      const why = await proved(error, requestTimeoutMs);
      for (const one of open) one.fail(why);
    },
  });

  /** Only the control plane knows whether a machine is gone: a broken stream is the same for a restart of something on the way. */
  async function proved(error: unknown, requestTimeoutMs = CALL_MS): Promise<HangarError> {
    const said = `The connection to the E2B sandbox broke: ${messageOf(error)}`;
    try {
      const { state } = await client.Sandbox.getInfo(sandbox.sandboxId, { requestTimeoutMs });
      return new HangarError('connection_lost', {
        message: state === 'paused' ? 'The E2B sandbox is paused.' : said,
      });
    } catch (second) {
      if (isNoSandbox(second)) return new HangarError('sandbox_gone', { message: 'The E2B sandbox is gone.' });
      return new HangarError('connection_lost', { message: said });
    }
  }

  async function openError(error: unknown, { signal, user }: OpenOptions): Promise<unknown> {
    if (signal.aborted) return signal.reason;
    if (error instanceof HangarError) return error;
    if (nameOf(error) === 'AuthenticationError' && user !== undefined && /username/.test(messageOf(error))) {
      return new HangarError('validation_failed', { message: `The sandbox has no account ${JSON.stringify(user)}.` });
    }
    if (nameOf(error) === 'InvalidArgumentError') {
      return new HangarError('launch_failed', { message: `E2B cannot start the command: ${messageOf(error)}` });
    }
    const status = statusOf(error);
    if (status === 401 || status === 429) return asHangarError(error, client.about({ signal }));
    return proved(error);
  }

  return {
    capabilities: CAPABILITIES,

    async open(argv, options) {
      const { signal, terminal, user, stdin } = options;
      signal.throwIfAborted();
      const mark = `\u001ehangar-${randomBytes(12).toString('hex')}\u001e`;
      const line = shellLine(argv, mark, { terminal: terminal !== undefined });
      const begun = Promise.withResolvers<void>();
      const stdout = createOutlet(mark, begun.resolve);
      const stderr = createOutlet(mark);
      const life = new AbortController();
      const abort = () => life.abort(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      const common = {
        timeoutMs: 0,
        requestTimeoutMs: CALL_MS,
        signal: life.signal,
        ...(user === undefined ? {} : { user }),
      };
      try {
        const handle = terminal
          ? await sandbox.pty.create({
              ...common,
              ...{ cols: terminal.columns, rows: terminal.rows },
              envs: { PROMPT_COMMAND: line },
              onData: (bytes) => stdout.put(bytes),
            })
          : await sandbox.commands.run(line, {
              ...common,
              ...{ background: true, stdin },
              onStdout: (text) => stdout.put(Buffer.from(text)),
              onStderr: (text) => stderr.put(Buffer.from(text)),
            });
        const one = createChannel({
          ...{ sandbox, handle, stdout, stderr, life, proved, stdin },
          terminal: terminal !== undefined,
        });
        open.add(one);
        one.settled.then(() => open.delete(one));
        keepWatch();
        if (terminal) await beginning(one, begun.promise, signal);
        return one.channel;
      } catch (error) {
        const known = await openError(error, options);
        life.abort();
        throw known;
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },

    writeFile: (path, body, { signal }) => writeFile(sandbox, path, body, { signal, proved }),
    readFile: (path, { signal }) => readFile(sandbox, path, { signal, proved }),

    async load({ signal }): Promise<Load> {
      const start = new Date(Date.now() - METRICS_AGE_MS);
      const samples = await client.call({ signal }, (opts) =>
        client.Sandbox.getMetrics(sandbox.sandboxId, { ...opts, start }),
      );
      // The first seconds of a sandbox have none.
      const newest = Sample.safeParse(samples.toSorted((a, b) => +a.timestamp - +b.timestamp).at(-1));
      if (!newest.success) {
        const nothing = {
          cpus: null,
          cpusMost: null,
          memoryBytes: null,
          memoryMost: null,
          diskBytes: null,
          diskMost: null,
        };
        return { at: new Date(), ...nothing };
      }
      const { timestamp: at, cpuUsedPct, cpuCount, memUsed, memTotal, diskUsed, diskTotal } = newest.data;
      return {
        ...{ at, cpus: (cpuUsedPct / 100) * cpuCount, cpusMost: cpuCount },
        ...{ memoryBytes: memUsed, memoryMost: memTotal, diskBytes: diskUsed, diskMost: diskTotal },
      };
    },
  };
}

/** E2B opens a terminal with a shell only, which becomes the program before its first prompt: unless the template keeps it from it. */
async function beginning(one: OpenChannel, begun: Promise<void>, signal: AbortSignal): Promise<void> {
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => late.resolve('late'), CALL_MS);
  const aborted = () => late.reject(signal.reason);
  signal.addEventListener('abort', aborted, { once: true });
  try {
    if ((await Promise.race([begun, one.settled, late.promise])) !== 'late') return;
    one.channel.close();
    throw new HangarError('launch_failed', {
      message: 'The shell of the sandbox did not begin the command in its terminal.',
      wayOut: 'Look for what sets PROMPT_COMMAND or asks something in the profile of bash in the template.',
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
  }
}
