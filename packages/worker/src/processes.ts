import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';

const POLL_MS = 50;
const MAX_ROUNDS = 40;
const DRAIN_MS = 500;
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
  /** Processes that were still there and had to be ended. */
  readonly leftRunning: number;
}

/**
 * Runs a command in a session of its own and ends its whole tree: TERM, after `graceMs` KILL, when `stop` aborts or when
 * the command itself has ended and left processes behind. `read` gets each chunk and is awaited before the next.
 * @throws HangarError agent_missing when the program is not there or cannot be run
 */
export async function runTree(
  command: Command,
  o: {
    read: (stream: 'stdout' | 'stderr', chunk: Buffer) => Promise<void>;
    stop: AbortSignal;
    graceMs: number;
  },
): Promise<Ended> {
  const input = command.stdin === null ? null : await open(command.stdin, 'r');
  let child: ChildProcess;
  let exited: ReturnType<typeof exitOf>;
  let reading: Promise<unknown>;
  const pipes = { reads: 0, busy: 0 };
  const take = (stream: 'stdout' | 'stderr') => async (chunk: Buffer) => {
    pipes.reads++;
    pipes.busy++;
    await o.read(stream, chunk);
    pipes.busy--;
  };
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
    reading = Promise.all([readAll(child.stdout, take('stdout')), readAll(child.stderr, take('stderr'))]);
    reading.catch(() => undefined);
  } finally {
    await input?.close();
  }
  const pid = child.pid;
  if (pid === undefined) return await exited.then(() => Promise.reject(new HangarError('agent_missing')));
  // Where memory ends, the agent ends first and not the worker, which still has its diff to save.
  endsFirst(pid);
  const stopped = new Promise<void>((resolve) => {
    if (o.stop.aborted) resolve();
    else o.stop.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([exited.catch(() => undefined), stopped]);
  const wasRunning = child.exitCode === null && child.signalCode === null;
  const found = await endTree(pid, command.mark, o.graceMs, child);
  const exit = await exited;
  // Everything that could write is gone; only a process that hid from the scan can still hold the pipes open.
  const drained = await Promise.race([reading.then(() => true), idle(pipes, DRAIN_MS)]);
  if (!drained) {
    child.stdout?.destroy();
    child.stderr?.destroy();
    await reading;
  }
  return { ...exit, leftRunning: wasRunning ? 0 : found };
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

async function readAll(stream: Readable | null, take: (chunk: Buffer) => Promise<void>): Promise<void> {
  if (!stream) return;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) await take(chunk);
  } catch (error) {
    // Destroyed by us: what had come until then was taken.
    if (!stream.destroyed) throw error;
  }
}

/** False once nothing was read for `ms`. While a chunk is being taken (a slow disk, a full spool) there is more to come. */
async function idle(pipes: { readonly reads: number; readonly busy: number }, ms: number): Promise<false> {
  for (;;) {
    const before = pipes.reads;
    await sleep(ms);
    // On a machine that stood still, the timer comes before what has arrived meanwhile.
    await nextTurn();
    if (pipes.reads === before && pipes.busy === 0) return false;
  }
}

/** @returns how many processes besides the leader were found */
async function endTree(leader: number, mark: string, graceMs: number, child: ChildProcess): Promise<number> {
  const others = new Set<number>();
  const look = async () => {
    const found = await findTree(leader, mark);
    for (const pid of found) if (pid !== leader) others.add(pid);
    return found;
  };
  const alive = () => child.exitCode === null && child.signalCode === null;
  let left = await look();
  if (left.length === 0 && !alive()) return 0;
  signalAll(leader, alive(), left, 'SIGTERM');
  for (const end = performance.now() + graceMs; performance.now() < end; ) {
    await sleep(POLL_MS);
    left = await look();
    if (left.length === 0 && !alive()) return others.size;
  }
  for (let round = 0; round < MAX_ROUNDS; round++) {
    signalAll(leader, alive(), left, 'SIGKILL');
    await sleep(round === 0 ? 10 : POLL_MS);
    left = await look();
    if (left.length === 0 && !alive()) break;
  }
  return others.size;
}

function signalAll(leader: number, leaderAlive: boolean, pids: readonly number[], signal: NodeJS.Signals): void {
  // Once the leader is gone its number may belong to somebody else's group.
  if (leaderAlive) send(-leader, signal);
  for (const pid of pids) send(pid, signal);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already, or not ours.
  }
}

interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly marked: boolean;
}

/** Living processes of the tree: by mark in the environment, by session, and what descends from those. Linux only. */
async function findTree(leader: number, mark: string): Promise<number[]> {
  const entries = await readdir('/proc').catch((): string[] => []);
  const wanted = Buffer.from(`HANGAR_JOB_MARK=${mark}`);
  const seen: Seen[] = [];
  for (const entry of entries) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'latin1').catch(() => null);
    if (stat === null) continue;
    const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') continue;
    const environ = await readFile(`/proc/${entry}/environ`).catch(() => null);
    seen.push({
      pid: Number(entry),
      parent: Number(parent),
      session: Number(session),
      marked: environ?.includes(wanted) ?? false,
    });
  }
  const tree = new Set(seen.filter((p) => p.marked || p.session === leader).map((p) => p.pid));
  for (let grown = true; grown; ) {
    grown = false;
    for (const p of seen)
      if (!tree.has(p.pid) && tree.has(p.parent)) {
        tree.add(p.pid);
        grown = true;
      }
  }
  return [...tree];
}
