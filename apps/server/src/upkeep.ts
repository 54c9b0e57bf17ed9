import { createOrphanSweep } from './platform/blobs/orphans.ts';
import type { Capability, Foundation } from './platform/capability.ts';
import type { Chore } from './platform/chores.ts';
import { createRetention, type RetentionParts } from './platform/retention/retention.ts';

/** What is done over all capabilities, beside what each does itself. */
export function choresOver(
  { blobs, logs, whileNoBackup, log }: Foundation,
  capabilities: readonly Capability[],
  { planOf }: Pick<RetentionParts, 'planOf'>,
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
    ...capabilities.flatMap(({ chores }) => chores ?? []),
  ];
}
