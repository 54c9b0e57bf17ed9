import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Machine } from '../../packages/sandbox/src/index.ts';
import { type MachineBed, machineSuite } from '../../packages/sandbox/src/testing/machine-suite.ts';
import { nothingBrought, profileWith } from '../../packages/sandbox/src/testing/profile.ts';
import { ROOT } from '../e2e/server-process.ts';
import { type ClusterForTests, clusterForTests } from './cluster.ts';
import { driverForTests } from './driver-for-tests.ts';

const SMALL = '/small';
const MIB = 1024 * 1024;
const log = pino({ level: process.env.HANGAR_TEST_LOG ?? 'silent' });
const call = () => ({ signal: AbortSignal.timeout(120_000) });
const cluster = await clusterForTests();

if ('skipped' in cluster) test('a pod as a machine', ({ skip }) => skip(cluster.skipped));
else {
  machineSuite('a pod', () => open(cluster), { outputBytes: 24 * MIB });

  test('a machine in hand ends by itself when its time is over, and nothing can be opened in it any more', async () => {
    const { name, remove } = await cluster.namespace();
    const brought = nothingBrought('i_held');
    const driver = driverForTests({ ...cluster, brought, workerImage: await cluster.image('full'), log });
    try {
      const { units } = driver.forProfile(profileWith({ namespace: name, pull: 'never' }));
      const key = { id: 's_held', attempt: 1 };
      const spec = { key, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds: 3 } as const;
      await units.ensure(spec, { ...call(), say: () => undefined });
      await expect
        .poll(() => units.inspect(key, call()), { timeout: 90_000 })
        .toMatchObject({ kind: 'exited', reason: 'The time of the machine was over' });
      await expect(units.machine(key, call())).rejects.toMatchObject({ code: 'sandbox_gone' });
      await units.remove(key, call());
      expect(await units.inspect(key, call())).toEqual({ kind: 'missing' });
    } finally {
      await driver[Symbol.asyncDispose]();
      await remove();
    }
  }, 120_000);
}

async function open({ kubeconfig, image, namespace }: ClusterForTests): Promise<MachineBed> {
  const made = await namespace();
  const workerImage = await image('full');
  const template = withSmallFolder(await readFile(join(ROOT, 'deploy/k8s/job-template.yaml'), 'utf8'));
  const drivers: AsyncDisposable[] = [];
  const unitsOf = () => {
    const driver = driverForTests({ brought: nothingBrought('i_machines'), kubeconfig, workerImage, log });
    drivers.push(driver);
    return driver.forProfile(profileWith({ namespace: made.name, pull: 'never', template })).units;
  };
  const units = unitsOf();
  const key = { id: `s_machine${process.pid}`, attempt: 1 };
  await units.ensure(
    { key, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds: null },
    { ...call(), say: () => undefined },
  );
  for (;;) {
    const state = await units.inspect(key, call());
    if (state.kind === 'running') break;
    if (state.kind === 'exited') throw new Error(state.reason);
  }
  const machine = await units.machine(key, call());
  return {
    machine: async () => machine,
    smallFolder: SMALL,
    reopened: () => unitsOf().machine(key, call()),
    processesWith: (word) => processesWith(machine, word),
    destroy: () => units.remove(key, call()),
    async close() {
      await units.remove(key, call());
      for (const driver of drivers) await driver[Symbol.asyncDispose]();
      await made.remove();
    },
  };
}

/** A file system in memory of a few MiB, beside all that is there. */
function withSmallFolder(text: string): string {
  const template = parse(text);
  const { containers, volumes } = template.spec.template.spec;
  volumes.push({ name: 'small', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } });
  containers[0].volumeMounts = [{ name: 'small', mountPath: SMALL }];
  return stringify(template);
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
