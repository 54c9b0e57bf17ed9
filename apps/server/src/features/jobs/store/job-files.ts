import { type DiffStat, HangarError, sizeInWords } from '@hangar/contract';
import { and, eq, lt, sql } from 'drizzle-orm';
import type { Database, Tx } from '../../../platform/database/index.ts';
import { sending } from '../../../platform/database/listener.ts';
import { lockThings } from '../../../platform/database/locks.ts';
import { jobChanged } from '../lifecycle/job-noun.ts';
import { createArrivals } from './arrivals.ts';
import { type ArtifactRow, artifacts, jobs, type UploadRow, uploads } from './jobs-tables.ts';

/** The rows beside the blobs of jobs: artifacts of their workers, uploads of their people. */
export function createJobFiles({ db }: Database) {
  return {
    ...createArrivals({ db }),
    /**
     * Gives the key of the blob that nothing names any more: the one it replaces, or its own when a later upload of the
     * same name was faster (a connection that was cut, and a server that did not notice). With `diff` the job knows of it
     * in the same moment: a worker that is killed now does not say it again.
     */
    async putArtifact(
      row: typeof artifacts.$inferInsert & { turn: number },
      diff: DiffStat | null,
      mostBytes: number,
    ): Promise<string | null> {
      const { jobId, name, ...rest } = row;
      return db.transaction(async (tx) => {
        // Uploads of one job take turns: each knows what it replaces, and together they hold the limit.
        await tx.execute(lockThings('artifacts', [jobId]));
        const usedBytes = await artifactBytes(tx, jobId, name);
        if (usedBytes + row.sizeBytes > mostBytes) throw tooManyBytes(mostBytes, usedBytes);
        const [before] = await tx
          .select({ blobKey: artifacts.blobKey, turn: artifacts.turn })
          .from(artifacts)
          .where(and(eq(artifacts.jobId, jobId), eq(artifacts.name, name)));
        if (before !== undefined && before.turn > row.turn) return row.blobKey;
        await tx
          .insert(artifacts)
          .values(row)
          .onConflictDoUpdate({ target: [artifacts.jobId, artifacts.name], set: { ...rest, createdAt: sql`now()` } });
        if (diff !== null) {
          const [job] = await tx
            .update(jobs)
            .set({ diff })
            .where(eq(jobs.id, jobId))
            .returning({ id: jobs.id, userId: jobs.userId });
          if (job) await tx.execute(sending([jobChanged(job)]));
        }
        return before?.blobKey ?? null;
      });
    },
    async artifact(jobId: string, name: string): Promise<ArtifactRow | null> {
      const [row] = await db
        .select()
        .from(artifacts)
        .where(and(eq(artifacts.jobId, jobId), eq(artifacts.name, name)));
      return row ?? null;
    },
    /** What the others of a job hold. @throws HangarError quota_artifacts, when one more is too many */
    artifactBytes: (jobId: string, except: string, within: Tx = db): Promise<number> =>
      artifactBytes(within, jobId, except),

    /** False when what this person has sent and no job has used would hold more than `mostUnused` bytes with it. */
    async putUpload(row: typeof uploads.$inferInsert, mostUnused: number): Promise<boolean> {
      return db.transaction(async (tx) => {
        // One after the other, so that together they hold the limit.
        await tx.execute(lockThings('uploads', [row.userId]));
        await tx.execute(sql`delete from upload_arriving where id = ${row.id}`);
        const { bytes } = await unusedUploads(tx, row.userId);
        if (bytes + row.sizeBytes > mostUnused) return false;
        await tx.insert(uploads).values(row);
        return true;
      });
    },
    /** What this person has sent and no job was started with, and when the first of it goes. */
    unusedUploads: (userId: string, within: Tx = db) => unusedUploads(within, userId),
    async upload(id: string, userId: string): Promise<UploadRow | null> {
      const [row] = await db
        .select()
        .from(uploads)
        .where(and(eq(uploads.id, id), eq(uploads.userId, userId)));
      return row ?? null;
    },
    /** Uploads whose time is over and that no waiting or running job needs. */
    async expiredUploads(): Promise<UploadRow[]> {
      return db
        .select()
        .from(uploads)
        .where(
          and(
            lt(uploads.expiresAt, sql`now()`),
            sql`not exists (select 1 from job where finished_at is null and (bundle_id = ${uploads.id} or patch_id = ${uploads.id}))`,
          ),
        )
        .limit(500);
    },
    async removeUpload(id: string): Promise<void> {
      await db.delete(uploads).where(eq(uploads.id, id));
    },
  };
}

export const tooManyBytes = (limitBytes: number, usedBytes: number): HangarError =>
  new HangarError('quota_artifacts', {
    message: `The artifacts of a job may have ${sizeInWords(limitBytes)} together.`,
    details: { limitBytes, usedBytes },
  });

/** More are not kept of one job: each is a row, a blob and a line in every list. The diff is not one of them. */
const MOST_ARTIFACTS = 1000;

async function artifactBytes(db: Tx, jobId: string, except: string): Promise<number> {
  const { rows } = await db.execute<{ bytes: string; files: number }>(sql`
    select coalesce(sum(size_bytes), 0) as bytes, (count(*) filter (where kind = 'file'))::int as files
    from artifact where job_id = ${jobId} and name <> ${except}`);
  const [row] = rows;
  if ((row?.files ?? 0) >= MOST_ARTIFACTS && except !== 'diff')
    throw new HangarError('quota_artifacts', {
      message: `A job may leave ${MOST_ARTIFACTS} artifacts.`,
      wayOut: 'Leave fewer files, or put them into an archive.',
      details: { limit: MOST_ARTIFACTS },
    });
  return Number(row?.bytes ?? 0);
}

async function unusedUploads(db: Tx, userId: string): Promise<{ bytes: number; freeAt: Date | null }> {
  const { rows } = await db.execute<{ bytes: string; free_at: string | null }>(sql`
    with used as (
      select unnest(array[bundle_id, patch_id]) as id from job where user_id = ${userId}
      and created_at >= (select min(created_at) - interval '1 hour' from upload where user_id = ${userId})
    )
    select coalesce(sum(size_bytes), 0) as bytes, min(expires_at) as free_at from upload
    where user_id = ${userId} and expires_at > now() and not exists (select 1 from used where used.id = upload.id)`);
  const [row] = rows;
  return { bytes: Number(row?.bytes ?? 0), freeAt: row?.free_at == null ? null : new Date(row.free_at) };
}
