import { createHash, randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../terminal/make-folder.ts';
import { readNote, recordsOf } from './run-records.ts';

/** Long enough for a disk that is not always there. */
const KEPT_MS = 30 * 24 * 3600 * 1000;
/** Nobody waits longer for an answer. */
const LIFE_MS = 30_000;

const indexIn = (configDir: string): string => join(configDir, 'runs');

export const noteOf = (configDir: string, gitFolder: string): string =>
  join(indexIn(configDir), `${createHash('sha256').update(gitFolder).digest('hex').slice(0, 32)}.json`);

/** Whether another place than this one is noted. The folder is the one that the settings were read from: to look into it takes nothing more. */
export async function isOtherNoted(configDir: string, gitFolder: string | null): Promise<boolean> {
  const own = gitFolder === null ? null : noteOf(configDir, gitFolder);
  const names = await readdir(indexIn(configDir)).catch(() => []);
  return names.some((name) => name.endsWith('.json') && join(indexIn(configDir), name) !== own);
}

export interface PlacesWish {
  readonly configDir: string;
  /** A git folder that is noted when it holds runs. */
  readonly note: string | null;
  /** Also tell what the other places hold. */
  readonly look: boolean;
}

/**
 * What a process of its own does for a command (look-around.ts): notes a place and tells what the others hold, a place a line. A disk
 * that does not answer holds up only this process, which can be killed.
 */
export async function answerPlaces(
  { configDir, note, look }: PlacesWish,
  tell: (line: string) => Promise<void>,
): Promise<void> {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), LIFE_MS).unref();
  await tell('[]\n');
  const others = async () => {
    const places = (await notedPlaces(configDir)).filter((place) => place !== note);
    await Promise.all(places.map(async (place) => tell(`${JSON.stringify(await recordsOf(place))}\n`)));
  };
  await Promise.all([note === null ? null : notePlace(configDir, note), look ? others() : null]);
  // Not while somebody waits for an answer: it asks for what may be gone.
  if (!look) await forgetGone(indexIn(configDir)).catch(() => undefined);
}

/**
 * Notes a git folder that holds runs, a file for each, so that other clones of its repository find them. It is for finding alone: where
 * it cannot be written, the repository still finds its own runs.
 */
async function notePlace(configDir: string, gitFolder: string): Promise<void> {
  const index = indexIn(configDir);
  const file = noteOf(configDir, gitFolder);
  const part = `${file}.${randomBytes(4).toString('hex')}.part`;
  if ((await recordsOf(gitFolder)).length === 0) return;
  try {
    const now = new Date();
    if ((await readNote(file))?.value.gitFolder === gitFolder) return await utimes(file, now, now);
    await makeFolder(index, 0o700);
    await writeFile(part, JSON.stringify({ gitFolder }));
    await rename(part, file);
  } catch {
    await rm(part, { force: true }).catch(() => undefined);
  }
}

/** The git folders on this machine that hold runs of this user, as far as they are noted; some may be gone. */
async function notedPlaces(configDir: string): Promise<string[]> {
  const index = indexIn(configDir);
  const names = await readdir(index).catch(() => []);
  return (await Promise.all(names.map((name) => placeIn(join(index, name))))).filter((place) => place !== null);
}

async function forgetGone(index: string): Promise<void> {
  const names = await readdir(index);
  await Promise.all(
    names.map(async (name) => {
      const file = join(index, name);
      const found = await stat(file).catch(() => null);
      if (found === null || Date.now() - found.mtimeMs < KEPT_MS) return;
      const place = await placeIn(file);
      if (place === null || (await stat(place).catch(() => null)) === null) await rm(file, { force: true });
    }),
  );
}

async function placeIn(file: string): Promise<string | null> {
  if (!file.endsWith('.json')) return null;
  const gitFolder = (await readNote(file))?.value.gitFolder;
  return typeof gitFolder === 'string' ? gitFolder : null;
}
