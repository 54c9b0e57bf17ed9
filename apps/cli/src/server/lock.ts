import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, readlink, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract/errors';
import { naming } from '../terminal/file-trouble.ts';
import { makeFolder } from '../terminal/make-folder.ts';

export interface LockTimes {
  /** A lock that nobody has touched for so long was left behind by a killed process. */
  readonly staleMs: number;
  /** Longer than one holder may take: two questions to a keychain and one to a server. */
  readonly waitMs: number;
  /** What is thrown when it does not come free; given the process that holds it, when it is one of this machine. */
  readonly busy?: (holder: number | null) => Error;
}
const TIMES: LockTimes = { staleMs: 60_000, waitMs: 180_000 };

/**
 * Runs work while holding a lock file, so that several command lines do it one after the other. The file is touched while the work
 * goes on. One left behind by a killed process is taken over at once when that was on this machine, else after a minute.
 * @throws HangarError internal, or what `busy` makes, when the lock is not free within waitMs
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal,
  work: () => Promise<T>,
  { staleMs, waitMs, busy }: LockTimes = TIMES,
): Promise<T> {
  await makeFolder(dirname(path), 0o700);
  const deadline = Date.now() + waitMs;
  for (;;) {
    const handle = await create(path);
    if (handle !== null) return await holding(path, handle, work, staleMs);
    const found = await look(path);
    if (found !== null && (await isLeft(found, staleMs)))
      await removeIf(path, staleMs, (now) => now.content === found.content);
    else if (Date.now() > deadline)
      throw (
        busy?.(await holderOf(found)) ??
        new HangarError('internal', {
          message: `Another hangar command holds ${path}.`,
          wayOut: 'Wait for it to end, or remove the file when nothing runs.',
        })
      );
    await sleep(50 + Math.random() * 50, undefined, { signal });
  }
}

async function holding<T>(path: string, handle: FileHandle, work: () => Promise<T>, staleMs: number): Promise<T> {
  const content = `${process.pid} ${randomBytes(8).toString('hex')} ${await lifeOf(process.pid)}\n`;
  // Through the handle: a lock that was taken over meanwhile is not ours to touch.
  const touch = () => handle.utimes(new Date(), new Date()).catch(() => {});
  const touching = setInterval(touch, staleMs / 6);
  touching.unref();
  try {
    await naming(path, handle.writeFile(content)).catch(async (error: unknown) => {
      // Without its content nobody could tell whose it is: not even we.
      await rm(path, { force: true }).catch(() => {});
      throw error;
    });
    return await work();
  } finally {
    clearInterval(touching);
    await handle.close().catch(() => {});
    await release(path, content, staleMs);
  }
}

/** What the work ended with counts, whatever becomes of the lock: one that stays is seen to be of a process that is gone. */
async function release(path: string, content: string, staleMs: number): Promise<void> {
  const isOurs = (now: Found | null) => now?.content === content;
  for (let tries = 0; tries < 50; tries++) {
    try {
      if (await removeIf(path, staleMs, isOurs)) return;
    } catch {
      // A full disk takes no claim either.
      if (isOurs(await look(path))) await rm(path, { force: true }).catch(() => {});
      return;
    }
    await sleep(20);
  }
}

/**
 * One run of a process: where it runs and when it began, so that neither another machine's process nor a later one with the same number
 * is taken for it. Null where that cannot be told.
 */
async function lifeOf(pid: number): Promise<string | null> {
  try {
    const [at, boot, line] = await Promise.all([
      readlink('/proc/self/ns/pid'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // After the name, which may hold anything: the state is the first field, the start the twentieth.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : `${boot.trim()}/${at}/${fields[19]}`;
  } catch {
    return null;
  }
}

/** Whether who held a lock is gone. What is said of its life decides, where it is one of this machine; else its age. */
async function isLeft({ content, ageMs }: Found, staleMs: number): Promise<boolean> {
  const [pid, , life] = content.trim().split(' ');
  const here = await lifeOf(process.pid);
  const samePlace = life !== undefined && here !== null && placeOf(life) === placeOf(here);
  return samePlace ? (await lifeOf(Number(pid))) !== life : ageMs > staleMs;
}

const placeOf = (life: string): string => life.slice(0, life.lastIndexOf('/'));

async function holderOf(found: Found | null): Promise<number | null> {
  if (found === null || (await isLeft(found, Number.POSITIVE_INFINITY))) return null;
  return Number(found.content.split(' ')[0]) || null;
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
