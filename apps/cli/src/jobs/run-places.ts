import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Long enough for a disk that is not always there. */
const KEPT_MS = 30 * 24 * 3600 * 1000;

const indexIn = (configDir: string): string => join(configDir, 'runs');

/**
 * Notes a git folder that holds runs, a file for each, so that other clones of its repository find them. It is for finding alone: where
 * it cannot be written, the repository still finds its own runs.
 */
export async function notePlace(configDir: string, gitFolder: string): Promise<void> {
  const index = indexIn(configDir);
  const file = join(index, `${createHash('sha256').update(gitFolder).digest('hex').slice(0, 32)}.json`);
  const part = `${file}.${randomBytes(4).toString('hex')}.part`;
  try {
    await mkdir(index, { recursive: true, mode: 0o700 });
    await writeFile(part, JSON.stringify({ gitFolder }));
    await rename(part, file);
    await forgetGone(index);
  } catch {
    await rm(part, { force: true }).catch(() => undefined);
  }
}

/** The git folders on this machine that hold runs of this user, as far as they are noted; some may be gone. */
export async function notedPlaces(configDir: string): Promise<string[]> {
  const index = indexIn(configDir);
  const names = await readdir(index).catch(() => []);
  return (await Promise.all(names.map((name) => read(join(index, name))))).filter((place) => place !== null);
}

async function forgetGone(index: string): Promise<void> {
  for (const name of await readdir(index)) {
    const file = join(index, name);
    const found = await stat(file).catch(() => null);
    if (found === null || Date.now() - found.mtimeMs < KEPT_MS) continue;
    const place = await read(file);
    if (place === null || (await stat(place).catch(() => null)) === null) await rm(file, { force: true });
  }
}

async function read(file: string): Promise<string | null> {
  if (!file.endsWith('.json')) return null;
  try {
    const { gitFolder } = JSON.parse(await readFile(file, 'utf8')) as { gitFolder?: unknown };
    return typeof gitFolder === 'string' ? gitFolder : null;
  } catch {
    return null;
  }
}
