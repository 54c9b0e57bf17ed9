import type { Database } from '../../platform/database/index.ts';

export interface KeptJob {
  readonly id: string;
  readonly finishedAt: Date;
  readonly hasLog: boolean;
  readonly artifactBytes: number;
}

/** The SQL of what ended jobs leave behind. Jobs are only ever touched when they and their log have ended. */
export function createRetentionStore({ pool }: Pick<Database, 'pool'>) {
  const KEPT = `j.finished_at is not null and (j.log_removed_at is null or j.artifacts_removed_at is null)`;
  const LOG_IS_THERE = `j.log_removed_at is null and exists (select 1 from log where log.id = j.id and log.ended_at is not null)`;

  return {
    async people(): Promise<string[]> {
      const { rows } = await pool.query(`select distinct user_id from job j where ${KEPT}`);
      return rows.map((row) => row.user_id);
    },

    /** Jobs whose log is older than that, oldest first. */
    async logsBefore(userId: string, days: number, limit: number): Promise<string[]> {
      const { rows } = await pool.query(
        `select j.id from job j where j.user_id = $1 and ${KEPT} and j.finished_at < now() - $2 * interval '1 day' and ${LOG_IS_THERE}
         order by j.finished_at limit $3`,
        [userId, days, limit],
      );
      return rows.map((row) => row.id);
    },

    async artifactsBefore(userId: string, days: number, limit: number): Promise<string[]> {
      const { rows } = await pool.query(
        `select j.id from job j where j.user_id = $1 and ${KEPT} and j.finished_at < now() - $2 * interval '1 day'
           and exists (select 1 from artifact a where a.job_id = j.id)
         order by j.finished_at limit $3`,
        [userId, days, limit],
      );
      return rows.map((row) => row.id);
    },

    /** Ended jobs that keep something, newest first, after `before` when given. */
    async kept(userId: string, before: KeptJob | null, limit: number): Promise<KeptJob[]> {
      const { rows } = await pool.query(
        `select j.id, j.finished_at, ${LOG_IS_THERE} as has_log,
           (select coalesce(sum(a.size_bytes), 0) from artifact a where a.job_id = j.id) as artifact_bytes
         from job j where j.user_id = $1 and ${KEPT} and ($2::timestamptz is null or (j.finished_at, j.id) < ($2, $3))
         order by j.finished_at desc, j.id desc limit $4`,
        [userId, before?.finishedAt ?? null, before?.id ?? null, limit],
      );
      return rows.map((row) => ({
        id: row.id,
        finishedAt: row.finished_at,
        hasLog: row.has_log,
        artifactBytes: Number(row.artifact_bytes),
      }));
    },

    /** From here on nobody is promised this log; false when somebody else said so before. */
    async markLogRemoved(id: string): Promise<boolean> {
      const { rowCount } = await pool.query(
        'update job set log_removed_at = now() where id = $1 and finished_at is not null and log_removed_at is null',
        [id],
      );
      return rowCount === 1;
    },

    /** Logs that were to go and are still there: whoever marked them died on the way. */
    async halfRemovedLogs(limit: number): Promise<string[]> {
      const { rows } = await pool.query(
        'select log.id from log join job j on j.id = log.id where j.log_removed_at is not null limit $1',
        [limit],
      );
      return rows.map((row) => row.id);
    },

    /** Says so and forgets the rows, in one step; answers which bytes nobody is promised any more. */
    async removeArtifacts(id: string): Promise<string[]> {
      const { rows } = await pool.query(
        `with j as (update job set artifacts_removed_at = coalesce(artifacts_removed_at, now()) where id = $1 and finished_at is not null returning id)
         delete from artifact using j where artifact.job_id = j.id returning blob_key`,
        [id],
      );
      return rows.map((row) => row.blob_key);
    },

    /** Of these keys those that no row names. Of keys that are not made here nothing is known, so they count as named. */
    async unnamed(keys: readonly string[]): Promise<string[]> {
      const { rows } = await pool.query(
        `select key from (select key, split_part(key, '/', 1) as kind, split_part(key, '/', 2) as owner from unnest($1::text[]) key) k
         where (kind = 'jobs' and not exists (select 1 from artifact where job_id = owner and blob_key = key))
            or (kind = 'uploads' and not exists (select 1 from upload where id = owner and blob_key = key))
            or (kind = 'logs' and not exists (select 1 from log_chunk where log_id = owner and blob_key = key))`,
        [keys],
      );
      return rows.map((row) => row.key);
    },
  };
}
export type RetentionStore = ReturnType<typeof createRetentionStore>;
