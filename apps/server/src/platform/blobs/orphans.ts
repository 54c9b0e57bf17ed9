import type { Logger } from 'pino';
import type { Database } from '../database/index.ts';
import type { Blobs } from './blobs.ts';

/** Whose the blobs below a prefix are. A backup needs no list of them: it copies what stands in any column `blob_key`. */
export interface BlobOwner {
  /** The first part of a key: `logs`. */
  readonly prefix: string;
  /** Of these keys below the prefix those that no row names. */
  unnamed(keys: readonly string[]): Promise<readonly string[]>;
}

/** Blobs `<prefix>/<id>/…` that rows of a table name in `blob_key`; `id` is the column with that part. All three are names of ours. */
export const blobsNamedBy = (
  { pool }: Pick<Database, 'pool'>,
  prefix: string,
  { table, id }: { readonly table: string; readonly id: string },
): BlobOwner => ({
  prefix,
  async unnamed(keys) {
    const { rows } = await pool.query<{ key: string }>(
      `select key from unnest($1::text[]) key
       where not exists (select 1 from ${table} where ${id} = split_part(key, '/', 2) and blob_key = key)`,
      [keys],
    );
    return rows.map(({ key }) => key);
  },
});

const PAGE = 500;
/** A blob whose row is not written yet is younger than this. */
const ORPHAN_AGE_MS = 24 * 3600_000;

/** Removes blobs that no row has named for a day: left by a crash between two steps. What has no owner here is left alone. */
export function createOrphanSweep(o: {
  readonly blobs: Blobs;
  readonly owners: readonly BlobOwner[];
  /** Runs unless a backup is being made, which may still have to copy what would go; then null. */
  readonly whileNoBackup: <T>(work: () => Promise<T>) => Promise<T | null>;
  readonly log: Logger;
}): (signal: AbortSignal) => Promise<number> {
  return async (signal) => {
    const before = new Date(Date.now() - ORPHAN_AGE_MS);
    let removed = 0;
    const look = async (owner: BlobOwner, keys: readonly string[]) => {
      if (keys.length === 0) return;
      await o.whileNoBackup(async () => {
        for (const key of await owner.unnamed(keys)) {
          await o.blobs.remove(key);
          removed += 1;
        }
      });
    };
    for (const owner of o.owners) {
      let keys: string[] = [];
      for await (const key of o.blobs.list(`${owner.prefix}/`, { before })) {
        signal.throwIfAborted();
        keys.push(key);
        if (keys.length < PAGE) continue;
        await look(owner, keys);
        keys = [];
      }
      await look(owner, keys);
    }
    removed += await o.blobs.removeUnfinished(before);
    if (removed > 0) o.log.info({ removed }, 'removed files that nobody refers to');
    return removed;
  };
}
