import { Writable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { CommandHandle, Sandbox } from 'e2b';
import type { Channel, Exit, TerminalSize } from '../../port/machine.ts';
import { messageOf, nameOf } from './errors.ts';
import type { Outlet } from './outlet.ts';
import { CALL_MS } from './sdk.ts';

/** One message of standard input, before it grows by a third as base64. */
const INPUT_BYTES = 64 * 1024;
/** Control-D, which is what a terminal has in place of an end of file. */
const END_OF_INPUT = Uint8Array.of(4);

/** How Go names the signals that end a process. */
const SIGNALS: Readonly<Record<string, string>> = {
  hangup: 'SIGHUP',
  interrupt: 'SIGINT',
  quit: 'SIGQUIT',
  'illegal instruction': 'SIGILL',
  'trace/breakpoint trap': 'SIGTRAP',
  aborted: 'SIGABRT',
  'bus error': 'SIGBUS',
  'floating point exception': 'SIGFPE',
  killed: 'SIGKILL',
  'user defined signal 1': 'SIGUSR1',
  'segmentation fault': 'SIGSEGV',
  'user defined signal 2': 'SIGUSR2',
  'broken pipe': 'SIGPIPE',
  'alarm clock': 'SIGALRM',
  terminated: 'SIGTERM',
  'CPU time limit exceeded': 'SIGXCPU',
  'file size limit exceeded': 'SIGXFSZ',
};

/** E2B says -1 for what a signal ended, and the signal in words only. */
export function exitOf({ exitCode, error }: { exitCode: number; error?: string | undefined }): Exit {
  if (exitCode >= 0) return { code: exitCode, signal: null };
  const said = /^signal: (.+?)(?: \(core dumped\))?$/.exec(error ?? '')?.[1] ?? '';
  return { code: null, signal: SIGNALS[said] ?? null };
}

export interface ChannelParts {
  readonly sandbox: Sandbox;
  readonly handle: CommandHandle;
  readonly stdout: Outlet;
  readonly stderr: Outlet;
  readonly stdin: boolean;
  readonly terminal: boolean;
  /** Aborts all that hangs on the channel. */
  readonly life: AbortController;
  /** What the break of a connection means: asks whether the machine is there. */
  readonly proved: (error: unknown) => Promise<HangarError>;
}

/** A channel that its machine can end, when it finds that nothing comes any more. */
export interface OpenChannel {
  readonly channel: Channel;
  readonly settled: Promise<unknown>;
  fail(error: HangarError): void;
}

export function createChannel(parts: ChannelParts): OpenChannel {
  const { sandbox, handle, stdout, stderr, life, proved } = parts;
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);

  async function ended(): Promise<Exit> {
    try {
      const exit = await Promise.race([result(handle), broken.promise]);
      stdout.end();
      stderr.end();
      return exit;
    } catch (error) {
      const known = error instanceof HangarError ? error : await proved(error);
      stdout.fail(known);
      stderr.fail(known);
      throw known;
    } finally {
      life.abort();
    }
  }
  const exit = ended();
  // Whoever looks at the streams alone hears of it there.
  exit.catch(() => undefined);

  const fail = (error: HangarError) => {
    broken.reject(error);
    void handle.disconnect();
  };
  return {
    settled: exit.catch(() => undefined),
    fail,
    channel: {
      stdin: parts.stdin ? inputOf(sandbox, handle, parts.terminal, life.signal) : null,
      stdout: stdout.stream,
      stderr: stderr.stream,
      exit,
      ...(parts.terminal
        ? {
            async resize({ columns, rows }: TerminalSize) {
              await sandbox.pty
                .resize(handle.pid, { cols: columns, rows }, { requestTimeoutMs: CALL_MS, signal: life.signal })
                .catch(async (error: unknown) => {
                  // A terminal that has ended needs no size.
                  if (nameOf(error) !== 'NotFoundError' && !life.signal.aborted) throw await proved(error);
                });
            },
          }
        : {}),
      close() {
        if (life.signal.aborted) return;
        fail(new HangarError('connection_lost', { message: 'The connection to the process was closed here.' }));
        stdout.stream.destroy();
        stderr.stream.destroy();
      },
    },
  };
}

async function result(handle: CommandHandle): Promise<Exit> {
  try {
    return exitOf(await handle.wait());
  } catch (error) {
    // The SDK throws for each code that is not 0, with all that was printed in the error.
    if (nameOf(error) === 'CommandExitError') return exitOf(error as { exitCode: number; error?: string });
    throw error;
  }
}

/** What is written waits for the process to take it, for as long as that takes. */
function inputOf(sandbox: Sandbox, handle: CommandHandle, terminal: boolean, signal: AbortSignal): Writable {
  const opts = { requestTimeoutMs: 0, signal };
  const send = (bytes: Uint8Array) =>
    terminal ? sandbox.pty.sendInput(handle.pid, bytes, opts) : sandbox.commands.sendStdin(handle.pid, bytes, opts);
  const broken = (error: unknown) => Object.assign(new Error(`write EPIPE: ${messageOf(error)}`), { code: 'EPIPE' });
  const input = new Writable({
    highWaterMark: INPUT_BYTES,
    write(chunk: Buffer, _encoding, done) {
      const inPieces = async () => {
        for (let at = 0; at < chunk.length; at += INPUT_BYTES) await send(chunk.subarray(at, at + INPUT_BYTES));
      };
      inPieces().then(
        () => done(),
        (error: unknown) => done(broken(error)),
      );
    },
    final(done) {
      const close = terminal ? send(END_OF_INPUT) : handle.closeStdin(opts);
      close.then(
        () => done(),
        // A process that has ended reads no more.
        (error: unknown) => done(nameOf(error) === 'NotFoundError' || signal.aborted ? null : broken(error)),
      );
    },
  });
  // As with a child process: writing to one that has ended is heard by who listens, and ends nobody else.
  input.on('error', () => undefined);
  return input;
}
