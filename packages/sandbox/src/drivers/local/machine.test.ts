import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import type { Reach } from '../../port/driver.ts';
import { machineSuite } from '../../testing/machine-suite.ts';
import { smallFolder, unmount } from '../../testing/process-bed.ts';
import { NO_HOST_KEYS } from '../../testing/profile.ts';
import { findBubblewrap } from './bubblewrap.ts';
import { createLocalDriver } from './index.ts';

const call = () => ({ signal: AbortSignal.timeout(120_000) });

/** Living processes of this machine whose arguments or environment hold the word. */
async function processesWith(word: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
    if (/^State:\s+Z/m.test(await read('status'))) continue;
    if ((await read('cmdline')).includes(word) || (await read('environ')).includes(word)) found.push(Number(pid));
  }
  return found;
}

async function open(isolation: 'none' | 'bubblewrap') {
  const dir = await mkdtemp(path.join(tmpdir(), 'hangar-local-'));
  const reached = (): Reach =>
    createLocalDriver({
      brought: {
        programs: {},
        nodeFile: process.execPath,
        httpUrl: 'http://127.0.0.1:1',
        socketDir: null,
        instanceId: 'i_local',
      },
      ...{ dataDir: dir, log: pino({ level: 'silent' }) },
    }).forProfile({
      name: 'local',
      settings: { isolation },
      limits: {},
      secret: async () => null,
      hostKeys: NO_HOST_KEYS,
    });
  const key = { id: `s_local${process.pid}`, attempt: 1 };
  const { units } = reached();
  await units.ensure(
    { key, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds: null },
    { ...call(), say: () => undefined },
  );
  // Walls show what was there when they were made.
  const small = isolation === 'none' ? smallFolder(dir) : null;
  return {
    ...(small === null ? {} : { smallFolder: small }),
    machine: () => units.machine(key, call()),
    reopened: () => reached().units.machine(key, call()),
    processesWith,
    destroy: () => units.remove(key, call()),
    async close() {
      unmount(small);
      await units.remove(key, call());
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const here = await findBubblewrap(AbortSignal.timeout(20_000));
machineSuite('a local machine without walls', () => open('none'));
machineSuite('a local machine in bubblewrap', () => open('bubblewrap'), { skip: here.found ? null : here.why });
