import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isDirectory() === true;

/**
 * Makes a folder and those above it that are missing. Node's own way of doing so never ends where the system says that there is no such
 * folder although the one above is there (/proc does).
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  const missing: string[] = [];
  let at = resolve(path);
  while (!(await isFolder(at)) && dirname(at) !== at) {
    missing.push(at);
    at = dirname(at);
  }
  for (const folder of missing.reverse())
    await mkdir(folder, { mode }).catch(async (error: NodeJS.ErrnoException) => {
      // Another command was faster.
      if (error.code !== 'EEXIST' || !(await isFolder(folder))) throw error;
    });
}
