import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract/errors';

const STALE_MS = 60_000;

/**
 * Runs work while holding a lock file, so that several command lines do it one after the other.
 * A lock left behind by a killed process is taken over after a minute.
 * @throws HangarError internal when the lock is not free within waitMs
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal,
  work: () => Promise<T>,
  waitMs = 90_000,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const deadline = Date.now() + waitMs;
  for (;;) {
    const handle = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return null;
      throw error;
    });
    if (handle !== null) {
      await handle.writeFile(`${process.pid}\n`);
      await handle.close();
      try {
        return await work();
      } finally {
        await rm(path, { force: true });
      }
    }
    const age = await stat(path).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > STALE_MS) await rm(path, { force: true });
    else if (Date.now() > deadline)
      throw new HangarError('internal', {
        message: `Another hangar command holds ${path}.`,
        wayOut: 'Wait for it to end, or remove the file when nothing runs.',
      });
    else await sleep(50 + Math.random() * 50, undefined, { signal });
  }
}
