import { lstat, mkdir } from 'node:fs/promises';
import { HangarError } from '@hangar/contract';

/**
 * A folder in which only this user makes anything. It is made when it is not there; one that somebody else made, that is a link, or
 * that others may write to is not trusted: a socket in it could be anybody's.
 * @throws HangarError data_dir_unusable
 */
export async function ownFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  const wrong = await whyNotOwn(path);
  if (wrong === null) return;
  throw new HangarError('data_dir_unusable', {
    message: `The folder of the sockets, ${path}, ${wrong}.`,
    wayOut: 'Remove that folder, or set HANGAR_DATA_DIR to another one.',
  });
}

/** What is wrong with it; null when it can be trusted. */
async function whyNotOwn(path: string): Promise<string | null> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return 'is a link to another place';
  if (!found.isDirectory()) return 'is no folder';
  const uid = process.getuid?.();
  if (uid !== undefined && found.uid !== uid) return 'belongs to another user';
  return (found.mode & 0o022) === 0 ? null : 'can be written to by others';
}
