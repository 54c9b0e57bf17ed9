import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { naming } from '../../terminal/file-trouble.ts';
import { type Checkout, ownFolder } from '../checkout.ts';
import type { Here, Kept } from './snapshot.ts';

/** What undo needs to know of a pull, kept in the git folder. */
interface Common {
  readonly version: 1;
  readonly jobId: string;
  readonly at: string;
  readonly head: string;
}
export interface TreeRecord extends Common {
  readonly kind: 'tree';
  readonly kept: readonly Kept[];
  /** Files as the pull left them; null while it is at work, and for ever when it was cut off. */
  readonly after: readonly Here[] | null;
  /** Index entries as the pull left them. */
  readonly indexAfter: string | null;
  readonly stash: string | null;
  /** Those of the kept files that are here for the stash alone: the pull itself did not touch them. */
  readonly stashed?: readonly string[];
}
export interface BranchRecord extends Common {
  readonly kind: 'branch';
  readonly branch: string;
  readonly commit: string;
}
export type PullRecord = TreeRecord | BranchRecord;

const REMEMBERED = 20;
/** Once files are being written, Ctrl-C waits. */
export const UNSTOPPABLE = { signal: new AbortController().signal };

const folderOf = (checkout: Checkout): string => join(ownFolder(checkout), 'pulls');

/** A new folder for what undo needs. Old ones beyond the last few are removed. */
export async function openRecord(checkout: Checkout): Promise<string> {
  const folder = folderOf(checkout);
  await mkdir(folder, { recursive: true });
  const names = (await readdir(folder)).sort();
  for (const name of names.slice(0, Math.max(0, names.length - REMEMBERED + 1)))
    await rm(join(folder, name), { recursive: true, force: true });
  const number = Number(names.at(-1) ?? 0) + 1;
  const record = join(folder, String(number).padStart(8, '0'));
  await mkdir(record);
  return record;
}

export async function writeRecord(folder: string, record: PullRecord): Promise<void> {
  const part = join(folder, 'record.json.part');
  await naming(part, writeFile(part, JSON.stringify(record)));
  await rename(part, join(folder, 'record.json'));
}

/** The record of a pull at work is kept beside the one of its end, for `markAtWork`. */
export async function endRecord(folder: string, record: PullRecord): Promise<void> {
  await link(join(folder, 'record.json'), join(folder, 'begun.json')).catch(() => undefined);
  await writeRecord(folder, record);
}

/**
 * Before files are put back: should that be cut off, the next undo must not take what is half put back for work of the person. It
 * takes no space, so that it can be done on a full disk.
 */
export async function markAtWork(folder: string): Promise<void> {
  await rename(join(folder, 'begun.json'), join(folder, 'record.json')).catch(() => undefined);
}

/** The last pull. A folder without a whole record is of one that was killed before it changed anything. */
export async function newestRecord(checkout: Checkout): Promise<{ record: string; found: PullRecord } | null> {
  const folder = folderOf(checkout);
  for (const name of (await readdir(folder).catch(() => [])).sort().reverse()) {
    const record = join(folder, name);
    const found = await readFile(join(record, 'record.json'), 'utf8')
      .then((text) => JSON.parse(text) as PullRecord)
      .catch(() => null);
    if (found !== null) return { record, found };
  }
  return null;
}
