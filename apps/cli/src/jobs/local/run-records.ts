import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Far more than any record or note has. */
const MAX_BYTES = 1024 ** 2;
const ID = /^l_[0-9a-z]+$/;
/** Inside a git folder. */
export const RUNS = join('hangar', 'runs');

export const recordIn = (folder: string): string => join(folder, 'run.json');

/** What a file of ours says, not yet looked at closer. */
export interface Noted {
  readonly value: Readonly<Record<string, unknown>>;
  readonly changedMs: number;
}

/** null when it says nothing. What is no regular file is not waited for: a pipe may never answer. */
export async function readNote(file: string): Promise<Noted | null> {
  try {
    // Not known to every system.
    const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const found = await handle.stat();
      if (!found.isFile() || found.size > MAX_BYTES) return null;
      const value: unknown = JSON.parse(await handle.readFile('utf8'));
      if (typeof value !== 'object' || value === null) return null;
      return { value: value as Noted['value'], changedMs: found.mtimeMs };
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

/** With the folder that holds all there is of the run. */
export interface RunRecord extends Noted {
  readonly folder: string;
}

export const recordOf = async (folder: string): Promise<RunRecord | null> => {
  const found = await readNote(recordIn(folder));
  return found !== null && typeof found.value.id === 'string' ? { ...found, folder } : null;
};

/** Of a repository; earlier versions kept the runs of a linked work tree in the git folder of that alone. */
export async function recordsOf(commonDir: string): Promise<RunRecord[]> {
  const trees = await readdir(join(commonDir, 'worktrees')).catch(() => []);
  const places = [commonDir, ...trees.map((name) => join(commonDir, 'worktrees', name))];
  const folders = await Promise.all(
    places.map(async (place) => {
      const names = await readdir(join(place, RUNS)).catch(() => []);
      return names.filter((name) => ID.test(name)).map((name) => join(place, RUNS, name));
    }),
  );
  return (await Promise.all(folders.flat().map(recordOf))).filter((record) => record !== null);
}

/** Whether a run lies in a repository; below its git folder there may also be those of its submodules. */
export function liesIn(commonDir: string, folder: string): boolean {
  const end = join('/', RUNS, folder.slice(folder.lastIndexOf('/') + 1));
  if (!folder.endsWith(end)) return false;
  const place = folder.slice(0, -end.length);
  const trees = `${join(commonDir, 'worktrees')}/`;
  return place === commonDir || (place.startsWith(trees) && !place.slice(trees.length).includes('/'));
}
