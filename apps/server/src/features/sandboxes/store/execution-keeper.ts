import type { Database } from '../../../platform/database/index.ts';
import type { Logs } from '../../../platform/logs/index.ts';
import type { Keeper } from '../../../platform/retention/retention.ts';

const KEPT = `e.finished_at is not null and e.log_removed_at is null
  and exists (select 1 from log where log.id = e.id and log.ended_at is not null)`;

/** What ended executions leave behind: what they printed. */
export function createExecutionKeeper(o: {
  readonly database: Pick<Database, 'pool'>;
  readonly logs: Pick<Logs, 'remove' | 'stats'>;
}): Keeper {
  const { pool } = o.database;
  return {
    async people() {
      const { rows } = await pool.query<{ user_id: string }>(`select distinct user_id from execution e where ${KEPT}`);
      return rows.map((row) => row.user_id);
    },
    async olderThan(userId, kind, days, limit) {
      if (kind !== 'log') return [];
      const { rows } = await pool.query<{ id: string }>(
        `select e.id from execution e where e.user_id = $1 and ${KEPT} and e.finished_at < now() - $2 * interval '1 day'
         order by e.finished_at limit $3`,
        [userId, days, limit],
      );
      return rows.map((row) => row.id);
    },
    async kept(userId, before, limit) {
      const { rows } = await pool.query<{ id: string; finished_at: Date }>(
        `select e.id, e.finished_at from execution e
         where e.user_id = $1 and ${KEPT} and ($2::timestamptz is null or (e.finished_at, e.id) < ($2, $3))
         order by e.finished_at desc, e.id desc limit $4`,
        [userId, before?.endedAt ?? null, before?.id ?? null, limit],
      );
      const logs = await o.logs.stats(rows.map(({ id }) => id));
      return rows.map(({ id, finished_at }) => ({
        ...{ id, endedAt: finished_at, bytes: { log: logs.get(id)?.bytes ?? 0 } },
      }));
    },
    async drop(id) {
      const { rowCount } = await pool.query(
        'update execution set log_removed_at = now() where id = $1 and finished_at is not null and log_removed_at is null',
        [id],
      );
      if ((rowCount ?? 0) > 0) await o.logs.remove(id);
    },
    async halfDropped(limit) {
      const { rows } = await pool.query<{ id: string }>(
        'select log.id from log join execution e on e.id = log.id where e.log_removed_at is not null limit $1',
        [limit],
      );
      return rows.map(({ id }) => ({ id, kind: 'log' as const }));
    },
  };
}
