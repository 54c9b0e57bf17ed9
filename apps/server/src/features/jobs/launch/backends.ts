import { HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import type { BackendsOfJobs } from '../needs.ts';

const VALIDATE_MS = 30_000;

/** A profile whose jobs its backend would refuse is told of when the server starts, not by the first job. */
export async function tellRefused(all: () => Promise<BackendsOfJobs>, log: Logger): Promise<void> {
  const backends = await all().catch((error: unknown) => {
    log.warn({ err: error }, 'the profiles cannot be looked at');
    return [];
  });
  for (const { name, reach } of backends) {
    const o = { signal: AbortSignal.timeout(VALIDATE_MS) };
    await reach.validate?.(o).catch((error: unknown) => {
      const known = error instanceof HangarError ? error : null;
      const said = known?.message ?? 'a profile cannot be looked at';
      log.warn({ profile: name, code: known?.code, wayOut: known?.wayOut }, said);
    });
  }
}
