import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const ROUNDS = 10;

interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** The job is in its environment: also who has left its parent and group. */
  readonly marked: boolean;
}

/**
 * Ends at once all that a run on this machine has started: for a command that exits and cannot wait. The agent has a session of its
 * own, so nothing else would end it.
 */
export function endProcesses(jobId: string): void {
  for (let round = 0; round < ROUNDS; round++) {
    const left = startedHere(jobId);
    if (left.length === 0) return;
    for (const pid of left)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already, or not ours.
      }
  }
}

function startedHere(jobId: string): number[] {
  const seen = (process.platform === 'linux' ? fromProc(jobId) : fromPs()).filter(({ pid }) => pid !== process.pid);
  const tree = new Set(seen.filter(({ parent, marked }) => marked || parent === process.pid).map(({ pid }) => pid));
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

function fromProc(jobId: string): Seen[] {
  const seen: Seen[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = textOf(`/proc/${entry}/stat`);
    const [state = 'X', parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // What was killed waits for this process to look at it.
    if (stat === '' || state === 'Z' || state === 'X') continue;
    const marked = `\0${textOf(`/proc/${entry}/environ`)}`.includes(`\0HANGAR_JOB_ID=${jobId}\0`);
    seen.push({ pid: Number(entry), parent: Number(parent), group: Number(group), marked });
  }
  return seen;
}

function fromPs(): Seen[] {
  const { stdout, pid: ps } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat='], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [pid, parent, group, state = 'Z'] = line.trim().split(/\s+/);
    if (state.startsWith('Z') || Number(pid) === ps) return [];
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), marked: false }];
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
