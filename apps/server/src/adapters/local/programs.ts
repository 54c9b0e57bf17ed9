import { chmod, copyFile, mkdir, realpath, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { isSystemPath } from './system-view.ts';

/** Finds worker and Node as a job can use them. */
export interface Programs {
  ready(forOtherAccount: boolean): Promise<{ workerFile: string; nodeFile: string }>;
}

/**
 * A job with an account of its own can run only what is open to all. A checkout made under a strict umask is not: then
 * a copy is kept in the data directory, made anew when the original changes.
 */
export function createPrograms(files: { workerFile: string; nodeFile: string }, copiesDir: string): Programs {
  const openCopy = async (file: string, bits: number): Promise<string> => {
    const original = await realpath(file);
    const { mode, size, mtimeMs } = await stat(original);
    if ((mode & bits) === bits || isSystemPath(original)) return original;
    const copy = path.join(copiesDir, `${size}-${Math.floor(mtimeMs)}-${path.basename(original)}`);
    const there = await stat(copy).catch(() => null);
    if (there?.size === size) return copy;
    await mkdir(copiesDir, { recursive: true, mode: 0o755 });
    const unfinished = `${copy}.${process.pid}`;
    await copyFile(original, unfinished);
    await chmod(unfinished, 0o755);
    await rename(unfinished, copy);
    return copy;
  };
  return {
    async ready(forOtherAccount) {
      if (!forOtherAccount) {
        return { workerFile: await realpath(files.workerFile), nodeFile: await realpath(files.nodeFile) };
      }
      return { workerFile: await openCopy(files.workerFile, 0o004), nodeFile: await openCopy(files.nodeFile, 0o005) };
    },
  };
}
