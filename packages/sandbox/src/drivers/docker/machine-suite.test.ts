import { buffer, text } from 'node:stream/consumers';
import { pino } from 'pino';
import { describe, test } from 'vitest';
import type { Machine } from '../../port/machine.ts';
import { type MachineBed, machineSuite } from '../../testing/machine-suite.ts';
import { profileWith } from '../../testing/profile.ts';
import { createDockerDriver } from './index.ts';
import { dockerForTests } from './testing/index.ts';

const MIB = 1024 * 1024;
const call = () => ({ signal: AbortSignal.timeout(120_000) });
const docker = await dockerForTests();

if ('skipped' in docker) describe.skip('a container', () => test(`skipped: ${docker.skipped}`, () => {}));
else {
  const { host, image } = docker;
  machineSuite('a container', () => open(host, image), { outputBytes: 24 * MIB });
}

async function open(host: string, image: string): Promise<MachineBed> {
  const brought = {
    ...{ programs: {}, nodeFile: process.execPath, httpUrl: 'http://127.0.0.1:1' },
    ...{ socketDir: null, instanceId: 'i_machines' },
  };
  const unitsOf = () =>
    createDockerDriver({ brought, log: pino({ level: 'silent' }) }).forProfile(
      profileWith({ host, image, network: 'none' }),
    ).units;
  const units = unitsOf();
  const key = { id: `s_machine${process.pid}`, attempt: 1 };
  await units.ensure(
    { key, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds: null },
    { ...call(), say: () => undefined },
  );
  const machine = await units.machine(key, call());
  const remove = () => units.remove(key, call());
  return {
    machine: async () => machine,
    reopened: () => unitsOf().machine(key, call()),
    processesWith: (word) => processesWith(machine, word),
    ...{ destroy: remove, close: remove },
  };
}

/** Looked for inside, where processes have the numbers that a command there knows. */
async function processesWith(machine: Machine, word: string): Promise<number[]> {
  // The word comes on standard input: in an argument it would be found here. What looks is born after the list was made.
  const script = `IFS= read -r word; for folder in /proc/[0-9]*; do
    cat $folder/environ $folder/cmdline 2>/dev/null | grep -qaF -e "$word" && echo "$\{folder#/proc/}"; done; :`;
  const channel = await machine.open(['sh', '-c', script], { ...call(), stdin: true });
  channel.stdin?.end(`${word}\n`);
  const [said] = await Promise.all([text(channel.stdout), buffer(channel.stderr)]);
  return said.split('\n').filter(Boolean).map(Number);
}
