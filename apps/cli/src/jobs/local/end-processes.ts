import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isWorkFolder } from './work-folder.ts';

const ROUNDS = 10;

interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** The job is in its environment, or it works in its folder away from any terminal: also who has left its parent and group. */
  readonly marked: boolean;
}

/**
 * Ends at once all that a run on this machine has started: for a command that exits and cannot wait, and for what a killed one has left.
 * The agent has a session of its own, so nothing else would end it.
 */
export function endProcesses(jobId: string, dir: string, own: 'and my children' | 'only of the run'): void {
  for (let round = 0; round < ROUNDS; round++) {
    const left = startedFor(jobId, dir, own === 'and my children');
    if (left.length === 0) return;
    for (const pid of left)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already, or not ours.
      }
  }
}

function startedFor(jobId: string, dir: string, children: boolean): number[] {
  const found = process.platform === 'linux' ? fromProc(jobId, dir) : fromPs(jobId);
  // A command that was started by the agent itself does not end itself, nor what it was started from.
  const above = ancestors(found);
  const seen = found.filter(({ pid }) => !above.has(pid));
  const started = seen.filter(({ parent, marked }) => marked || (children && parent === process.pid));
  const tree = new Set(started.map(({ pid }) => pid));
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent, group } of seen)
      if (!tree.has(pid) && (tree.has(parent) || tree.has(group))) {
        tree.add(pid);
        grown = true;
      }
  }
  return [...tree];
}

function ancestors(seen: readonly Seen[]): Set<number> {
  const parents = new Map(seen.map(({ pid, parent }) => [pid, parent]));
  const above = new Set<number>();
  for (let pid: number | undefined = process.pid; pid !== undefined && !above.has(pid); pid = parents.get(pid))
    above.add(pid);
  return above;
}

function fromProc(jobId: string, dir: string): Seen[] {
  const seen: Seen[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = textOf(`/proc/${entry}/stat`);
    const [state = 'X', parent, group, , terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // What was killed waits for this process to look at it.
    if (stat === '' || state === 'Z' || state === 'X') continue;
    const isNamed = `\0${textOf(`/proc/${entry}/environ`)}`.includes(`\0HANGAR_JOB_ID=${jobId}\0`);
    const marked = isNamed || (terminal === '0' && isWorkFolder(dir) && worksIn(entry, dir));
    seen.push({ pid: Number(entry), parent: Number(parent), group: Number(group), marked });
  }
  return seen;
}

/** Someone who has cleared the environment, and whose parent is gone, is still where the agent was. */
function worksIn(pid: string, dir: string): boolean {
  try {
    return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${dir}/`);
  } catch {
    return false;
  }
}

/** With the environment behind the command (-E): macOS shows a user that of the user's own processes. */
function fromPs(jobId: string): Seen[] {
  const columns = ['-A', '-E', '-ww', '-o', 'pid=,ppid=,pgid=,stat=,command='];
  const { stdout, pid: ps } = spawnSync('ps', columns, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [pid, parent, group, state = 'Z'] = line.trim().split(/\s+/);
    if (state.startsWith('Z') || Number(pid) === ps) return [];
    const marked = ` ${line} `.includes(` HANGAR_JOB_ID=${jobId} `);
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), marked }];
  });
}

/** Empty when the process has gone. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
