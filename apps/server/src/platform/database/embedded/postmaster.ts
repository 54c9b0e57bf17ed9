import { execFile } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The port in the name of the socket; nothing listens on TCP. */
export const SOCKET_PORT = 5432;

export const socketFile = (socketDir: string): string => path.join(socketDir, `.s.PGSQL.${SOCKET_PORT}`);

/** What `postmaster.pid` says about the PostgreSQL of a cluster, dead or alive; null without the file. */
export async function readPostmaster(cluster: string): Promise<{ pid: number; socketDir: string } | null> {
  const text = await readFile(path.join(cluster, 'postmaster.pid'), 'utf8').catch(() => null);
  const lines = text?.split('\n') ?? [];
  const pid = Number(lines[0]);
  const socketDir = lines[4];
  return Number.isInteger(pid) && pid > 0 && socketDir ? { pid, socketDir: path.resolve(cluster, socketDir) } : null;
}

/**
 * PostgreSQL refuses to start while the pid in a lock file is alive, whoever has that pid now: after a container was
 * killed it is often a stranger, after a kill a zombie that nobody reaps. Its parent's pid counts as stale, so ours
 * is written there; the rest of the file stays, and with it the check that no backend still uses the shared memory.
 */
export async function clearStaleLocks(cluster: string, socketDir: string): Promise<void> {
  for (const file of [path.join(cluster, 'postmaster.pid'), `${socketFile(socketDir)}.lock`]) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const pid = Number(text.split('\n')[0]);
    if (!(pid > 0) || !isAlive(pid) || (await isPostgres(pid))) continue;
    const handle = await open(file, 'r+');
    try {
      const fresh = Buffer.from([String(process.pid), ...text.split('\n').slice(1)].join('\n'));
      await handle.write(fresh, 0, fresh.length, 0);
      await handle.truncate(fresh.length);
    } finally {
      await handle.close();
    }
  }
}

/** Fast shutdown: sessions are ended, the checkpoint is written. Resolves when the process is gone. */
export async function stopPostmaster(cluster: string, deadlineMs = 15_000): Promise<void> {
  const pid = (await readPostmaster(cluster))?.pid;
  if (pid === undefined || !isAlive(pid) || !(await isPostgres(pid))) return;
  const started = performance.now();
  signalTo(pid, 'SIGINT');
  let forced = false;
  while (await isPostgres(pid)) {
    if (!forced && performance.now() - started > deadlineMs) {
      forced = true;
      signalTo(pid, 'SIGQUIT'); // immediate: no checkpoint, the next start recovers from the log
    }
    if (performance.now() - started > 2 * deadlineMs) return;
    await sleep(15);
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone already
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether the pid is a living PostgreSQL, not a stranger with the same number and not a zombie. */
async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const [, name, state] = /^\d+ \((.*)\) (\S)/s.exec(stat) ?? [];
    return name === 'postgres' && state !== 'Z' && state !== 'X';
  }
  const ps = await run('ps', ['-o', 'stat=,comm=', '-p', String(pid)], { timeout: 5_000 }).catch(() => null);
  return ps !== null && /postgres/.test(ps.stdout) && !ps.stdout.trim().startsWith('Z');
}
