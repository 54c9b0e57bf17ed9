import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { ProcessTree } from './process-tree.ts';

/** How long the output stays silent after the end before nobody is taken to write any more. */
const DRAIN_MS = 500;
const DRAIN_STEP_MS = 50;
/** Then it is looked for who has the output open. */
const HOLDERS_AFTER_MS = 100;
/** The longest that is waited for more of it, and the most that is read: what came before the end fits into the pipe. */
const DRAIN_MOST_MS = 3000;
const DRAIN_MOST_BYTES = 4 * 1024 * 1024;
const STOPPED_DRAIN_MS = 10_000;
const UNENDING_MS = 5000;
/** Of 1000, which is half of the memory there is: also a small agent counts as larger than its worker. */
const OOM_SCORE = 500;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** A file for standard input; nothing when null. */
  readonly stdin: string | null;
  /** Put into the environment as HANGAR_JOB_MARK: how processes that leave the group are found again. */
  readonly mark: string;
}

export interface Ended {
  /** 128 + number of the signal when a signal ended it, as a shell says it. */
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | null;
  /** `stop` came while it still ran. What comes after its end does not count. */
  readonly stopped: boolean;
  /** Processes that were still there and had to be ended. */
  readonly leftRunning: number;
}

/**
 * Runs a command in a session of its own and ends its whole tree: TERM, after `graceMs` KILL, when `stop` aborts or when
 * the command itself has ended and left processes behind. `read` gets each chunk and is awaited before the next. How it ended is settled
 * when the command itself ends: a process that escaped and keeps its output open is ended too, or left to itself, but never waited for.
 * @throws HangarError agent_missing when the program is not there or cannot be run
 */
export async function runTree(
  command: Command,
  o: {
    read: (stream: 'stdout' | 'stderr', chunk: Buffer) => Promise<void>;
    stop: AbortSignal;
    graceMs: number;
    /** From a stop on, what was read has so long to find its place. */
    drainMs?: number;
  },
): Promise<Ended> {
  const input = command.stdin === null ? null : await open(command.stdin, 'r');
  let child: ChildProcess;
  let exited: ReturnType<typeof exitOf>;
  let reading: Promise<unknown>;
  let tree: ProcessTree | null;
  const pipes = new Pipes(o.read, o.drainMs ?? STOPPED_DRAIN_MS);
  try {
    child = spawn(command.file, command.args, {
      cwd: command.cwd,
      // As a shell would: some programs believe PWD, which is still the one of whoever started the worker.
      env: { ...command.env, PWD: command.cwd, HANGAR_JOB_MARK: command.mark },
      detached: true,
      stdio: [input ? input.fd : 'ignore', 'pipe', 'pipe'],
    });
    // Before anything is awaited: a short command ends while the file is closed. It says so only once, and what nobody reads by
    // then is thrown away.
    exited = exitOf(child);
    reading = Promise.all([pipes.readAll('stdout', child.stdout), pipes.readAll('stderr', child.stderr)]);
    reading.catch(() => undefined);
    const alive = () => child.exitCode === null && child.signalCode === null;
    tree = child.pid === undefined ? null : new ProcessTree(child.pid, command.mark, alive);
    // Where memory ends, the agent ends first and not the worker, which still has its diff to save.
    if (child.pid !== undefined) endsFirst(child.pid);
  } finally {
    await input?.close();
  }
  if (tree === null) return await exited.then(() => Promise.reject(new HangarError('agent_missing')));
  const stop = new Promise<void>((resolve) => {
    if (o.stop.aborted) resolve();
    else o.stop.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([exited.catch(() => undefined), stop]);
  const stopped = tree.isLeaderAlive();
  let left = await tree.end(o.graceMs);
  // One that nothing ends (it is another user's by now) is not waited for either.
  const exit = await Promise.race([exited, sleep(UNENDING_MS, { exitCode: 137, signal: 'SIGKILL' } as const)]);
  const isRead = reading.then(() => true);
  if (!(await Promise.race([isRead, sleep(HOLDERS_AFTER_MS, false)]))) left += await tree.endHolders();
  // Everything that could write is gone; only a process that hid from all of that can still hold the pipes open.
  if (!(await Promise.race([isRead, pipes.idle(o.stop)]))) {
    child.stdout?.destroy();
    child.stderr?.destroy();
    await Promise.race([reading, pipes.idle(o.stop)]);
  }
  return { ...exit, stopped, leftRunning: stopped ? 0 : left };
}

/** At once: what it starts inherits this. Only Linux has it. */
function endsFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(OOM_SCORE));
  } catch {
    // It has ended already, or the machine knows no such thing.
  }
}

function exitOf(child: ChildProcess): Promise<Pick<Ended, 'exitCode' | 'signal'>> {
  const exited = new Promise<Pick<Ended, 'exitCode' | 'signal'>>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      reject(
        error.code === 'E2BIG'
          ? new HangarError('agent_failed', { message: 'The command line of the agent is too long.' })
          : new HangarError('agent_missing', { message: `The agent cannot be started: ${error.message}` }),
      );
    });
    child.on('exit', (code, signal) =>
      resolve({ exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0), signal }),
    );
  });
  exited.catch(() => undefined);
  return exited;
}

/** The output of a command on its way to whoever reads it. */
class Pipes {
  readonly #read: (stream: 'stdout' | 'stderr', chunk: Buffer) => Promise<void>;
  readonly #stoppedMs: number;
  #bytes = 0;
  #busy = 0;

  constructor(read: (stream: 'stdout' | 'stderr', chunk: Buffer) => Promise<void>, stoppedMs: number) {
    this.#read = read;
    this.#stoppedMs = stoppedMs;
  }

  async readAll(name: 'stdout' | 'stderr', stream: Readable | null): Promise<void> {
    if (!stream) return;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        this.#bytes += chunk.length;
        this.#busy++;
        await this.#read(name, chunk).finally(() => this.#busy--);
      }
    } catch (error) {
      // Destroyed by us: what had come until then was taken.
      if (!stream.destroyed) throw error;
    }
  }

  /**
   * False once nothing more is to come that was written before now. While a chunk is being taken (a slow disk, a full spool)
   * there is, unless the job was stopped.
   */
  async idle(stop: AbortSignal): Promise<false> {
    const most = this.#bytes + DRAIN_MOST_BYTES;
    let waited = 0;
    let stoppedFor = 0;
    for (let silent = 0; silent < DRAIN_MS && waited < DRAIN_MOST_MS && this.#bytes < most; ) {
      const before = this.#bytes;
      await sleep(DRAIN_STEP_MS);
      // On a machine that stood still, the timer comes before what has arrived meanwhile.
      await nextTurn();
      const moved = this.#bytes !== before || this.#busy > 0;
      silent = moved ? 0 : silent + DRAIN_STEP_MS;
      if (this.#busy === 0) waited += DRAIN_STEP_MS;
      if (stop.aborted) stoppedFor += DRAIN_STEP_MS;
      if (stoppedFor >= this.#stoppedMs) break;
    }
    return false;
  }
}
