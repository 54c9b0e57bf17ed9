import { HangarError } from '@hangar/contract';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { ada, Backend, buildJobs, code, request, SANDBOX, until } from './testing/jobs-parts.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let elsewhere: Backend;
let inSandbox: Backend;
let parts: ReturnType<typeof buildJobs>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from job');
  [elsewhere, inSandbox] = [new Backend(), new Backend()];
  parts = buildJobs(database, elsewhere, { inSandbox });
  await parts.reconciler.start();
  return () => parts.reconciler.stop();
});

const wish = { ...request, sandbox: SANDBOX };
const removed = (id: string) =>
  until(
    async () => inSandbox.removed,
    (ids) => ids.includes(id),
    'cleaning',
  );

it('has of a machine what the sandbox has, whatever the spec says', async () => {
  const spec = `---\nimage: other\nresources:\n  cpus: 1\n---\n${request.spec}`;
  const { id } = await parts.jobs.submit(ada, { ...wish, spec });
  expect(await parts.jobs.get(ada, id)).toMatchObject({
    ...{ sandbox: SANDBOX, profile: 'metal', image: 'of-sandbox', resources: { cpus: 3 } },
  });
  for (const both of [{ profile: 'local' }, { image: 'x' }, { resources: { cpus: 1 } }])
    expect(await code(parts.jobs.submit(ada, { ...wish, ...both }))).toBe('validation_failed');
  expect(await code(parts.jobs.submit(ada, { ...wish, sandbox: 's_another123' }))).toBe('sandbox_not_found');
});

it('runs there and nowhere else, with its environment below that of the job', async () => {
  const { id } = await parts.jobs.submit(ada, { ...wish, env: { BOTH: 'job', OWN: 'job' } });
  await until(
    async () => inSandbox.launches,
    (ids) => ids.includes(id),
    'launch',
  );
  const order = await parts.worker.claim({ jobId: id, attempt: 1 }, 'worker-one');
  expect(order.env).toEqual({ OF: 'sandbox', BOTH: 'job', OWN: 'job' });
  expect((await parts.jobs.get(ada, id)).envNames).toEqual(['BOTH', 'OWN']);
  await parts.jobs.cancel(ada, id);
  await removed(id);
  expect(elsewhere.asked).toBe(0);
});

it('is run again in its sandbox by its person alone', async () => {
  const { id } = await parts.jobs.submit(ada, wish);
  await parts.jobs.cancel(ada, id);
  await removed(id);
  expect(await parts.jobs.retry(ada, id)).toMatchObject({ sandbox: SANDBOX, retryOf: id, profile: 'metal' });
  const admin = { userId: 'u_root', userName: 'Root', everybody: true };
  expect(await code(parts.jobs.retry(admin, id))).toBe('sandbox_not_found');
});

it('is launched again after the way to its machine broke', async () => {
  inSandbox.fail = new HangarError('connection_lost');
  const { id } = await parts.jobs.submit(ada, wish);
  await until(
    async () => (await parts.store.byId(id))?.launchTries ?? 0,
    (n) => n > 0,
    'a try',
  );
  inSandbox.fail = null;
  await until(
    async () => inSandbox.launches,
    (ids) => ids.includes(id),
    'launch',
  );
});
