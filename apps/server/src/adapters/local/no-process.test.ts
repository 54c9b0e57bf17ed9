import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { openWorkerDesk } from '../../features/jobs/testing/worker-desk.ts';
import { unheardDuring } from '../../platform/process/testing/unheard.ts';
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
  const driver = createLocalDriver({ access: desk.access, dataDir: desk.dir, log: pino({ level: 'silent' }) });
  const launcher = driver.forProfile({ name: 'test', settings: { isolation: 'none' }, limits: {} });
  const unit = { jobId: 'j_none', attempt: 1, workerToken: 'token', image: null, resources: {}, deadlineSeconds: 60 };
  const unheard = await unheardDuring(async () => {
    const launch = launcher.launch(unit, { signal: AbortSignal.timeout(30_000), say: () => undefined });
    await expect(launch).rejects.toMatchObject({
      code: 'launch_failed',
      message: expect.stringMatching(/^The worker cannot be started: .*ENOENT/),
    });
  });
  await desk[Symbol.asyncDispose]();
  expect(unheard).toEqual([]);
});
