import type { Blobs } from '../../../platform/blobs/blobs.ts';
import { type BlobOwner, blobsNamedBy } from '../../../platform/blobs/orphans.ts';
import type { Database } from '../../../platform/database/index.ts';
import type { Logs } from '../../../platform/logs/index.ts';
import type { Keeper } from '../../../platform/retention/retention.ts';

const KEPT = `j.finished_at is not null and (j.log_removed_at is null or j.artifacts_removed_at is null)`;
const LOG_IS_THERE = `j.log_removed_at is null and exists (select 1 from log where log.id = j.id and log.ended_at is not null)`;
const IS_THERE = {
  log: LOG_IS_THERE,
  artifacts: 'exists (select 1 from artifact a where a.job_id = j.id)',
} as const;

/** What ended jobs leave behind: their logs and their artifacts. */
export function createJobKeeper(o: {
  readonly database: Pick<Database, 'pool'>;
  readonly blobs: Pick<Blobs, 'remove'>;
  readonly logs: Pick<Logs, 'remove' | 'stats'>;
}): Keeper {
  const { pool } = o.database;

  /** Of a job that runs nothing goes. */
  async function dropLog(id: string): Promise<void> {
    const { rows } = await pool.query<{ has_ended: boolean }>(
      `with marked as (update job set log_removed_at = now() where id = $1 and finished_at is not null and log_removed_at is null)
       select finished_at is not null as has_ended from job where id = $1`,
      [id],
    );
    if (rows[0]?.has_ended) await o.logs.remove(id);
  }

  /** Says so and forgets the rows in one step. */
  async function dropArtifacts(id: string): Promise<void> {
    const { rows } = await pool.query<{ blob_key: string }>(
      `with j as (update job set artifacts_removed_at = coalesce(artifacts_removed_at, now())
         where id = $1 and finished_at is not null returning id)
       delete from artifact using j where artifact.job_id = j.id returning blob_key`,
      [id],
    );
    for (const { blob_key } of rows) await o.blobs.remove(blob_key);
  }

  return {
    async people() {
      const { rows } = await pool.query<{ user_id: string }>(`select distinct user_id from job j where ${KEPT}`);
      return rows.map((row) => row.user_id);
    },

    async olderThan(userId, kind, days, limit) {
      const { rows } = await pool.query<{ id: string }>(
        `select j.id from job j where j.user_id = $1 and ${KEPT} and j.finished_at < now() - $2 * interval '1 day'
           and ${IS_THERE[kind]} order by j.finished_at limit $3`,
        [userId, days, limit],
      );
      return rows.map((row) => row.id);
    },

    async kept(userId, before, limit) {
      const { rows } = await pool.query<{ id: string; finished_at: Date; has_log: boolean; artifact_bytes: string }>(
        `select j.id, j.finished_at, ${LOG_IS_THERE} as has_log,
           (select coalesce(sum(a.size_bytes), 0) from artifact a where a.job_id = j.id) as artifact_bytes
         from job j where j.user_id = $1 and ${KEPT} and ($2::timestamptz is null or (j.finished_at, j.id) < ($2, $3))
         order by j.finished_at desc, j.id desc limit $4`,
        [userId, before?.endedAt ?? null, before?.id ?? null, limit],
      );
      const logs = await o.logs.stats(rows.filter((row) => row.has_log).map((row) => row.id));
      return rows.map((row) => ({
        id: row.id,
        endedAt: row.finished_at,
        bytes: {
          ...(row.has_log ? { log: logs.get(row.id)?.bytes ?? 0 } : {}),
          ...(Number(row.artifact_bytes) > 0 ? { artifacts: Number(row.artifact_bytes) } : {}),
        },
      }));
    },

    drop: (id, kind) => (kind === 'log' ? dropLog(id) : dropArtifacts(id)),

    async halfDropped(limit) {
      const { rows } = await pool.query<{ id: string }>(
        'select log.id from log join job j on j.id = log.id where j.log_removed_at is not null limit $1',
        [limit],
      );
      return rows.map(({ id }) => ({ id, kind: 'log' as const }));
    },
  };
}

/** Artifacts of jobs, and what was uploaded for them. */
export const jobBlobs = (database: Pick<Database, 'pool'>): BlobOwner[] => [
  blobsNamedBy(database, 'jobs', { table: 'artifact', id: 'job_id' }),
  blobsNamedBy(database, 'uploads', { table: 'upload', id: 'id' }),
];
