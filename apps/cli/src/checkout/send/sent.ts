import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkout } from '../checkout.ts';

/**
 * What was sent with a job, kept in the git folder that all work trees share: pull applies to exactly this when it is still there,
 * and a job noted here is of this repository, whatever else has changed.
 */
export interface Sent {
  readonly commit: string;
  readonly baseTree: string;
}

const KEPT_MS = 30 * 24 * 3600 * 1000;
const folderOf = ({ commonDir }: Checkout): string => join(commonDir, 'hangar', 'sent');

export async function rememberSent(checkout: Checkout, jobId: string, sent: Sent): Promise<void> {
  const folder = folderOf(checkout);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${jobId}.json`), JSON.stringify(sent));
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const found = await stat(file).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > KEPT_MS) await rm(file, { force: true });
  }
}

export async function recallSent(checkout: Checkout, jobId: string): Promise<Sent | null> {
  const text = await readFile(join(folderOf(checkout), `${jobId}.json`), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const { commit, baseTree } = JSON.parse(text) as Partial<Sent>;
    return typeof commit === 'string' && typeof baseTree === 'string' ? { commit, baseTree } : null;
  } catch {
    // Cut off while it was written.
    return null;
  }
}
