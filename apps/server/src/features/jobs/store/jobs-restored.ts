import type { Load } from '../../../platform/database/backup/load.ts';
import { WORKER_TOKEN_KEY } from '../worker/worker-token.ts';

/**
 * A job in hand is ended and never started again; its worker, should it come, has a token that is not valid here, and its unit is left
 * to the server that made it. A job that waited keeps its place; its unit gets another name.
 */
export async function jobsRestored({ run }: Pick<Load, 'run'>): Promise<{ lost: number; queued: number }> {
  await run('delete from setting where key = $1', [WORKER_TOKEN_KEY]);
  const lost = await run(
    `update job set killed_for = 'restore', killed_at = now(), cleaned_at = now(), lease_until = null, wake_at = now()
     where finished_at is null and admitted_at is not null`,
  );
  await run(
    `update log set ended_at = now(), revision = revision + 1,
       end_state = coalesce(job.finished->>'outcome', case when job.cancel_requested_at is null then 'lost' else 'cancelled' end)
     from job where job.id = log.id and job.killed_for = 'restore' and job.finished_at is null and log.ended_at is null`,
  );
  const queued = await run(
    'update job set attempt = attempt + 1, lease_until = null where finished_at is null and admitted_at is null',
  );
  return { lost, queued };
}
