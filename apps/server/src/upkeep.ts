import type { Reach, UnitKey } from '@hangar/sandbox';
import type { Logger } from 'pino';
import { createOrphanSweep } from './platform/blobs/orphans.ts';
import type { Capability, Foundation } from './platform/capability.ts';
import type { Chore } from './platform/chores.ts';
import { createRetention, type RetentionParts } from './platform/retention/retention.ts';

/** Wherever units may be left: through all settings of profiles that are kept, each once. */
export interface Backends {
  everReached(): Promise<readonly { readonly name: string; readonly reach: Reach }[]>;
}

/** What is done over all capabilities, beside what each does itself. */
export function choresOver(
  { blobs, logs, whileNoBackup, log }: Foundation,
  capabilities: readonly Capability[],
  { planOf, everReached }: Pick<RetentionParts, 'planOf'> & Pick<Backends, 'everReached'>,
): Chore[] {
  const part = log.child({ part: 'retention' });
  const keepers = capabilities.flatMap((capability) => capability.keepers ?? []);
  const owners = [logs.owner, ...capabilities.flatMap((capability) => capability.blobs ?? [])];
  const retain = createRetention({ keepers, planOf, whileNoBackup, log: part });
  const sweep = createOrphanSweep({ blobs, owners, whileNoBackup, log: part });
  return [
    { name: 'move ended logs to the blob store', everyMs: 20_000, run: (signal) => logs.compactEnded(signal) },
    {
      name: 'remove what plans do not keep any longer',
      everyMs: 10 * 60_000,
      run: async (signal) => void (await retain(signal)),
    },
    {
      name: 'remove files nobody refers to',
      everyMs: 6 * 3600_000,
      run: async (signal) => void (await sweep(signal)),
    },
    {
      name: 'remove units nobody owns',
      everyMs: 5 * 60_000,
      run: async (signal) =>
        sweepUnits(await everReached(), capabilities, { log: log.child({ part: 'units' }), signal }),
    },
    ...capabilities.flatMap(({ chores }) => chores ?? []),
  ];
}

/** Removes what is on the backends and belongs to nothing any more. A backend that is away has another turn. */
async function sweepUnits(
  backends: Awaited<ReturnType<Backends['everReached']>>,
  owners: readonly Pick<Capability, 'ownsUnit'>[],
  o: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const isOwned = async ({ id, attempt }: UnitKey): Promise<boolean> => {
    for (const { ownsUnit } of owners) if (await ownsUnit?.(id, attempt)) return true;
    return false;
  };
  for (const { name, reach } of backends) {
    const report = await reach.units
      .sweep(isOwned, { signal: o.signal })
      .catch((error: unknown) => o.log.debug({ err: error, profile: name }, 'cannot sweep'));
    if (report && report.removed.length > 0)
      o.log.info({ profile: name, removed: report.removed }, 'removed what nobody owns');
  }
}
