import { MachineAway, MachineLoad } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Api } from '../server/api.ts';
import { eventStream, understood } from '../server/event-stream.ts';
import type { MachineNow } from './machine-words.ts';

/** Asks the machine what it is, and looks until its processor time is known: that takes two looks. */
export async function machineOf(api: Api, id: string, signal: AbortSignal): Promise<MachineNow> {
  try {
    const [platform, load] = await Promise.all([
      api.client.machines.platform({ sandbox: id }),
      loadOf(api, id, signal),
    ]);
    return { platform, load };
  } catch (error) {
    if (error instanceof HangarError && error.code === 'sandbox_closed') return { platform: null, load: null };
    throw error;
  }
}

async function loadOf(api: Api, id: string, signal: AbortSignal): Promise<MachineLoad | MachineAway | null> {
  const frames = eventStream(api, `/drivers/resources?sandbox=${id}`, {
    ...{ signal, onLost: () => undefined, onBack: () => undefined },
  });
  let looks = 0;
  for await (const { event, data } of frames) {
    if (event === 'end') return null;
    if (event === 'away') return understood(api, MachineAway, data);
    if (event !== 'load') continue;
    const load = understood(api, MachineLoad, data);
    looks += 1;
    if (load.cpus !== null || looks > 1) return load;
  }
  return null;
}
