import { readdirSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { smallFolder, unmount } from '../../../testing/process-bed.ts';
import { fakePeer, holdSpec } from './peer.ts';

/** A machine of the fake, for tests of all that stands on machines. */
export async function fakeBed() {
  const peer = await fakePeer();
  const { units } = peer.reach;
  const spec = holdSpec('s_bed', { deadlineSeconds: 3600 });
  const call = () => ({ signal: AbortSignal.timeout(60_000) });
  await units.ensure(spec, { ...call(), say: () => undefined });
  const home = await (await units.machine(spec.key, call())).open(['sh', '-c', 'printf %s "$HOME"'], {
    ...{ ...call(), stdin: false },
  });
  const folder = await text(home.stdout);
  const small = smallFolder(folder);
  let mounted = small;
  const free = () => {
    unmount(mounted);
    mounted = null;
  };
  return {
    machine: () => units.machine(spec.key, call()),
    folder,
    ...(small === null ? {} : { smallFolder: small }),
    /** Through a driver that has just been made. */
    reopened: () => peer.reachAs().units.machine(spec.key, call()),
    /** The fake's processes run on this machine. */
    processesWith: async (word: string): Promise<number[]> => livingWith(word),
    async destroy() {
      // A folder of the fake with something mounted in it cannot be removed.
      free();
      await units.remove(spec.key, call());
    },
    async close() {
      free();
      await peer[Symbol.asyncDispose]();
    },
  };
}

function livingWith(word: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .filter((pid) => {
      try {
        return ['environ', 'cmdline'].some((file) => readFileSync(`/proc/${pid}/${file}`).includes(word));
      } catch {
        return false;
      }
    });
}
