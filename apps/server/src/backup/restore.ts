import { stat } from 'node:fs/promises';
import { HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Blobs } from '../platform/blobs/blobs.ts';
import { type Load, openLoad, reachDatabase } from '../platform/database/index.ts';
import { openSecrets } from '../platform/secrets/index.ts';
import { RESTORED } from '../restored.ts';
import type { Head, Manifest } from './archive-format.ts';
import { readArchive } from './archive-reader.ts';

export interface RestoreSummary {
  readonly file: string;
  readonly madeAt: string;
  readonly madeBy: string;
  readonly jobs: number;
  readonly files: number;
  /** Jobs that were in hand when the backup was made: they end as lost. */
  readonly lost: number;
  /** Jobs that waited then: they run when the server starts. */
  readonly queued: number;
}

export interface RestoreParts {
  readonly file: string;
  /** What is there already goes. */
  readonly replace: boolean;
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly masterKeyFile: string;
  /** Opened when the file has been proved: until then nothing is touched. */
  readonly openBlobs: () => Promise<Blobs>;
  readonly log: Logger;
  readonly say: (words: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Brings a backup to an empty data directory or database that no server uses. The file is proved from end to end and the master key
 * tried before anything is touched; rows come in one transaction.
 * @throws HangarError backup_unreadable, restore_not_empty, master_key_wrong, data_dir_in_use, disk_full
 */
export async function restore(o: RestoreParts): Promise<RestoreSummary> {
  const size = await stat(o.file).then(
    (found) => Math.max(1, found.size),
    () => 1,
  );
  const progress = (doing: string) => (bytes: number) => o.say(`${doing}: ${Math.round((bytes / size) * 100)} %`);
  const { head, manifest } = await readArchive(o.file, { progress: progress('Checking the file') }, o.signal);
  await proveKey(head, o.masterKeyFile);
  const reached = await reachDatabase({
    url: o.databaseUrl,
    dataDir: o.dataDir,
    alone: true,
    log: o.log,
    signal: o.signal,
  });
  try {
    const load = await openLoad(reached.connection);
    const stop = () => void load.close();
    o.signal.addEventListener('abort', stop, { once: true });
    try {
      return await fill(load, manifest, progress('Restoring'), o);
    } finally {
      o.signal.removeEventListener('abort', stop);
      await load.close();
    }
  } finally {
    await reached.close();
  }
}

async function proveKey(head: Head, keyFile: string): Promise<void> {
  const settings = { get: async () => head.canary, set: async () => undefined, getOrSet: async () => head.canary };
  await openSecrets({ keyFile, generate: false, settings }).catch((cause: unknown) => {
    if (!(cause instanceof HangarError) || cause.code !== 'master_key_wrong') throw cause;
    throw new HangarError('master_key_wrong', {
      message: `The master key file ${keyFile} is missing or is not the one of this backup. Nothing was changed.`,
      wayOut: `Copy the key file of the server that was backed up to ${keyFile}, or set HANGAR_MASTER_KEY_FILE to it.`,
      cause,
    });
  });
}

async function fill(
  load: Load,
  { jobs, files }: Manifest,
  progress: (bytes: number) => void,
  o: RestoreParts,
): Promise<RestoreSummary> {
  const fresh: string[] = [];
  let blobs: Blobs | null = null;
  try {
    const { head } = await readArchive(
      o.file,
      {
        progress,
        async head(found) {
          await load.begin({ ...found, replace: o.replace });
          blobs = await o.openBlobs();
          if (!o.replace) await refuseFilled(blobs);
        },
        rows: (table, rows) => load.insert(table, rows),
        async blob(key, body) {
          if (blobs === null) throw new Error('a file comes before the head');
          fresh.push(key);
          await blobs.put(key, body, { maxBytes: Number.POSITIVE_INFINITY, signal: o.signal });
        },
      },
      o.signal,
    );
    await load.finish();
    const { lost, queued } = await becomeAnother(load);
    await load.commit();
    return { file: o.file, madeAt: head.createdAt, madeBy: head.version, jobs, files, lost, queued };
  } catch (error) {
    await load.close();
    // Where something else was before, a file of the same name may be its.
    if (blobs !== null && !o.replace) await removeAll(blobs, fresh);
    throw error;
  }
}

async function removeAll(blobs: Blobs, keys: readonly string[]): Promise<void> {
  for (const key of keys) await blobs.remove(key).catch(() => undefined);
}

async function refuseFilled(blobs: Blobs): Promise<void> {
  for await (const key of blobs.list(''))
    throw new HangarError('restore_not_empty', { message: `The store for logs and artifacts is not empty: ${key}.` });
}

/**
 * The restored server is another one than the one that was backed up, which may live on: nothing that one started belongs to this one.
 * What that means for each noun, its feature says.
 */
async function becomeAnother(load: Load): Promise<{ lost: number; queued: number }> {
  await load.run(`delete from setting where key = 'instance'`);
  let [lost, queued] = [0, 0];
  for (const restored of RESTORED) {
    const found = await restored(load);
    lost += found.lost;
    queued += found.queued;
  }
  return { lost, queued };
}
