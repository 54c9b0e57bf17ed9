import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, realpath, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { programFile } from '../../brought/programs.ts';
import type { Brought } from '../../port/brought.ts';
import { isSystemPath } from './system-view.ts';

/** Finds Node and the programs that were brought as a unit can use them. */
export interface Programs {
  /** @throws HangarError internal when there is no program of that name */
  ready(name: string, forOtherAccount: boolean): Promise<{ programFile: string; nodeFile: string }>;
}

/**
 * A unit with an account of its own can run only what is open to all. A checkout made under a strict umask is not: then
 * a copy is kept in the data directory, made anew when the original changes. There, too, is what came as a text.
 */
export function createPrograms(brought: Pick<Brought, 'programs' | 'nodeFile'>, copiesDir: string): Programs {
  /** Whole or not there: others may be about to run it. */
  async function keep(name: string, bytes: number, write: (file: string) => Promise<void>): Promise<string> {
    const copy = path.join(copiesDir, name);
    const there = await stat(copy).catch(() => null);
    if (there?.size === bytes) return copy;
    await mkdir(copiesDir, { recursive: true, mode: 0o755 });
    const unfinished = `${copy}.${process.pid}`;
    await write(unfinished);
    await chmod(unfinished, 0o755);
    await rename(unfinished, copy);
    return copy;
  }
  const openCopy = async (file: string, bits: number): Promise<string> => {
    const original = await realpath(file);
    const { mode, size, mtimeMs } = await stat(original);
    if ((mode & bits) === bits || isSystemPath(original)) return original;
    const name = `${size}-${Math.floor(mtimeMs)}-${path.basename(original)}`;
    return keep(name, size, (unfinished) => copyFile(original, unfinished));
  };
  const written = (name: string, text: string): Promise<string> => {
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    return keep(`${hash}-${name}.mjs`, Buffer.byteLength(text), (unfinished) => writeFile(unfinished, text));
  };
  return {
    async ready(name, forOtherAccount) {
      const found = programFile(brought, name);
      const open = (file: string, bits: number) => (forOtherAccount ? openCopy(file, bits) : realpath(file));
      return {
        programFile: 'text' in found ? await written(name, found.text) : await open(found.file, 0o004),
        nodeFile: await open(brought.nodeFile, 0o005),
      };
    },
  };
}
