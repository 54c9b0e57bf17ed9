import { HangarError } from '@hangar/contract';
import { openSandbox, type Reach } from '@hangar/sandbox';
import { LRUCache } from 'lru-cache';
import type { BroughtToSandboxes, Hand, ProfilesOfSandboxes } from '../needs.ts';
import type { SandboxRow } from '../store/sandboxes-tables.ts';

const KEPT = 1_000;

/** The machines of sandboxes, each opened once in this process and kept while it answers. */
export interface Machines {
  /** The driver that started its machine, or was about to; null: nobody was. */
  reach(row: SandboxRow): Promise<Reach | null>;
  /** @throws HangarError sandbox_gone, driver_unavailable, connection_lost */
  open(row: SandboxRow, signal: AbortSignal): Promise<Hand>;
  /** Whatever is known of the way to it counts no more. */
  forget(id: string): void;
}

export const unitOf = ({ id, attempt }: Pick<SandboxRow, 'id' | 'attempt'>) => ({ id, attempt });

export function createMachines(
  profiles: Pick<ProfilesOfSandboxes, 'reach'>,
  brought: Pick<BroughtToSandboxes, 'programs' | 'nodeFile'>,
): Machines {
  const known = new LRUCache<string, { readonly of: string; readonly hand: Hand }>({ max: KEPT });

  async function reach(row: SandboxRow): Promise<Reach | null> {
    return row.profileRevision === null ? null : profiles.reach(row.profile, row.profileRevision);
  }

  return {
    reach,
    async open(row, signal) {
      const of = `${row.attempt} ${row.profileRevision}`;
      const kept = known.get(row.id);
      if (kept?.of === of) return kept.hand;
      const through = await reach(row);
      if (through === null) throw new HangarError('sandbox_gone');
      const hand = openSandbox(await through.units.machine(unitOf(row), { signal }), { brought });
      known.set(row.id, { of, hand });
      return hand;
    },
    forget: (id) => void known.delete(id),
  };
}
