import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** The command that has a run in its hands. A number alone is given away again; with the time it began it is this process only. */
export interface Owner {
  readonly pid: number;
  /** Start of this machine and of the process on it; '' where nobody wrote it down. */
  readonly began: string;
  /** Machine and container: process numbers of another place mean nothing here. */
  readonly place: string;
}

export const thisProcess = (): Owner => ({ pid: process.pid, began: beganOf(process.pid) ?? '', place: here() });

/** elsewhere: in a container or on a machine that shares the folder, which nobody can look into from here. */
export function lookFor({ pid, began, place }: Owner): 'alive' | 'gone' | 'elsewhere' {
  if (place !== here()) return 'elsewhere';
  if (began !== '') return beganOf(pid) === began ? 'alive' : 'gone';
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : 'gone';
  }
}

let place: string | undefined;
function here(): string {
  place ??= `${hostname()} ${attempt(() => readlinkSync('/proc/self/ns/pid')) ?? ''}`.trim();
  return place;
}

/** null when there is no such process, or only what is left of it. */
function beganOf(pid: number): string | null {
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return stdout?.trim() || null;
  }
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()) ?? '';
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === null) return null;
  // proc_pid_stat(5): field 3 is the state, field 22 the start in ticks since boot.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : `${boot} ${fields[19]}`;
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
