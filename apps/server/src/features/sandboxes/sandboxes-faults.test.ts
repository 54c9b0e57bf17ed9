import { HangarError } from '@hangar/contract';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { ada, Backend, buildServer, request, until } from './testing/sandboxes-parts.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let backend: Backend;
let server: ReturnType<typeof buildServer>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from sandbox');
  backend = new Backend({ pauses: true });
  server = buildServer(database, backend);
  await server.start();
});
afterEach(async () => {
  await server.stop();
  await backend.close();
});
const shown = (id: string) => server.sandboxes.get(ada, id);
const reach = (id: string, state: string) =>
  until(
    () => shown(id),
    (seen) => seen.state === state,
    state,
  );
async function opened(): Promise<string> {
  const { id } = await server.sandboxes.open(ada, request());
  await reach(id, 'running');
  return id;
}
const failing = (id: string) =>
  until(
    () => shown(id),
    ({ failure }) => failure !== null,
    'a failure',
  );

const FOR_GOOD = [
  ['unsupported', new HangarError('unsupported', { message: 'It stands on a disk that cannot.' })],
  ['driver_auth_failed', new HangarError('driver_auth_failed', { message: 'The key was refused.' })],
  ['validation_failed', new HangarError('validation_failed', { message: 'No such size.' })],
  ['profile_not_found', new HangarError('profile_not_found', { message: 'There is no profile.' })],
  ['internal', new TypeError('undefined is no function')],
] as const;

describe.each(FOR_GOOD)('what no other try mends (%s)', (code, fault) => {
  it('is told to whoever wanted it paused, and it runs on', async () => {
    const id = await opened();
    backend.faults.pause = fault;
    await server.sandboxes.pause(ada, id);
    const seen = await failing(id);
    expect(seen).toMatchObject({ state: 'running', session: { state: 'connected' }, failure: { code } });
    expect(seen.failure?.wayOut).not.toBe('');
    expect(seen.reason).toBe(`It could not be paused: ${seen.failure?.message}`);
    expect(backend.faulty).toBe(1);
    // Asked again, it is tried again.
    delete backend.faults.pause;
    expect((await server.sandboxes.pause(ada, id)).failure).toBeNull();
    expect(await reach(id, 'paused')).toMatchObject({ failure: null, reason: 'Paused' });
  });

  it('is told to whoever wanted it to go on, and it stays paused', async () => {
    const id = await opened();
    await server.sandboxes.pause(ada, id);
    await reach(id, 'paused');
    backend.faults.resume = fault;
    await server.sandboxes.resume(ada, id);
    const seen = await failing(id);
    expect(seen).toMatchObject({ state: 'paused', failure: { code } });
    expect(seen.reason).toBe(`It could not go on: ${seen.failure?.message}`);
    expect(backend.faulty).toBe(1);
    delete backend.faults.resume;
    await server.sandboxes.resume(ada, id);
    expect(await reach(id, 'running')).toMatchObject({ failure: null });
  });
});

it('a pause of a machine that is gone finds that it is', async () => {
  const id = await opened();
  backend.faults.pause = new HangarError('sandbox_gone');
  await backend.lose(id);
  await server.sandboxes.pause(ada, id);
  expect(await reach(id, 'lost')).toMatchObject({ failure: { code: 'sandbox_gone' } });
});

describe('a machine that cannot be removed', () => {
  it('is tried again while that may be mended, and says why', async () => {
    const id = await opened();
    backend.faults.remove = new HangarError('driver_auth_failed', { message: 'The key was refused.' });
    await server.sandboxes.close(ada, id, { keep: false });
    await until(
      () => shown(id),
      ({ reason }) => reason === 'Its machine is being removed: The key was refused.',
      'the reason',
    );
    expect((await shown(id)).state).toBe('closing');
    delete backend.faults.remove;
    await database.pool.query('update sandbox set wake_at = now() where id = $1', [id]);
    expect(await reach(id, 'closed')).toMatchObject({ reason: 'Closed as asked' });
    expect(backend.removed).toEqual([id]);
  });

  it('says why also when nobody expected it', async () => {
    const id = await opened();
    backend.faults.remove = new TypeError('undefined is no function');
    await server.sandboxes.close(ada, id, { keep: false });
    await until(
      () => shown(id),
      ({ reason }) => /^Its machine is being removed: ./.test(reason),
      'the reason',
    );
  });

  it.each(['unsupported', 'validation_failed', 'profile_not_found'] as const)(
    'is given up when nothing mends that (%s), and can be closed again',
    async (code) => {
      const id = await opened();
      backend.faults.remove = new HangarError(code, { message: 'It stays.' });
      await server.sandboxes.close(ada, id, { keep: false });
      const seen = await reach(id, 'failed');
      expect(seen).toMatchObject({ session: { state: 'error' }, failure: { code, message: 'It stays.' } });
      expect(seen.reason).toBe('Closed as asked. Its machine could not be removed and may still be there: It stays.');
      expect(backend.faulty).toBe(1);
      delete backend.faults.remove;
      await server.sandboxes.close(ada, id, { keep: false });
      await until(
        async () => backend.removed,
        (removed) => removed.includes(id),
        'its removal',
      );
      await until(
        () => shown(id),
        ({ reason }) => reason === 'Closed as asked.',
        'what is true then',
      );
    },
  );

  it('counts as removed when the driver knows nothing of it', async () => {
    const id = await opened();
    backend.faults.remove = new HangarError('sandbox_gone');
    await server.sandboxes.close(ada, id, { keep: false });
    expect(await reach(id, 'closed')).toMatchObject({ failure: null });
  });
});

it('whatever a driver says when it is asked after a machine is seen', async () => {
  const id = await opened();
  backend.faults.inspect = new HangarError('driver_auth_failed', { message: 'The key was refused.' });
  const seen = await until(
    () => shown(id),
    ({ session }) => session.state === 'reconnecting',
    'reconnecting',
  );
  expect(seen).toMatchObject({ state: 'running', session: { detail: 'The key was refused.' } });
});
