import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { withLock } from '../server/lock.ts';
import { type Checkout, ownFolder } from './checkout.ts';

const TIMES = { staleMs: 60_000, waitMs: 60_000 };

/**
 * One pull, undo or run at a time works in a checkout; each work tree of a repository has its own turn. Who was killed keeps nothing.
 * @throws HangarError checkout_busy
 */
export function inTurn<T>(checkout: Checkout, work: () => Promise<T>): Promise<T> {
  const lock = join(ownFolder(checkout), 'turn.lock');
  return withLock(lock, checkout.git.around.signal, work, {
    ...TIMES,
    busy: (holder) =>
      new HangarError('checkout_busy', {
        wayOut: `Wait for it to end (process ${holder ?? 'unknown'}), then try again. If there is no such process, remove ${lock}`,
      }),
  }).catch((error: NodeJS.ErrnoException) => {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code ?? '') || error instanceof HangarError) throw error;
    throw new HangarError('file_unreadable', {
      message: `The git folder of this checkout cannot be written: ${error.message}`,
      wayOut: 'Make it writable for you, or clone it once more.',
    });
  });
}
