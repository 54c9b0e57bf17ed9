import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HangarError, type MachineCapabilities } from '@hangar/contract';
import type { Channel, Exit, Machine } from '../port/machine.ts';

/** What Daytona's label of a line and the line itself have room in. */
const ONE_WRITE = 4096 - 3;

export interface ProcessMachineOptions {
  readonly env: Readonly<Record<string, string>>;
  /**
   * As E2B and Daytona do it: what is no UTF-8 comes out broken, output comes in whole lines and always ends in one, NULs are lost,
   * of a line longer than one write the rest may come with the other stream (here it is lost), and nothing can be written to a process.
   */
  readonly text?: boolean;
  /** Banners of a login shell on both streams, before anything else. */
  readonly noisy?: boolean;
  /** Breaks channels: called for each, for the number of bytes of output after which it breaks. */
  readonly breaks?: () => number;
  /** Runs argv as given when not said. */
  readonly wrap?: (argv: readonly [string, ...string[]]) => [string, ...string[]];
  readonly isGone?: () => boolean;
}

/** A machine that is this one: what a driver brings at the least, over child processes. */
export function processMachine(o: ProcessMachineOptions): Machine {
  const capabilities: MachineCapabilities = {
    stdio: o.text ? 'text' : 'binary',
    stdin: o.text ? 'none' : 'stream',
    stderr: !o.text,
    terminal: false,
    user: false,
    load: 'probe',
    openAtOnce: null,
    argumentBytes: 131_071,
  };
  const refuse = () => {
    if (o.isGone?.()) throw new HangarError('sandbox_gone');
  };
  return {
    capabilities,
    async open(argv, { stdin, signal }) {
      signal.throwIfAborted();
      refuse();
      if (stdin && o.text) throw new HangarError('unsupported');
      const [file, ...args] = o.wrap?.(argv) ?? argv;
      const child = spawn(file, args, {
        env: { ...o.env },
        cwd: '/',
        detached: true,
        stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      });
      return channelOf(child, o);
    },
    ...(o.text
      ? {
          async writeFile(path: string, body: Readable, { signal }: { signal: AbortSignal }) {
            refuse();
            const file = createWriteStream(path);
            const closed = new Promise<void>((done) => file.once('close', () => done()));
            await pipeline(body, file, { signal }).catch(async (error: NodeJS.ErrnoException) => {
              // A file that is being opened is there only afterwards: until then nobody can remove it.
              await closed;
              throw error.code === 'ENOSPC' ? new HangarError('disk_full', { cause: error }) : error;
            });
          },
          async readFile(path: string, { signal }: { signal: AbortSignal }) {
            refuse();
            return createReadStream(path, { signal });
          },
        }
      : {}),
  };
}

function channelOf(child: ChildProcess, o: ProcessMachineOptions): Channel {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('The child has no pipes.');
  let broken: HangarError | null = null;
  let left = o.breaks?.() ?? Number.POSITIVE_INFINITY;
  const outs = [
    passing(o, 'Welcome to the machine\n', breaking),
    passing(o, 'pyenv: no such command\n', breaking),
  ] as const;
  function breaking(bytes: number): boolean {
    left -= bytes;
    if (broken === null && left > 0) return false;
    broken ??= new HangarError(o.isGone?.() ? 'sandbox_gone' : 'connection_lost');
    close();
    return true;
  }
  // As connections do it: what listens is gone, the process is not told.
  function close() {
    for (const stream of [child.stdin, stdout, stderr, ...outs]) stream?.destroy();
    child.unref();
    reject(broken ?? new HangarError('connection_lost', { message: 'It was closed.' }));
  }
  let reject: (error: unknown) => void = () => undefined;
  const exit = new Promise<Exit>((resolve, fail) => {
    reject = fail;
    child.on('error', (error: NodeJS.ErrnoException) =>
      fail(
        new HangarError(error.code === 'E2BIG' ? 'command_too_long' : 'driver_unavailable', { message: error.message }),
      ),
    );
    child.on('exit', (code, signal) => {
      if (o.isGone?.()) fail(new HangarError('sandbox_gone'));
      else resolve({ code, signal });
    });
  });
  exit.catch(() => undefined);
  stdout.on('error', () => undefined).pipe(outs[0]);
  (o.text ? stderr.on('error', () => undefined).resume() : stderr.on('error', () => undefined)).pipe(outs[1]);
  return { stdin: child.stdin, stdout: outs[0], stderr: outs[1], exit, close };
}

function passing(o: ProcessMachineOptions, banner: string, breaking: (bytes: number) => boolean): Transform {
  let rest = '';
  const lines = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (breaking(chunk.length)) return;
      if (!o.text) return done(null, chunk);
      const parts = (rest + chunk.toString('utf8').replaceAll('\0', '')).split('\n');
      rest = parts.pop() ?? '';
      done(null, parts.map((line) => `${line.slice(0, ONE_WRITE)}\n`).join(''));
    },
    flush(done) {
      done(null, rest === '' ? undefined : `${rest}\n`);
    },
  });
  if (o.noisy) lines.push(banner);
  return lines.on('error', () => undefined);
}
