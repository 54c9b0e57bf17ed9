import { execFileSync } from 'node:child_process';
import { HangarError, isEnded } from '@hangar/contract';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { ada, Backend, buildServer, command, request, until } from './testing/sandboxes-parts.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let backend: Backend;
let server: ReturnType<typeof buildServer>;
const never = new AbortController().signal;
beforeAll(async () => {
  database = await createTestDatabase();
  backend = new Backend({ pauses: true });
  server = buildServer(database, backend);
  await server.start();
});
afterAll(async () => {
  await server.stop();
  await backend.close();
  await database.drop();
});
const key = (n: string) => ({ id: `j_${n}`, attempt: 1 });
async function worker(n: string, shell: string) {
  const { id } = await server.sandboxes.open(ada, request());
  await until(() => server.sandboxes.get(ada, id), ({ state }) => state === 'running', 'running');
  const run = await server.sandboxes.execute(ada, command(id, shell));
  await database.pool.query('update execution set job_id = $1, job_attempt = 1 where id = $2', [`j_${n}`, run.id]);
  await until(() => server.sandboxes.execution(ada, run.id), ({ state }) => state !== 'queued', 'start');
  return { id, run: run.id, units: server.workers.backend(id).units };
}

it('can be asked after again once the driver is back', async () => {
  const { id, run, units } = await worker('a', 'while :; do echo x; sleep 0.1; done');
  backend.away = new HangarError('driver_unavailable', { message: 'Nobody answers.' });
  server.machines.forget(id);
  await backend.bed(id).disconnect?.();
  await database.pool.query(`update execution set away_since = now(), away_why = 'x', lease_until = null where id = $1`, [run]);
  backend.away = null;
  // Another server takes over, as after a restart.
  await server.stop();
  server = buildServer(database, backend);
  await server.start();
  await new Promise((r) => setTimeout(r, 9_000));
  const { stdoutBytes } = (await server.store.executionById(run))!;
  await new Promise((r) => setTimeout(r, 4_000));
  expect((await server.store.executionById(run))!.stdoutBytes).toBeGreaterThan(stdoutBytes);
  expect(await server.workers.backend(id).units.inspect(key('a'), { signal: never })).toEqual({ kind: 'running' });
  void units;
}, 60_000);

it('leaves no agent behind that lives on after its worker', async () => {
  const { run, units } = await worker('b', 'env -u HANGAR_EXEC setsid sleep 98765 >/dev/null 2>&1 </dev/null & sleep 1; kill -9 $$');
  await until(() => server.sandboxes.execution(ada, run), ({ state }) => isEnded(state), 'end');
  await units.remove(key('b'), { signal: AbortSignal.timeout(20_000) }).catch((e) => console.log('remove', e.code, e.message));
  const left = execFileSync('sh', ['-c', 'grep -lz "^98765$" /proc/[0-9]*/cmdline 2>/dev/null | wc -l']).toString().trim();
  execFileSync('sh', ['-c', 'for p in $(grep -lzx 98765 /proc/[0-9]*/cmdline 2>/dev/null); do p=${p#/proc/}; kill ${p%/cmdline}; done; true']);
  expect(left).toBe('0');
}, 60_000);

it('is told at once that nobody can end what is in a paused sandbox', async () => {
  const { id } = await worker('c', 'sleep 1000');
  await server.sandboxes.pause(ada, id);
  await until(() => server.sandboxes.get(ada, id), ({ state }) => state === 'paused', 'paused');
  // A real machine is frozen and hears nothing: here nobody follows, as after a restart.
  await server.stop();
  server = buildServer(database, backend);
  await server.start();
  await new Promise((r) => setTimeout(r, 8_000));
  const at = Date.now();
  const error = await server.workers.backend(id).units.remove(key('c'), { signal: AbortSignal.timeout(20_000) }).catch((e) => e);
  expect({ code: error?.code, quick: Date.now() - at < 10_000 }).toEqual({ code: 'driver_unavailable', quick: true });
}, 60_000);

it('launches again after the way to the machine broke', async () => {
  const { id } = await server.sandboxes.open(ada, request());
  await until(() => server.sandboxes.get(ada, id), ({ state }) => state === 'running', 'running');
  backend.breaks = () => 1;
  const error = await server.workers
    .backend(id)
    .units.ensure(
      { key: key('d'), program: { kind: 'brought', name: 'worker', input: 'x' }, image: null, resources: {}, deadlineSeconds: 60 },
      { signal: AbortSignal.timeout(20_000), say: () => undefined },
    )
    .catch((e) => e);
  backend.breaks = () => Number.POSITIVE_INFINITY;
  // Of these the launch of a job takes the first for a reason to try again, and the second for its end.
  expect(error.code).toBe('driver_unavailable');
}, 60_000);
