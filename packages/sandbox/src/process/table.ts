import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const onLinux = process.platform === 'linux';

/**
 * A process told apart from every other that had or will have its number. `started` is opaque: ticks since boot on Linux,
 * so that it does not move when the clock does, and therefore only means something together with the boot.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly boot: string;
  readonly started: string;
}

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly started: string;
  /** Its program, shortened by the kernel to 15 characters. */
  readonly name: string;
  /** Dead, and only waits for its parent to ask how it ended. */
  readonly zombie: boolean;
  readonly hasTerminal: boolean;
}

/** Id of this boot of the machine; empty where there is none (a start time is a date there). */
export async function bootId(): Promise<string> {
  return onLinux ? (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim() : '';
}

/** Null when there is no such process. */
export async function readProcess(pid: number): Promise<ProcessEntry | null> {
  if (!onLinux) return (await readPs(['-p', String(pid)]))[0] ?? null;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat === null ? null : parseStat(stat);
}

export async function listProcesses(): Promise<ProcessEntry[]> {
  if (!onLinux) return readPs(['-ax']);
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  const entries = await Promise.all(pids.map((pid) => readProcess(Number(pid))));
  return entries.filter((entry) => entry !== null);
}

/** Whether exactly this process still runs. A zombie does not. */
export async function isSame(identity: ProcessIdentity): Promise<boolean> {
  if (identity.boot !== (await bootId())) return false;
  const entry = await readProcess(identity.pid);
  return entry !== null && !entry.zombie && entry.started === identity.started;
}

/** The name stands in brackets and may itself hold brackets and spaces: fields are counted from the last one. */
function parseStat(stat: string): ProcessEntry | null {
  const open = stat.indexOf('(');
  const close = stat.lastIndexOf(')');
  const rest = stat.slice(close + 2).split(' ');
  const started = rest[19];
  if (open < 0 || close < 0 || started === undefined) return null;
  return {
    pid: Number(stat.slice(0, open)),
    name: stat.slice(open + 1, close),
    zombie: rest[0] === 'Z' || rest[0] === 'X',
    parent: Number(rest[1]),
    group: Number(rest[2]),
    hasTerminal: rest[4] !== '0',
    started,
  };
}

async function readPs(which: string[]): Promise<ProcessEntry[]> {
  const columns = 'pid=,ppid=,pgid=,stat=,tty=,lstart=,comm=';
  const { stdout } = await run('ps', [...which, '-o', columns], {
    timeout: 10_000,
    env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' },
  })
    // ps ends with 1 when nothing fits.
    .catch(() => ({ stdout: '' }));
  const rows = stdout.matchAll(
    /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s+(\w{3}\s+\w{3}\s+\d+\s+[\d:]+\s+\d{4})\s+(.*)$/gm,
  );
  return [...rows].map(([, pid, parent, group, stat, tty, started, command]) => ({
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    zombie: stat?.startsWith('Z') ?? false,
    hasTerminal: tty !== '??' && tty !== '?',
    started: (started ?? '').replace(/\s+/g, ' '),
    name: (command ?? '').split('/').at(-1) ?? '',
  }));
}
