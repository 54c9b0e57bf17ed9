import { existsSync } from 'node:fs';
import { HangarError } from '@hangar/contract';
import type { UnitState } from '@hangar/sandbox';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { ada, admin, Backend, bob, buildServer, code, request, until } from './testing/sandboxes-parts.ts';

const key = { id: 'j_7k2m9p4x1a', attempt: 1 };
const TOKEN = `token 'of' "$HOME" \\ ada`;

/** In place of the worker: says what it was given, then does what the test is about. */
const worker = (does: string) => `
import { writeFileSync } from 'node:fs';
let token = '';
for await (const part of process.stdin) token += part;
const { HANGAR_WORKER_DIR: dir, HANGAR_WORKER_URL: url, HANGAR_WORKER_HOME: home, OF_SANDBOX: own } = process.env;
writeFileSync(dir + '/made', '');
console.log(JSON.stringify({ token, dir, url, home, own }));
${does}
`;
const WAITS = 'setInterval(() => undefined, 1000);';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let backend: Backend;
let server: ReturnType<typeof buildServer>;
let ended: { key: typeof key; state: UnitState }[];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from sandbox');
  backend = new Backend({ pauses: true });
  ended = [];
});
afterEach(async () => {
  await server.stop();
  await backend.close();
});

const soon = () => ({ signal: AbortSignal.timeout(30_000) });
const spec = {
  ...{ key, program: { kind: 'brought', name: 'worker', input: TOKEN } as const },
  ...{ image: null, resources: {}, deadlineSeconds: 600 },
};
async function serving(does = WAITS): Promise<void> {
  server = buildServer(database, backend, {
    jobs: {
      originOf: () => Promise.reject(new Error('not in this test')),
      filesOf: () => Promise.reject(new Error('not in this test')),
      workerEnded: async (of, state) => void ended.push({ key: of, state }),
    },
    brought: { programs: { worker: { text: worker(does) } }, nodeFile: process.execPath },
  });
  await server.start();
}
const reach = (id: string, state: string) =>
  until(
    () => server.sandboxes.get(ada, id),
    (seen) => seen.state === state,
    state,
  );
async function opened(more = {}): Promise<string> {
  const { id } = await server.sandboxes.open(ada, request({ env: { OF_SANDBOX: 'yes' }, ...more }));
  await reach(id, 'running');
  return id;
}
const unitsIn = (id: string) => server.workers.backend(id).units;
const start = (id: string) => unitsIn(id).ensure(spec, { ...soon(), say: () => undefined });
const untilKind = (id: string, kind: string) =>
  until(
    () => unitsIn(id).inspect(key, soon()),
    (seen) => seen.kind === kind,
    kind,
  );
async function said(id: string): Promise<Record<string, string>> {
  const [row] = (await server.sandboxes.executions(ada, id, { limit: 10 })).items.filter(({ job }) => job === key.id);
  const text = await until(
    async () => (await server.logs.read(row?.id ?? '', { limit: 10, stream: 'stdout' })).lines[0]?.text,
    (line) => line !== undefined,
    'what it says',
  );
  return JSON.parse(Buffer.from(text?.split(':')[1] ?? '', 'base64').toString());
}

it('is an execution with its input, its folder, and nothing that people set; once, however often it is asked for', async () => {
  await serving();
  const id = await opened();
  await Promise.all([start(id), start(id)]);
  await start(id);
  await untilKind(id, 'running');
  const told = await said(id);
  expect(told).toMatchObject({ token: `${TOKEN}\n`, url: backend.serverUrl, home: 'machine' });
  expect(told.own).toBeUndefined();
  const { items } = await server.sandboxes.executions(ada, id, { limit: 10 });
  expect(items).toMatchObject([{ job: key.id, title: `Worker of ${key.id}`, state: 'running' }]);
  expect(await server.sandboxes.get(ada, id)).toMatchObject({ executionsRunning: 1 });
  expect(await server.workers.environmentOf(id)).toEqual({ OF_SANDBOX: 'yes' });

  await unitsIn(id).stop(key, { ...soon(), graceMs: 5_000 });
  expect(await unitsIn(id).inspect(key, soon())).toMatchObject({ kind: 'exited' });
  expect(existsSync(told.dir ?? '')).toBe(true);
  await unitsIn(id).remove(key, soon());
  await unitsIn(id).remove(key, soon());
  expect(existsSync(told.dir ?? '')).toBe(false);
  expect(await server.sandboxes.get(ada, id)).toMatchObject({ state: 'running' });
  // One that was there is never begun again.
  await start(id);
  expect(await unitsIn(id).inspect(key, soon())).toMatchObject({ kind: 'exited' });
});

it('tells its job how it ended, and what it said last', async () => {
  await serving(`console.error('the last words'); process.exit(91);`);
  const id = await opened();
  await start(id);
  await until(
    async () => ended,
    (seen) => seen.length > 0,
    'the end',
  );
  expect(ended[0]).toMatchObject({
    key,
    state: { kind: 'exited', exitCode: 91, code: 'image_unsuitable', reason: 'The machine has no git' },
  });
  expect(await unitsIn(id).lastWords?.(key, soon())).toEqual(['the last words']);
});

it('ends with its sandbox', async () => {
  await serving();
  const id = await opened();
  await start(id);
  await untilKind(id, 'running');
  await server.sandboxes.close(ada, id, { keep: false });
  await until(
    async () => ended,
    (seen) => seen.length > 0,
    'the end',
  );
  expect(ended[0]?.state).toMatchObject({ kind: 'exited', code: 'sandbox_closed', reason: 'Its sandbox was closed.' });
  await reach(id, 'closed');
  await unitsIn(id).remove(key, soon());
  expect(await code(start(id))).toBe('no error');
});

it('waits for a sandbox that is paused, and does not begin in one that is closed', async () => {
  await serving();
  const id = await opened();
  await server.sandboxes.pause(ada, id);
  await reach(id, 'paused');
  expect(await code(start(id))).toBe('sandbox_paused');
  expect(await unitsIn(id).inspect(key, soon())).toEqual({ kind: 'missing' });
  await server.sandboxes.resume(ada, id);
  await reach(id, 'running');
  await start(id);
  await untilKind(id, 'running');

  const other = await opened();
  await server.sandboxes.close(ada, other, { keep: false });
  expect(
    await code(unitsIn(other).ensure({ ...spec, key: { ...key, attempt: 2 } }, { ...soon(), say: () => undefined })),
  ).toBe('sandbox_closed');
});

it('is in the own sandboxes alone, and in those that are open', async () => {
  await serving();
  const id = await opened({ image: 'node:24', resources: { cpus: 2 } });
  expect(await server.workers.find(id, ada.userId)).toEqual({
    ...{ profile: 'local', driver: 'local', image: 'node:24', resources: { cpus: 2 } },
  });
  expect(await code(server.workers.find(id, bob.userId))).toBe('sandbox_not_found');
  expect(await code(server.workers.find(id, admin.userId))).toBe('sandbox_not_found');
  await server.sandboxes.close(ada, id, { keep: false });
  expect(await code(server.workers.find(id, ada.userId))).toBe('sandbox_closed');
});

it('leaves no process of an agent whose worker was killed', async () => {
  await serving(`
    const { spawn } = await import('node:child_process');
    spawn('sleep', ['98765'], { detached: true, stdio: 'ignore' }).unref();
    process.kill(process.pid, 'SIGKILL');`);
  const id = await opened();
  await start(id);
  await untilKind(id, 'exited');
  expect(await backend.bed(id).processesWith('98765')).toHaveLength(1);
  await unitsIn(id).remove(key, soon());
  expect(await backend.bed(id).processesWith('98765')).toEqual([]);
});

it('is not waited for in a sandbox that is paused: the wish is carried out when that goes on', async () => {
  await serving();
  const id = await opened();
  await start(id);
  await untilKind(id, 'running');
  await server.sandboxes.pause(ada, id);
  await reach(id, 'paused');
  expect(await unitsIn(id).inspect(key, soon())).toEqual({ kind: 'paused' });
  expect(await code(unitsIn(id).remove(key, soon()))).toBe('driver_unavailable');
  await unitsIn(id).stop(key, { ...soon(), graceMs: 1_000 });
  await server.sandboxes.resume(ada, id);
  await untilKind(id, 'exited');
  await unitsIn(id).remove(key, soon());
});

it('can be asked after again once its machine is back', async () => {
  await serving();
  const id = await opened();
  await start(id);
  await untilKind(id, 'running');
  backend.away = new HangarError('driver_unavailable', { message: 'Nobody answers.' });
  backend.breaks = () => 0;
  server.machines.forget(id);
  await server.stop();
  await serving();
  await until(
    async () => (await server.store.executionOfJob(key))?.awayWhy ?? null,
    (why) => why !== null,
    'that it is away',
  );
  expect(await code(unitsIn(id).inspect(key, soon()))).toBe('driver_unavailable');
  backend.away = null;
  backend.breaks = () => Number.POSITIVE_INFINITY;
  await until(
    () =>
      unitsIn(id)
        .inspect(key, soon())
        .catch(() => null),
    (state) => state?.kind === 'running',
    'that it is back',
  );
});
