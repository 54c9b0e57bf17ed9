import { chmod, lstat, open, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { BEFORE_NAMES } from '../../brought/programs.ts';
import type { UnitKey } from '../../port/unit.ts';
import type { ProcessIdentity } from '../../process/index.ts';

/**
 * All that is left of a unit on disk: `<dataDir>/units/<id>-<attempt>/`. The unit sees `work`, `home` and `tmp`; the other
 * files are ours.
 */
export interface UnitFolder {
  readonly root: string;
  readonly work: string;
  readonly home: string;
  readonly tmp: string;
  /** Written once, by the first process that starts here: who the unit is. */
  readonly claim: string;
  /** Written when its program has ended: the exit code. */
  readonly exit: string;
  /** Of a machine in hand: with walls the process whose namespaces are entered, as bubblewrap says it; then that it has begun. */
  readonly holder: string;
  /** What its program itself printed. Called so since all were workers: those of older servers are read, too. */
  readonly log: string;
}

export function unitFolder(unitsDir: string, key: UnitKey): UnitFolder {
  const root = path.join(unitsDir, unitName(key));
  const inside = (name: string) => path.join(root, name);
  return {
    root,
    work: inside('work'),
    home: inside('home'),
    tmp: inside('tmp'),
    claim: inside('unit.json'),
    exit: inside('exit'),
    holder: inside('holder'),
    log: inside('worker.log'),
  };
}

export const unitName = (key: UnitKey): string => `${key.id}-${key.attempt}`;

/** Null for a name that no unit has. */
export function parseUnitName(name: string): UnitKey | null {
  const match = /^([A-Za-z0-9_]{1,64})-([0-9]{1,9})$/.exec(name);
  return match?.[1] === undefined ? null : { id: match[1], attempt: Number(match[2]) };
}

const Claim = z.object({
  ...{ pid: z.number().int().positive(), boot: z.string(), started: z.string() },
  program: z.string().default(BEFORE_NAMES),
});
/** The process that starts the program of a unit and waits for its end. */
export type Claim = ProcessIdentity & { readonly program: string };

export async function readClaim(folder: UnitFolder): Promise<Claim | null> {
  const text = await readFile(folder.claim, 'utf8').catch(missing);
  if (text === null) return null;
  try {
    return Claim.parse(JSON.parse(text));
  } catch {
    // Cut off by a full disk or a power failure: a process that never ran, or cannot be told from one that did.
    return { pid: 1, boot: 'unknown', started: '', program: BEFORE_NAMES };
  }
}

export async function readExitCode(folder: UnitFolder): Promise<number | null> {
  const text = await readFile(folder.exit, 'utf8').catch(missing);
  const code = text === null || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isInteger(code) ? code : null;
}

const Holder = z.object({ 'child-pid': z.number().int().positive() });

/**
 * Null while the machine in hand has not begun. `pid`: the process whose namespaces are its, or null where it has none of its own. It
 * means something only while the process of the claim lives.
 */
export async function readHolder(folder: UnitFolder): Promise<{ readonly pid: number | null } | null> {
  const [, said] = /^([\s\S]*)begun\n$/.exec((await readFile(folder.holder, 'utf8').catch(missing)) ?? '') ?? [];
  if (said === undefined) return null;
  return { pid: said.trim() === '' ? null : Holder.parse(JSON.parse(said))['child-pid'] };
}

/** The end of what the program itself printed, as one short line without control characters. */
export async function lastWords(folder: UnitFolder): Promise<string> {
  const handle = await open(folder.log, 'r').catch(missing);
  if (!handle) return '';
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, 4096);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const lines = buffer.toString('utf8').split('\n');
    return (lines.map(printable).findLast((line) => line !== '') ?? '').slice(0, 300);
  } finally {
    await handle.close();
  }
}

const printable = (line: string): string => line.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();

/** Names of the units that have a folder. */
export async function listUnits(unitsDir: string): Promise<UnitKey[]> {
  const names = (await readdir(unitsDir).catch(missing)) ?? [];
  return names.map(parseUnitName).filter((unit) => unit !== null);
}

/** Removes a tree, also when a unit took away its own permissions on parts of it. Links are not followed. */
export async function removeTree(root: string): Promise<void> {
  const remove = () => rm(root, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
  try {
    await remove();
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM')) throw error;
    await openFolders(root);
    await remove();
  }
}

async function openFolders(folder: string): Promise<void> {
  const stat = await lstat(folder).catch(missing);
  if (!stat?.isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openFolders(path.join(folder, entry.name));
  }
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

function missing(error: unknown): null {
  if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
  throw error;
}
