import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

const PREFIX = 'hangar-ssh-';
/** ssh puts 17 characters behind the name of a socket while it makes it, and 104 is the least that systems take. */
const LONGEST_SOCKET = 85;
/** What stands in ssh_config without quotes and in no pattern. */
const PLAIN = /^\/[A-Za-z0-9._/+-]*$/;

/** Of this process, 0700: sockets, configurations, known hosts, and keys for as long as a sign-in takes. */
export interface PrivateFolder {
  /** Made when it is not there (any more). */
  readonly path: () => Promise<string>;
  /** A name in it that nobody has yet, with `ending`. */
  file(ending: string): Promise<string>;
  remove(): Promise<void>;
}

const Owner = z.object({ instanceId: z.string(), pid: z.number().int().positive(), started: z.string() });

/**
 * @param base where it is made; in memory where there is such a place. `/tmp` when a socket in it would have too long a name.
 * @param endLeftover is given each socket that a process that died has left
 */
export function createPrivateFolder(o: {
  base: string;
  instanceId: string;
  endLeftover: (socket: string) => Promise<void>;
}): PrivateFolder {
  const fits =
    PLAIN.test(o.base) && path.join(o.base, `${PREFIX}XXXXXX`, `${'x'.repeat(12)}.sock`).length <= LONGEST_SOCKET;
  const base = fits ? o.base : '/tmp';
  let made: Promise<string> | null = null;

  async function make(): Promise<string> {
    await mkdir(base, { recursive: true, mode: 0o700 });
    await removeLeftovers(base, o);
    const folder = await mkdtemp(path.join(base, PREFIX));
    await chmod(folder, 0o700);
    const owner = { instanceId: o.instanceId, pid: process.pid, started: (await startOf(process.pid)) ?? '' };
    await writeFile(path.join(folder, 'owner.json'), JSON.stringify(owner), { mode: 0o600 });
    return folder;
  }

  async function current(): Promise<string> {
    const known = await made?.catch(() => null);
    // Whatever tidies /tmp up may have taken it after some days.
    if (known && (await stat(path.join(known, 'owner.json')).catch(() => null))) return known;
    const mine = make();
    made = mine;
    return mine;
  }

  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (): Promise<string> => {
    const mine = turn.then(current);
    turn = mine.catch(() => undefined);
    return mine;
  };

  return {
    path: inTurn,
    file: async (ending) => path.join(await inTurn(), `${randomBytes(6).toString('hex')}${ending}`),
    async remove() {
      const folder = await turn.then(() => made).catch(() => null);
      made = null;
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Ends what a killed server has left: connections that still stand behind their sockets, and its files. */
async function removeLeftovers(
  base: string,
  o: { instanceId: string; endLeftover: (socket: string) => Promise<void> },
): Promise<void> {
  const names = await readdir(base);
  for (const name of names.filter((entry) => entry.startsWith(PREFIX))) {
    const folder = path.join(base, name);
    const found = await lstat(folder).catch(() => null);
    // Anybody can make a folder in /tmp: one of somebody else is none of ours, whatever stands in it.
    if (!found?.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) continue;
    const owner = await readOwner(path.join(folder, 'owner.json'));
    if (owner?.instanceId !== o.instanceId || (await isRunning(owner))) continue;
    for (const socket of (await readdir(folder)).filter((entry) => entry.endsWith('.sock'))) {
      await o.endLeftover(path.join(folder, socket));
    }
    await rm(folder, { recursive: true, force: true });
  }
}

async function readOwner(file: string): Promise<z.infer<typeof Owner> | null> {
  try {
    return Owner.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // Cut off in the moment it was made, or nothing of ours: nobody knows whether it is in use.
    return null;
  }
}

async function isRunning(owner: z.infer<typeof Owner>): Promise<boolean> {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return (await startOf(owner.pid)) === (owner.started === '' ? null : owner.started);
}

/** When a process started, in ticks since boot: tells it from one that has its number later. Null where there is no /proc. */
async function startOf(pid: number): Promise<string | null> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return line?.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}
