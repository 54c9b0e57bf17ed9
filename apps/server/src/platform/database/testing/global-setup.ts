import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { stopPostmaster } from '../embedded/postmaster.ts';

const PREFIX = 'hangar-test-';

/** Names the folder of the run's PostgreSQL; the first test that needs a database starts it there. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeLeftovers();
  const dataDir = await mkdtemp(path.join(tmpdir(), `${PREFIX}${process.pid}-`));
  project.provide('hangarTestDataDir', dataDir);
  return () => remove(dataDir);
}

async function remove(dataDir: string): Promise<void> {
  await stopPostmaster(path.join(dataDir, 'postgres'));
  await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
}

/** Of runs that were killed: their PostgreSQL still runs. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
    if (pid > 0 && !isAlive(pid)) await remove(path.join(tmpdir(), name)).catch(() => undefined);
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
