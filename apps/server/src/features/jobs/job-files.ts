import type { DiffStat } from '@hangar/contract';
import { and, eq, lt, sql } from 'drizzle-orm';
import type { Database } from '../../platform/database/index.ts';
import { type ArtifactRow, artifacts, EVENTS_CHANNEL, jobs, type UploadRow, uploads } from './jobs-tables.ts';

/** The rows beside the blobs of jobs: artifacts of their workers, uploads of their people. */
export function createJobFiles({ db, pool }: Database) {
  return {
    /**
     * Gives the key of the blob that nothing names any more: the one it replaces, or its own when a later upload of the
     * same name was faster (a connection that was cut, and a server that did not notice). With `diff` the job knows of it
     * in the same moment: a worker that is killed now does not say it again.
     */
    async putArtifact(
      row: typeof artifacts.$inferInsert & { turn: number },
      diff: DiffStat | null,
    ): Promise<string | null> {
      const { jobId, name, ...rest } = row;
      return db.transaction(async (tx) => {
        // Two uploads of one name take turns, so that each knows what it replaces.
        await tx.execute(sql`select pg_advisory_xact_lock(7215302, hashtext(${`${jobId}/${name}`}))`);
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
            .returning({ userId: jobs.userId });
          const changed = JSON.stringify({ type: 'job', id: jobId, userId: job?.userId });
          await tx.execute(sql`select pg_notify(${EVENTS_CHANNEL}, ${changed})`);
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
    async artifactBytes(jobId: string, except: string): Promise<number> {
      const { rows } = await pool.query<{ bytes: string }>(
        'select coalesce(sum(size_bytes), 0) as bytes from artifact where job_id = $1 and name <> $2',
        [jobId, except],
      );
      return Number(rows[0]?.bytes ?? 0);
    },

    async putUpload(row: typeof uploads.$inferInsert): Promise<void> {
      await db.insert(uploads).values(row);
    },
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
