import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import type { UnitSpec } from '../../port/unit.ts';
import { profileWith } from '../../testing/profile.ts';
import { unheardDuring } from '../../testing/unheard.ts';
import { openWorkerDesk } from '../../testing/worker-desk.ts';
import { createLocalDriver } from './index.ts';

// How a machine without processes or descriptors says so: by an event, at once.
vi.mock('node:child_process', async (original) => {
  const real = await original<typeof import('node:child_process')>();
  const spawn = (file: string, args: string[], options: object) =>
    real.spawn(file, args, file === '/bin/sh' ? { ...options, cwd: '/no/such/folder' } : options);
  return { ...real, spawn };
});

it('a worker that no process can be had for is a launch that failed, and ends nothing else', async () => {
  const desk = await openWorkerDesk(process.execPath);
  const driver = createLocalDriver({ brought: desk.brought, dataDir: desk.dir, log: pino({ level: 'silent' }) });
  const { units } = driver.forProfile(profileWith({ isolation: 'none' }));
  const spec: UnitSpec = {
    ...{ key: { id: 'j_none', attempt: 1 }, program: { kind: 'brought', name: 'worker', input: 'token' } },
    ...{ image: null, resources: {}, deadlineSeconds: 60 },
  };
  const unheard = await unheardDuring(async () => {
    const launch = units.ensure(spec, { signal: AbortSignal.timeout(30_000), say: () => undefined });
    await expect(launch).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringMatching(/^The worker cannot be started: .*ENOENT/),
    });
  });
  await desk[Symbol.asyncDispose]();
  expect(unheard).toEqual([]);
});
