import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { ada, Backend, buildJobs, request, SANDBOX, until } from '../testing/jobs-parts.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let backend: Backend;
let parts: ReturnType<typeof buildJobs>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from job');
  backend = new Backend();
  parts = buildJobs(database, backend);
  await parts.reconciler.start();
  return () => parts.reconciler.stop();
});
const state = (id: string) => parts.jobs.get(ada, id).then((job) => job.state);

it('launches again in a sandbox after the way to its machine broke', async () => {
  backend.fail = new HangarError('connection_lost');
  const { id } = await parts.jobs.submit(ada, { ...request, sandbox: SANDBOX });
  await until(async () => (await parts.store.byId(id))?.launchTries ?? 0, (n) => n > 0, 'a try');
  backend.fail = null;
  await sleep(500);
  expect(await state(id)).toBe('starting');
});

it('takes what was seen of a unit for no younger than when it was asked', async () => {
  const { id } = await parts.jobs.submit(ada, request);
  await until(async () => (await parts.store.byId(id))?.launchedAt ?? null, (at) => at !== null, 'launch');
  const plain = backend.units.inspect;
  let asked = false;
  // A list that is behind: it does not hold what was just made, and it takes its time.
  (backend.units as { inspect: typeof plain }).inspect = async (key, o) => {
    if (asked) return plain(key, o);
    asked = true;
    await sleep(300);
    return { kind: 'missing' };
  };
  await until(async () => asked, (yes) => yes, 'a look');
  const identity = { jobId: id, attempt: 1 };
  await parts.worker.claim(identity, 'worker-one');
  const speaking = setInterval(() => void parts.worker.heartbeat(identity, 0, new AbortController().signal).catch(() => undefined), 500);
  await sleep(1_000);
  clearInterval(speaking);
  expect(await state(id)).toBe('cloning');
  expect(backend.removed).toEqual([]);
});
