import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import type { Machines } from '../acts/machines.ts';
import { stillOpen } from '../lifecycle/sandbox-facts.ts';
import type { Hand } from '../needs.ts';
import type { SandboxesStore } from '../store/sandboxes-store.ts';
import type { SandboxRow } from '../store/sandboxes-tables.ts';

const LOOK_MS = 200;
/** For a machine that is being made. */
const READY_MS = 12_000;
/** Less than what any sandbox may stay unused. */
const IN_USE_MS = 10_000;

export interface Person {
  readonly userId: string;
}

/** The way into the machines of one's own sandboxes: an admin sees others', and reaches into none of them. */
export interface OwnMachines {
  /** @throws HangarError sandbox_not_found */
  row(person: Person, id: string): Promise<SandboxRow>;
  /**
   * Waits for a machine that is being made. Counts as activity.
   * @throws HangarError sandbox_not_found, sandbox_closed, sandbox_paused, sandbox_gone, driver_unavailable, connection_lost
   */
  enter(person: Person, id: string, signal: AbortSignal): Promise<Hand>;
  /** While a transfer lasts, the sandbox is in use; until the function that it answers is called. */
  inUse(id: string): () => void;
  machineOf(row: SandboxRow, signal: AbortSignal): Promise<Hand>;
}

export function createOwnMachines({
  store,
  machines,
}: {
  readonly store: Pick<SandboxesStore, 'of' | 'touch'>;
  readonly machines: Pick<Machines, 'open'>;
}): OwnMachines {
  const row = (person: Person, id: string) => store.of(person.userId).get(id);

  async function ready(person: Person, id: string, signal: AbortSignal): Promise<SandboxRow> {
    const deadline = performance.now() + READY_MS;
    for (;;) {
      const found = stillOpen(await row(person, id));
      if (found.state === 'paused')
        throw new HangarError('sandbox_paused', { wayOut: `Resume it, then try again: hangar sandbox resume ${id}` });
      if (found.readyAt !== null && found.state === 'running') return found;
      if (performance.now() > deadline)
        throw new HangarError('driver_unavailable', {
          message: `The machine of ${id} is not there yet: ${found.reason}.`,
          wayOut: `Try again when it runs: hangar sandbox show ${id}`,
        });
      await sleep(LOOK_MS, undefined, { signal });
    }
  }

  return {
    row,
    async enter(person, id, signal) {
      const found = await ready(person, id, signal);
      await store.touch(id);
      return machines.open(found, signal);
    },
    inUse(id) {
      // A touch that fails is made up for by the next.
      const timer = setInterval(() => void store.touch(id).catch(() => undefined), IN_USE_MS);
      return () => clearInterval(timer);
    },
    machineOf: (found, signal) => machines.open(found, signal),
  };
}
