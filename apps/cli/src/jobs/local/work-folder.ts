import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, isAbsolute, join } from 'node:path';
import { lookFor, type Owner } from './run-owner.ts';

const PREFIX = 'hangar-run-';
/** Longer than a command takes from making its folder to saying whose it is. */
const UNSIGNED_MS = 60_000;

/** The folder a run on this machine works in, while it runs. */
export interface WorkFolder {
  readonly dir: string;
  readonly runId: string;
}

/** Whose it is stands in it from the beginning: wherever the command is killed, a later one knows what it finds. */
export function makeWorkFolder(runId: string, owner: Owner): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), PREFIX)));
  writeFileSync(join(dir, 'owner.json'), JSON.stringify({ runId, owner }), { mode: 0o600 });
  return dir;
}

/** Work folders on this machine whose command is gone. */
export function abandonedFolders(): WorkFolder[] {
  const found: WorkFolder[] = [];
  for (const name of namesIn(tmpdir())) {
    const dir = join(tmpdir(), name);
    if (!isOurs(dir)) continue;
    const signed = readOwner(dir);
    if (signed === null) removeUnsigned(dir);
    else if (lookFor(signed.owner) === 'gone') found.push({ dir, runId: signed.runId });
  }
  return found;
}

/**
 * At once, for a command that may be about to exit; also where the agent took away its own permissions. Removes nothing but a work
 * folder of this user, whatever a record says.
 */
export function removeWorkFolder(dir: string): void {
  if (!isOurs(dir)) return;
  const remove = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  try {
    remove();
  } catch {
    openFolders(dir);
    remove();
  }
}

export const isWorkFolder = (dir: string): boolean =>
  isAbsolute(dir) && /^hangar-run-[A-Za-z0-9]{6}$/.test(basename(dir));

function isOurs(dir: string): boolean {
  if (!isWorkFolder(dir)) return false;
  const stat = lstatSync(dir, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === (process.getuid?.() ?? stat.uid);
}

function readOwner(dir: string): { runId: string; owner: Owner } | null {
  try {
    const { runId, owner } = JSON.parse(readFileSync(join(dir, 'owner.json'), 'utf8'));
    const isWhole = /^l_[0-9a-z]+$/.test(runId) && Number.isInteger(owner.pid) && typeof owner.place === 'string';
    return isWhole && typeof owner.began === 'string' ? { runId, owner } : null;
  } catch {
    return null;
  }
}

/** Killed between two calls: there is nothing in it yet. */
function removeUnsigned(dir: string): void {
  try {
    if (Date.now() - lstatSync(dir).mtimeMs > UNSIGNED_MS) rmdirSync(dir);
  } catch {
    // Somebody's after all, or gone already.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(PREFIX));
  } catch {
    return [];
  }
}

function openFolders(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) openFolders(join(folder, entry.name));
}
