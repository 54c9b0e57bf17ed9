import type { Load } from '../../../platform/database/backup/load.ts';

/**
 * A machine is left to the server that made it: its sandbox is closed here, and what ran in it is lost. One that waited keeps its place;
 * its unit gets another name.
 */
export async function sandboxesRestored({ run }: Pick<Load, 'run'>): Promise<{ lost: number; queued: number }> {
  const lost = await run(
    `update sandbox set closed_for = 'restore', cleaned_at = now(), lease_until = null, wake_at = now()
     where finished_at is null and admitted_at is not null`,
  );
  await run(
    `update execution set lease_until = null, wake_at = now(), cleaned_at = now(),
       ending = '{"reason": "lost", "exitCode": null, "signal": null, "stdout": 0, "stderr": 0, "leftover": 0, "message": "This server was restored from a backup."}'
     where finished_at is null and exists (select 1 from sandbox s where s.id = sandbox_id and s.closed_for = 'restore')`,
  );
  const queued = await run(
    'update sandbox set attempt = attempt + 1, lease_until = null where finished_at is null and admitted_at is null',
  );
  return { lost, queued };
}
