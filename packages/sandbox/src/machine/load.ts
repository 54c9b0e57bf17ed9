import { HangarError } from '@hangar/contract';
import type { CallOptions } from '../port/call.ts';
import type { Load } from '../port/machine.ts';
import { type Limits, limitsOf } from './limits.ts';
import { LIMITS } from './limits-script.ts';
import type { Talk } from './talk.ts';

/** What a machine uses now: as it says itself, or looked at from inside. Processor time is told from the second sample on. */
export function createLoad(talk: Talk): (o: CallOptions) => Promise<Load> {
  const { machine } = talk;
  let before: Limits | null = null;
  return async (o) => {
    if (machine.capabilities.load === 'native' && machine.load !== undefined) return machine.load(o);
    const answer = await talk.ask(LIMITS, [], o);
    if (answer.code !== 0)
      throw new HangarError('connection_lost', { message: `The machine does not say what it uses. ${answer.error}` });
    const now = limitsOf(answer.output.toString());
    const cpus = before === null ? null : used(before, now);
    before = now;
    const { cpusMost, memoryBytes, memoryMost, diskBytes, diskMost } = now;
    return { at: new Date(), cpus, cpusMost, memoryBytes, memoryMost, diskBytes, diskMost };
  };
}

/** Null when the machine has started anew or no time has passed. */
function used(before: Limits, now: Limits): number | null {
  const seconds = now.uptime - before.uptime;
  if (before.cpuSeconds === null || now.cpuSeconds === null || seconds <= 0) return null;
  const busy = now.cpuSeconds - before.cpuSeconds;
  return busy < 0 ? null : busy / seconds;
}
