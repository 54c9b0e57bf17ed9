import { HangarError, VERSION } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Blobs } from '../platform/blobs/blobs.ts';
import { openSnapshot, reachDatabase, type Snapshot } from '../platform/database/index.ts';
import { FORMAT, PARTS } from './archive-format.ts';
import { type ArchiveWriter, createArchive } from './archive-writer.ts';

export interface BackupSummary {
  readonly file: string;
  readonly sizeBytes: number;
  readonly jobs: number;
  readonly rows: number;
  readonly files: number;
  /** Files that the store had lost or changed before; rows in the backup name them. */
  readonly damagedFiles: number;
  readonly damaged: readonly string[];
}

export interface BackupParts {
  readonly file: string;
  readonly force: boolean;
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly blobs: Blobs;
  readonly log: Logger;
  readonly say: (words: string) => void;
  readonly signal: AbortSignal;
}

const CANARY = 'secrets.canary';
const DAMAGED_NAMED = 100;

/**
 * Writes one file with everything a server knows, as it was at one moment, while the server goes on. The rows come from one snapshot
 * of the database; the bytes they name never change under their key, and nobody removes any until this has ended.
 * @throws HangarError backup_exists, backup_running, backup_unwritable, disk_full, database_version, data_dir_unusable
 */
export async function backUp(o: BackupParts): Promise<BackupSummary> {
  const reached = await reachDatabase({
    url: o.databaseUrl,
    dataDir: o.dataDir,
    alone: false,
    log: o.log,
    signal: o.signal,
  });
  try {
    const snapshot = await openSnapshot(reached.connection);
    const stop = () => void snapshot.close();
    o.signal.addEventListener('abort', stop, { once: true });
    try {
      return await write(snapshot, o);
    } finally {
      o.signal.removeEventListener('abort', stop);
      await snapshot.close();
    }
  } finally {
    await reached.close();
  }
}

async function write(snapshot: Snapshot, o: BackupParts): Promise<BackupSummary> {
  const canary = await snapshot.setting(CANARY);
  if (typeof canary !== 'string')
    throw new HangarError('database_version', {
      message: 'This database has never been used by a server.',
      wayOut: 'Start the server once.',
    });
  const { migrations, tables } = snapshot;
  const head = { format: FORMAT, version: VERSION, createdAt: new Date().toISOString(), migrations, tables, canary };
  const archive = await createArchive(
    o.file,
    {
      ...head,
      migrations: [...migrations],
      tables: tables.map(({ name, columns }) => ({ name, columns: [...columns] })),
    },
    o,
  );
  try {
    const rows = await writeTables(archive, snapshot, o);
    const found = await writeBlobs(archive, snapshot, o);
    const jobs = rows.job ?? 0;
    const sizeBytes = await archive.finish({ tables: rows, jobs, ...found });
    const { files, damagedFiles, damaged } = found;
    const all = Object.values(rows).reduce((sum, count) => sum + count, 0);
    return { file: o.file, sizeBytes, jobs, rows: all, files, damagedFiles, damaged };
  } catch (error) {
    await archive.discard();
    o.signal.throwIfAborted();
    throw error;
  }
}

async function writeTables(
  archive: ArchiveWriter,
  snapshot: Snapshot,
  o: BackupParts,
): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  for (const [index, table] of snapshot.tables.entries()) {
    let count = 0;
    let part = 0;
    for await (const batch of snapshot.rows(table)) {
      o.signal.throwIfAborted();
      part += 1;
      count += batch.length;
      await archive.add(`${PARTS.tables}${table.name}/${part}.ndjson`, Buffer.from(`${batch.join('\n')}\n`));
      o.say(`Table ${index + 1} of ${snapshot.tables.length}: ${table.name}, ${count} rows`);
    }
    rows[table.name] = count;
  }
  return rows;
}

async function writeBlobs(archive: ArchiveWriter, snapshot: Snapshot, o: BackupParts) {
  const damaged: string[] = [];
  let damagedFiles = 0;
  let files = 0;
  let fileBytes = 0;
  const note = (words: string) => {
    damagedFiles += 1;
    if (damaged.length < DAMAGED_NAMED) damaged.push(words);
  };
  for await (const { key, sizeBytes, sha256 } of snapshot.blobs()) {
    o.signal.throwIfAborted();
    const found = await o.blobs.get(key, { signal: o.signal });
    if (found === null) {
      note(`${key} is missing`);
      continue;
    }
    const hash = await archive.stream(`${PARTS.blobs}${key}`, found.body, found.sizeBytes);
    if ((sizeBytes !== null && sizeBytes !== found.sizeBytes) || (sha256 !== null && sha256 !== hash))
      note(`${key} is not what was stored`);
    files += 1;
    fileBytes += found.sizeBytes;
    o.say(`Files: ${files}, ${Math.round(fileBytes / 1024 ** 2)} MiB`);
  }
  return { files, fileBytes, damaged, damagedFiles };
}
