import { HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import type { JobsStore } from '../store/jobs-store.ts';
import type { Launcher } from './launcher.ts';

const VALIDATE_MS = 30_000;

/** The launcher of each profile that this server offers. */
export type Launchers = readonly { readonly name: string; readonly reach: Launcher }[];

/** A profile whose jobs its backend would refuse is told of when the server starts, not by the first job. */
export async function tellRefused(all: () => Promise<Launchers>, log: Logger): Promise<void> {
  const launchers = await all().catch((error: unknown) => {
    log.warn({ err: error }, 'the profiles cannot be looked at');
    return [];
  });
  for (const { name, reach } of launchers) {
    const o = { signal: AbortSignal.timeout(VALIDATE_MS) };
    await reach.validate?.(o).catch((error: unknown) => {
      const known = error instanceof HangarError ? error : null;
      const said = known?.message ?? 'a profile cannot be looked at';
      log.warn({ profile: name, code: known?.code, wayOut: known?.wayOut }, said);
    });
  }
}

/** Removes what is on the backends and belongs to no job any more. A backend that is away has another turn. */
export async function sweepUnits(
  launchers: Launchers,
  store: Pick<JobsStore, 'ownsUnit'>,
  o: { log: Logger; signal: AbortSignal },
): Promise<void> {
  for (const { name, reach } of launchers) {
    const report = await reach
      .sweep((unit) => store.ownsUnit(unit.jobId, unit.attempt), { signal: o.signal })
      .catch((error: unknown) => o.log.debug({ err: error, profile: name }, 'cannot sweep'));
    if (report && report.removed.length > 0)
      o.log.info({ profile: name, removed: report.removed }, 'removed what nobody owns');
  }
}
