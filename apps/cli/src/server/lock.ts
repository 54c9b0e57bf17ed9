import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract/errors';

export interface LockTimes {
  /** A lock that nobody has touched for so long was left behind by a killed process. */
  readonly staleMs: number;
  /** Longer than one holder may take: two questions to a keychain and one to a server. */
  readonly waitMs: number;
}
const TIMES: LockTimes = { staleMs: 60_000, waitMs: 180_000 };

/**
 * Runs work while holding a lock file, so that several command lines do it one after the other. The file is touched while the work
 * goes on; one left behind by a killed process is taken over after a minute.
 * @throws HangarError internal when the lock is not free within waitMs
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal,
  work: () => Promise<T>,
  { staleMs, waitMs }: LockTimes = TIMES,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const deadline = Date.now() + waitMs;
  for (;;) {
    const handle = await create(path);
    if (handle !== null) return await holding(path, handle, work, staleMs);
    const found = await look(path);
    if (found !== null && found.ageMs > staleMs)
      await removeIf(path, staleMs, (now) => now.content === found.content && now.ageMs > staleMs);
    else if (Date.now() > deadline)
      throw new HangarError('internal', {
        message: `Another hangar command holds ${path}.`,
        wayOut: 'Wait for it to end, or remove the file when nothing runs.',
      });
    await sleep(50 + Math.random() * 50, undefined, { signal });
  }
}

async function holding<T>(path: string, handle: FileHandle, work: () => Promise<T>, staleMs: number): Promise<T> {
  const content = `${process.pid} ${randomBytes(8).toString('hex')}\n`;
  // Through the handle: a lock that was taken over meanwhile is not ours to touch.
  const touch = () => handle.utimes(new Date(), new Date()).catch(() => {});
  const touching = setInterval(touch, staleMs / 6);
  touching.unref();
  try {
    await handle.writeFile(content);
    return await work();
  } finally {
    clearInterval(touching);
    await handle.close();
    for (let tries = 0; tries < 50; tries++) {
      if (await removeIf(path, staleMs, (now) => now.content === content)) break;
      await sleep(20);
    }
  }
}

interface Found {
  readonly content: string;
  readonly ageMs: number;
}

async function look(path: string): Promise<Found | null> {
  try {
    const [content, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    return { content, ageMs: Date.now() - mtimeMs };
  } catch {
    return null;
  }
}

/**
 * Removes a lock if it still is the one that is meant. Only one process at a time looks and removes, so that nobody removes the
 * fresh lock of who was faster. Answers false when another one is just at it.
 */
async function removeIf(path: string, staleMs: number, isMeant: (now: Found) => boolean): Promise<boolean> {
  const claim = `${path}.removing`;
  const handle = await create(claim);
  if (handle === null) {
    const left = await look(claim);
    if (left !== null && left.ageMs > staleMs) await rm(claim, { force: true });
    return false;
  }
  try {
    await handle.close();
    const now = await look(path);
    if (now !== null && isMeant(now)) await rm(path, { force: true });
    return true;
  } finally {
    await rm(claim, { force: true });
  }
}

/** null when there is such a file already. */
const create = (path: string): Promise<FileHandle | null> =>
  open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null;
    throw error;
  });
