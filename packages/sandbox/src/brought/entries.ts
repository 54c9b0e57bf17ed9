import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Brought, ProgramFile } from '../port/brought.ts';
import { programsOf } from './programs.ts';
import { CLEAN_SCRIPT, type Host, startScript } from './start-script.ts';

const LIBRARY_FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/lib64', '/usr/lib'];
const LIBRARIES = ['libstdc++.so.6', 'libgcc_s.so.1'];

/** One file of the folder that is brought to a machine. */
export interface BroughtEntry {
  /** Path below the folder. */
  readonly name: string;
  readonly mode: number;
  readonly from: ProgramFile;
}

/** Path below the folder of what starts a program: `start PROGRAM`, with the program's input as its own. */
export const START = 'start';
/** `dir` of a folder that may be anywhere: `start` finds what lies beside it. It is called by its absolute path then. */
export const BESIDE_START = '$' + '{0%/*}';
/** Path below the folder of a program. */
export const entryOf = (program: string): string => `${program}.mjs`;

/**
 * The folder that runs programs on a machine that has nothing of ours, wherever it is put and however it gets there. Without a Node
 * for that machine only programs are brought, and it must have Node itself.
 *
 * @param o.dir where the folder will be
 * @param o.arch of that machine, as Node calls it: x64, arm64; anything else brings no Node
 * @param o.host what its people call it; an image when left out
 */
export async function broughtEntries(
  brought: Pick<Brought, 'programs' | 'nodeFile'>,
  o: { readonly dir: string; readonly arch: string; readonly host?: Host },
): Promise<BroughtEntry[]> {
  const entries: BroughtEntry[] = [
    {
      name: START,
      mode: 0o755,
      from: { text: startScript({ clean: `${o.dir}/clean.cjs`, runtime: o.dir, host: o.host ?? 'image' }) },
    },
    { name: 'clean.cjs', mode: 0o444, from: { text: CLEAN_SCRIPT } },
    ...Object.entries(programsOf(brought)).map(([name, from]) => ({ name: entryOf(name), mode: 0o444, from })),
  ];
  if (process.platform !== 'linux' || process.arch !== o.arch) return entries;
  entries.push({ name: 'node', mode: 0o755, from: { file: brought.nodeFile } });
  for (const library of LIBRARIES) {
    for (const folder of LIBRARY_FOLDERS) {
      const file = path.join(folder, library);
      if (!(await stat(file).catch(() => null))) continue;
      entries.push({ name: `lib/${library}`, mode: 0o755, from: { file } });
      break;
    }
  }
  return entries;
}

/** 16 hex digits that are the same for the same files alone. Reads all of them. */
export async function digestOf(entries: readonly BroughtEntry[]): Promise<string> {
  const hash = createHash('sha256');
  for (const entry of entries) {
    hash.update(`${entry.name}\0${entry.mode}\0`);
    if ('text' in entry.from) hash.update(entry.from.text);
    else
      await pipeline(createReadStream(entry.from.file), async (source) => {
        for await (const chunk of source) hash.update(chunk);
      });
  }
  return hash.digest('hex').slice(0, 16);
}
