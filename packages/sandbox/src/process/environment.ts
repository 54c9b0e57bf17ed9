import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { readProcess } from './table.ts';

/**
 * Processes inherit environment and folder from whoever started them, through fork, setsid and the death of every
 * parent: that finds what process groups lose. Linux only; elsewhere these find nothing.
 */
async function pids(): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  return (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name)).map(Number);
}

const ended = () => null;

/** Processes we may look into that carry `name` in the environment they were started with, by its value. */
export async function readMarkers(name: string): Promise<Map<number, string>> {
  const prefix = `${name}=`;
  const found = new Map<number, string>();
  for (const pid of await pids()) {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(ended);
    const entry = environment?.split('\0').find((line) => line.startsWith(prefix));
    if (entry !== undefined) found.set(pid, entry.slice(prefix.length));
  }
  return found;
}

/** Processes we may look into that carry exactly `name=value`. */
export async function processMarkedWith(name: string, value: string): Promise<number[]> {
  const markers = await readMarkers(name);
  return [...markers].filter(([, found]) => found === value).map(([pid]) => pid);
}

/** Processes without a terminal whose current folder is inside `folder`. Whoever looks around in a shell is let be. */
export async function processesInside(folder: string): Promise<number[]> {
  const inside: number[] = [];
  for (const pid of await pids()) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(ended);
    if (cwd === null || !(cwd === folder || cwd.startsWith(folder + path.sep))) continue;
    const entry = await readProcess(pid);
    if (entry && !entry.hasTerminal && pid !== process.pid) inside.push(pid);
  }
  return inside;
}
