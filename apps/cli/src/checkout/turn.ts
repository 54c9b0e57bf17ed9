import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { withLock } from '../server/lock.ts';
import { fileTrouble } from '../terminal/file-trouble.ts';
import { type Checkout, ownFolder } from './checkout.ts';

const TIMES = { staleMs: 60_000, waitMs: 60_000 };

const isDenied = (error: unknown): boolean => ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');

/**
 * One pull, undo or run at a time works in a checkout; each work tree of a repository has its own turn. Who was killed keeps nothing.
 * @throws HangarError checkout_busy, file_unreadable, disk_full
 */
export async function inTurn<T>(checkout: Checkout, work: () => Promise<T>): Promise<T> {
  const folder = ownFolder(checkout);
  const lock = join(folder, 'turn.lock');
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    // What is no matter of rights has its own way out.
    const trouble = fileTrouble(error, folder);
    if (trouble !== null && !isDenied(error)) throw trouble;
    throw new HangarError('file_unreadable', {
      message: `${folder} cannot be written: ${(error as Error).message}`,
      wayOut: 'Give yourself the right to write there: what is needed to take a pull back is kept in it.',
    });
  }
  return withLock(lock, checkout.git.around.signal, work, {
    ...TIMES,
    busy: (holder) =>
      new HangarError('checkout_busy', {
        wayOut: `Wait for it to end (process ${holder ?? 'unknown'}), then try again. If there is no such process, remove ${lock}`,
      }),
  });
}
