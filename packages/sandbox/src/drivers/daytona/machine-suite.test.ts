import { readdirSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import type { Driver } from '../../port/driver.ts';
import { type MachineBed, machineSuite } from '../../testing/machine-suite.ts';
import { NO_HOST_KEYS, nothingBrought } from '../../testing/profile.ts';
import { createDaytonaDriver } from './index.ts';
import { startDaytonaServer } from './testing/daytona-server.ts';

const MIB = 1024 * 1024;
const call = () => ({ signal: AbortSignal.timeout(120_000) });

machineSuite('a sandbox of Daytona', open, { outputBytes: 2 * MIB });

async function open(): Promise<MachineBed> {
  const server = await startDaytonaServer({ graceMs: 500 });
  const drivers: Driver[] = [];
  const unitsOf = () => {
    const driver = createDaytonaDriver({ brought: nothingBrought('i_machines'), log: pino({ level: 'silent' }) });
    drivers.push(driver);
    return driver.forProfile({
      ...{ name: 'daytona', settings: { apiUrl: server.url }, limits: {}, hostKeys: NO_HOST_KEYS },
      secret: async () => server.key,
    }).units;
  };
  const units = unitsOf();
  const key = { id: 's_machine', attempt: 1 };
  await units.ensure(
    { key, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds: null },
    { ...call(), say: () => undefined },
  );
  const machine = await units.machine(key, call());
  const remove = () => units.remove(key, call());
  const home = await machine.open(['sh', '-c', 'printf %s "$HOME"'], { ...call(), stdin: false });
  return {
    machine: async () => machine,
    reopened: () => unitsOf().machine(key, call()),
    // Sandboxes are folders of this machine, and their processes run here.
    folder: await text(home.stdout),
    processesWith: async (word) => processesWith(word),
    destroy: remove,
    async close() {
      await remove();
      for (const driver of drivers) await driver[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => ['environ', 'cmdline'].some((file) => read(`/proc/${name}/${file}`).includes(word)))
    .map(Number);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
}
