import { HangarError, isClosed, isEnded, type NewExecution } from '@hangar/contract';
import { unheardDuring } from '@hangar/sandbox/testing/unheard';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { LIVE_CHANNEL } from '../../platform/live/announce.ts';
import { createPlaces } from '../../platform/places/places.ts';
import { printedOn } from './acts/recorder.ts';
import type { Caller } from './sandboxes.ts';
import { sandboxesRestored } from './store/sandboxes-restored.ts';
import { EXECUTIONS_AT_ONCE } from './store/sandboxes-store.ts';
import { ada, admin, Backend, bob, buildServer, code, command, request, until } from './testing/sandboxes-parts.ts';

type Server = ReturnType<typeof buildServer>;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let backend: Backend;
let servers: Server[];
let server: Server;
const never = new AbortController().signal;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from sandbox');
  await database.pool.query('delete from log');
  backend = new Backend({ pauses: true });
  servers = [];
  server = await serving();
});
afterEach(async () => {
  for (const one of servers) await one.stop();
  await backend.close();
});

async function serving(o?: Parameters<typeof buildServer>[2]): Promise<Server> {
  const one = buildServer(database, backend, o);
  await one.start();
  servers.push(one);
  return one;
}
async function stop(one: Server): Promise<void> {
  servers = servers.filter((other) => other !== one);
  await one.stop();
}
const shown = (id: string, caller: Caller = ada) => server.sandboxes.get(caller, id);
const reach = (id: string, ...states: string[]) =>
  until(
    () => shown(id),
    ({ state }) => states.includes(state),
    states.join(' or '),
  );
async function opened(more: Parameters<typeof request>[0] = {}): Promise<string> {
  const { id } = await server.sandboxes.open(ada, request(more));
  await reach(id, 'running');
  return id;
}
const begun = (sandbox: string, shell: string, more: Partial<NewExecution> = {}) =>
  server.sandboxes.execute(ada, command(sandbox, shell, more)).then(({ id }) => id);
const running = (id: string) =>
  until(
    () => server.sandboxes.execution(ada, id),
    ({ state }) => state === 'running',
    'running',
  );
const ended = (id: string) =>
  until(
    () => server.sandboxes.execution(ada, id),
    ({ state }) => isEnded(state),
    'the end',
  );
async function printed(id: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of printedOn(server.logs, id, stream, never)) parts.push(part);
  return Buffer.concat(parts);
}
const file = (sandbox: string, name: string) => `${backend.bed(sandbox).folder}/${name}`;
/** Prints the numbers from 1, and waits at some of them until a file is there. */
const counting = (to: number, waits: readonly { readonly at: number; readonly for: string }[]) =>
  [
    `i=1; while [ $i -le ${to} ]; do echo "line $i"`,
    ...waits.map((one) => `[ $i != ${one.at} ] || until [ -e ${one.for} ]; do sleep 0.05; done`),
    'i=$((i+1)); done',
  ].join('\n');
const numbered = (to: number) => Array.from({ length: to }, (_, at) => `line ${at + 1}\n`).join('');
const touchFile = (sandbox: string, name: string) => begun(sandbox, `: > ${file(sandbox, name)}`).then(ended);

describe('what is executed', () => {
  it('goes from open to close, with input, output and exit apart', async () => {
    const id = await opened({ env: { COLOUR: 'red' }, name: 'mine' });
    const run = await begun(id, 'cat; echo "$COLOUR $SIZE" >&2; exit 7', { stdin: true, env: { SIZE: 'large' } });
    const bytes = Buffer.from([0, 255, 10, 13, 0, 128]);
    expect(await server.sandboxes.write(ada, run, { at: 0, end: false, bytes }, never)).toEqual({ bytes: 6 });
    // The answer got lost, so it is sent again.
    expect(await server.sandboxes.write(ada, run, { at: 0, end: false, bytes }, never)).toEqual({ bytes: 6 });
    expect(await code(server.sandboxes.write(ada, run, { at: 9, end: false, bytes }, never))).toBe('input_missing');
    await server.sandboxes.write(ada, run, { at: 6, end: true, bytes }, never);
    expect(await ended(run)).toMatchObject({
      ...{ state: 'failed', exitCode: 7, failure: null, leftover: 0 },
      output: { stdout: 12, stderr: 10, truncated: false },
    });
    expect(await printed(run)).toEqual(Buffer.concat([bytes, bytes]));
    expect((await printed(run, 'stderr')).toString()).toBe('red large\n');
    // Nobody reads any more: as with a pipe.
    expect(await server.sandboxes.write(ada, run, { at: 12, end: true, bytes }, never)).toEqual({ bytes: 18 });
    expect((await server.sandboxes.executions(ada, id, { limit: 5 })).items.map((one) => one.id)).toEqual([run]);

    const held = () => createPlaces(database).heldBy('sandbox', ada.userId);
    expect(await held()).toBe(1);
    await server.sandboxes.close(ada, id, { keep: false });
    expect(await reach(id, 'closed')).toMatchObject({ reason: 'Closed as asked', session: { state: 'disconnected' } });
    expect([await held(), backend.removed]).toEqual([0, [id]]);
    expect(await code(begun(id, 'true'))).toBe('sandbox_closed');
  });

  it('is nobody else’s, and an admin looks at it alone', async () => {
    const id = await opened();
    const run = await begun(id, 'cat', { stdin: true });
    await running(run);
    const bytes = Buffer.from('x');
    for (const [caller, answer] of [
      [bob, 'sandbox_not_found'],
      [{ ...admin, everybody: false }, 'sandbox_not_found'],
      [admin, 'no error'],
    ] as const) {
      expect(await code(server.sandboxes.get(caller, id))).toBe(answer);
      expect(await code(server.sandboxes.executions(caller, id, { limit: 5 }))).toBe(answer);
      expect(await code(server.sandboxes.execution(caller, run))).toBe(answer.replace('sandbox', 'execution'));
      expect(await code(server.sandboxes.execute(caller, command(id, 'true')))).toBe('sandbox_not_found');
      expect(await code(server.sandboxes.write(caller, run, { at: 0, end: true, bytes }, never))).toBe(
        'execution_not_found',
      );
      if (caller === admin) continue;
      expect((await server.sandboxes.list(caller, { limit: 5 })).items).toEqual([]);
      for (const ask of [
        () => server.sandboxes.close(caller, id, { keep: false }),
        () => server.sandboxes.pause(caller, id),
        () => server.sandboxes.resume(caller, id),
        () => server.sandboxes.open(caller, request({ sandbox: id })),
      ])
        expect(await code(ask())).toBe('sandbox_not_found');
      expect(await code(server.sandboxes.cancel(caller, run, undefined))).toBe('execution_not_found');
    }
    expect((await server.sandboxes.list(admin, { limit: 5 })).items).toHaveLength(1);
    await server.sandboxes.cancel(admin, run, 0);
    expect(await ended(run)).toMatchObject({ state: 'cancelled', output: { stdout: 0 } });
  });

  it('is made once for a key, also when its sandbox is closed meanwhile', async () => {
    const open = request({ idempotencyKey: 'k1' });
    const [first, second] = await Promise.all([server.sandboxes.open(ada, open), server.sandboxes.open(ada, open)]);
    expect(first?.id).toBe(second?.id);
    expect(await code(server.sandboxes.open(ada, { ...open, name: 'other' }))).toBe('idempotency_conflict');
    expect((await server.sandboxes.open(bob, open)).id).not.toBe(first?.id);
    const id = first?.id ?? '';
    await reach(id, 'running');
    const runs = await Promise.all([1, 2, 3].map(() => begun(id, 'echo once', { idempotencyKey: 'r1' })));
    expect(new Set(runs).size).toBe(1);
    expect(await code(begun(id, 'echo twice', { idempotencyKey: 'r1' }))).toBe('idempotency_conflict');
    const run = runs[0] ?? '';
    await ended(run);
    expect((await printed(run)).toString()).toBe('once\n');
    await server.sandboxes.close(ada, id, { keep: false });
    await reach(id, 'closed');
    expect(await begun(id, 'echo once', { idempotencyKey: 'r1' })).toBe(run);
    expect(await code(begun(id, 'echo once', { idempotencyKey: 'r2' }))).toBe('sandbox_closed');
  });

  it.each([
    ['a program that looks like an option', { command: ['-x'] }],
    ['no program', { command: [''] }],
    ['a folder that is not absolute', { command: ['true'], cwd: 'here' }],
    ['an account, where the machine has one alone', { command: ['true'], user: 'somebody' }],
    ['an argument that is too long', { command: ['echo', 'x'.repeat(200_000)] }],
  ])('is refused for good with %s', async (_what, order) => {
    const id = await opened();
    const run = await begun(id, 'true', order);
    expect(await ended(run)).toMatchObject({
      ...{ state: 'failed', startedAt: null, failure: { code: 'execution_not_started' } },
    });
  });

  it('has a limit that keeps one sandbox from taking all that can be followed', async () => {
    backend.away = new HangarError('driver_unavailable');
    const { id } = await server.sandboxes.open(ada, request());
    for (let n = 0; n < EXECUTIONS_AT_ONCE; n += 10)
      await Promise.all(Array.from({ length: 10 }, () => begun(id, 'true')));
    expect(await code(begun(id, 'true'))).toBe('quota_executions');
    await server.sandboxes.close(ada, id, { keep: false });
  });
});

it('counts what is kept of its output while it runs, in view and live', async () => {
  const changed: string[] = [];
  const listener = await database.listen(LIVE_CHANNEL, (payload) => changed.push(payload));
  const id = await opened();
  const run = await begun(id, `echo 12345; echo 12 >&2; until [ -e ${file(id, 'go')} ]; do sleep 0.05; done`);
  const counted = async (stdout: number) =>
    until(
      () => server.sandboxes.execution(ada, run),
      ({ output }) => output.stdout === stdout && output.stderr === 3,
      'what is kept so far',
    );
  const seen = await counted(6);
  expect(seen).toMatchObject({ state: 'running', output: { truncated: false } });
  await until(
    async () => changed.filter((payload) => payload.includes(run)).length,
    (told) => told >= 3,
    'that it is told: accepted, running, counted',
  );
  await listener.close();
  await touchFile(id, 'go');
  expect(await ended(run)).toMatchObject({ state: 'succeeded', output: { stdout: 6, stderr: 3 } });
});

describe('cancelling', () => {
  it('starts nothing that was cancelled before, and says so', async () => {
    const { id } = await server.sandboxes.open(ada, request());
    const mark = 'never-made';
    const run = await begun(id, `: > /tmp/${mark}`);
    await server.sandboxes.cancel(ada, run, undefined);
    expect(await ended(run)).toMatchObject({ state: 'cancelled', startedAt: null, exitCode: null });
  });

  it('ends the whole tree, and an ended one stays as it ended', async () => {
    const id = await opened();
    const run = await begun(
      id,
      "trap '' TERM; echo up; setsid sleep 977.31 & (sleep 977.31 &) ; while :; do sleep 977.31; done",
      {
        graceSeconds: 0,
      },
    );
    await running(run);
    await until(
      () => printed(run),
      (bytes) => bytes.length === 3,
      'output',
    );
    await server.sandboxes.cancel(ada, run, undefined);
    expect(await ended(run)).toMatchObject({ state: 'cancelled', leftover: 0, output: { stdout: 3 } });
    expect(await backend.bed(id).processesWith('977.31')).toEqual([]);
    // Its version may still move: it is forgotten in the machine after its end.
    const { version: _, ...whole } = await server.sandboxes.execution(ada, run);
    expect(await server.sandboxes.cancel(ada, run, 0)).toMatchObject(whole);
  });

  it('is told again when the machine did not hear it', async () => {
    const id = await opened();
    const run = await begun(id, 'echo up; exec sleep 977');
    await running(run);
    await until(
      () => printed(run),
      (bytes) => bytes.length > 0,
      'output',
    );
    // The channel of the first try breaks before it says anything; what is followed stays connected.
    let broken = 0;
    backend.breaks = () => (broken++ === 0 ? 1 : Number.POSITIVE_INFINITY);
    await server.sandboxes.cancel(ada, run, 0);
    expect(await ended(run)).toMatchObject({ state: 'cancelled' });
    expect(broken).toBeGreaterThan(1);
  });
});

describe('what breaks', () => {
  it('loses no byte and repeats none, however often the connection breaks', async () => {
    const id = await opened();
    // More each time: what has come together meanwhile has to get through at last.
    let most = 1_000;
    backend.breaks = () => (most += 500);
    const paced = '[ $((i % 50)) != 0 ] || sleep 0.05';
    const run = await begun(
      id,
      `i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo "line $i"; ${paced}; done; echo end >&2`,
    );
    expect(await ended(run)).toMatchObject({ state: 'succeeded' });
    expect((await printed(run)).toString()).toBe(numbered(1500));
    expect((await printed(run, 'stderr')).toString()).toBe('end\n');
  });

  it('goes on after the driver was away, and the session says so', async () => {
    const id = await opened();
    const run = await begun(id, counting(40, [{ at: 20, for: file(id, 'go') }]));
    await until(
      () => printed(run),
      (bytes) => bytes.toString().includes('line 20\n'),
      'half of it',
    );
    backend.away = new HangarError('driver_unavailable', { message: 'Nobody answers.' });
    const away = await until(
      () => shown(id),
      ({ session }) => session.state === 'reconnecting',
      'reconnecting',
    );
    expect(away).toMatchObject({ state: 'running', session: { detail: 'Nobody answers.' } });
    backend.away = null;
    await until(
      () => shown(id),
      ({ session }) => session.state === 'connected',
      'connected',
    );
    await touchFile(id, 'go');
    expect(await ended(run)).toMatchObject({ state: 'succeeded' });
    expect((await printed(run)).toString()).toBe(numbered(40));
  });

  it('notices in time that a machine does not answer at all', async () => {
    const id = await opened();
    backend.silent = true;
    const before = Date.now();
    await until(
      () => shown(id),
      ({ session }) => session.state === 'reconnecting',
      'reconnecting',
    );
    // The deadline itself is what is looked at: a minute would not do.
    expect(Date.now() - before).toBeLessThan(30_000);
    backend.silent = false;
  });

  it('is lost with its machine, in true words', async () => {
    const id = await opened();
    const run = await begun(id, 'echo before; exec sleep 977');
    await until(
      () => printed(run),
      (bytes) => bytes.length > 0,
      'output',
    );
    await running(run);
    await backend.lose(id);
    expect(await ended(run)).toMatchObject({
      ...{ state: 'lost', failure: { code: 'sandbox_gone' }, output: { stdout: 7, truncated: false } },
    });
    expect(await reach(id, 'lost')).toMatchObject({ failure: { code: 'sandbox_gone' }, session: { state: 'error' } });
  });

  it('ends what runs when somebody closes the sandbox, and leaves nothing', async () => {
    const id = await opened();
    const run = await begun(id, 'echo up; exec sleep 977');
    await until(
      () => printed(run),
      (bytes) => bytes.length > 0,
      'output',
    );
    await running(run);
    await server.sandboxes.close(admin, id, { keep: false });
    expect(await ended(run)).toMatchObject({ state: 'lost', reason: 'Its sandbox was closed.' });
    await reach(id, 'closed');
    expect(await backend.bed(id).processesWith(run)).toEqual([]);
    expect((await printed(run)).toString()).toBe('up\n');
    await until(
      () => server.logs.read(run, { limit: 1 }),
      (log) => log.ended,
      'the end of its log',
    );
  });

  it('says what of a sandbox that never came', async () => {
    backend.launchFaults = [new HangarError('image_not_found', { message: 'No such image.' })];
    const { id } = await server.sandboxes.open(ada, request());
    const run = await begun(id, 'true').catch(() => null);
    expect(await reach(id, 'failed')).toMatchObject({ failure: { code: 'image_not_found' } });
    if (run !== null) expect(await ended(run)).toMatchObject({ state: 'lost', reason: 'No such image.' });
  });

  it('opens again after what passes', async () => {
    backend.launchFaults = [new HangarError('driver_busy', { message: 'Too many at once.' })];
    const { id } = await server.sandboxes.open(ada, request());
    await reach(id, 'running');
    expect(backend.made).toHaveLength(1);
  });

  it('keeps all of the output through a log that cannot be written for a moment', async () => {
    await stop(server);
    let refused = 0;
    server = await serving({
      logs: (logs) => ({
        ...logs,
        append: async (...args) => {
          if (refused++ < 1) throw new HangarError('database_unavailable');
          return logs.append(...args);
        },
      }),
    });
    const id = await opened();
    const unheard = await unheardDuring(async () => {
      const run = await begun(id, 'for i in 1 2 3 4 5 6 7 8; do echo "line $i"; sleep 0.1; done');
      expect(await ended(run)).toMatchObject({ state: 'succeeded' });
      expect((await printed(run)).toString()).toBe(numbered(8));
    });
    expect(refused).toBeGreaterThan(1);
    expect(unheard).toEqual([]);
  });

  it('goes on by another server when the first dies without a word', async () => {
    const dying = server;
    const id = await opened();
    const run = await begun(
      id,
      counting(60, [
        { at: 20, for: file(id, 'first') },
        { at: 40, for: file(id, 'then') },
      ]),
    );
    await until(
      () => printed(run),
      (bytes) => bytes.toString().includes('line 20\n'),
      'some of it',
    );
    // As if it did: what it does goes on, and its leases are not its own any more.
    await database.pool.query("update execution set lease_until = now() - interval '1 second' where id = $1", [run]);
    server = await serving();
    await until(
      async () => (await server.store.executionById(run))?.claim ?? 0,
      (claim) => claim > 1,
      'another claim',
    );
    await touchFile(id, 'first');
    await until(
      () => printed(run),
      (bytes) => bytes.toString().includes('line 40\n'),
      'more of it',
    );
    await stop(dying);
    await touchFile(id, 'then');
    expect(await ended(run)).toMatchObject({ state: 'succeeded' });
    expect((await printed(run)).toString()).toBe(numbered(60));
  });

  it('says that not all of it is kept, of many small pieces too', async () => {
    await stop(server);
    server = await serving({ maxLogBytes: 2_000 });
    const id = await opened();
    const run = await begun(id, 'i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo x; sleep 0.06; done');
    const { output, state } = await ended(run);
    expect({ state, truncated: output.truncated }).toEqual({ state: 'succeeded', truncated: true });
    expect(output.stdout).toBe((await printed(run)).length);
    expect(output.stdout).toBeLessThan(120);
  });
});

describe('limits of time', () => {
  const aged = (id: string, column: 'last_activity_at' | 'ready_at', seconds: number) =>
    database.pool.query(
      `update sandbox set last_activity_at = case when $3 then now() - make_interval(secs => $2) else last_activity_at end,
         ready_at = least(ready_at, now() - make_interval(secs => $2)), wake_at = now() where id = $1`,
      [id, seconds, column === 'last_activity_at'],
    );

  /** What is said of an end by a limit, an activity a line. */
  const warnings = () => {
    const said = new Map<string, string[]>();
    for (const { activityId, message } of server.published) {
      const before = said.get(activityId);
      if (message.type === 'DEVOPS_STARTED' && message.operation.endsWith('closes soon'))
        said.set(activityId, [message.operation, ...message.steps]);
      else if (before !== undefined && message.type !== 'DEVOPS_STEP_UPDATE') before.push(message.type);
    }
    return [...said.values()].map((words) => words.join(', ').replace(/ at \d.*Z/, ''));
  };

  it('warns, once each time it comes near, then closes what nobody uses', async () => {
    const id = await opened({ idleSeconds: 600, name: 'mine' });
    const said = 'Sandbox mine closes soon, Nobody uses it';
    await aged(id, 'last_activity_at', 540);
    const near = () =>
      until(
        () => shown(id),
        ({ closesSoon }) => closesSoon === 'idle',
        'the warning',
      );
    expect((await near()).reason).toMatch(/^Closes soon/);
    expect(warnings()).toEqual([said]);
    // Who goes on with it has put it off.
    await server.sandboxes.resume(ada, id);
    expect(await shown(id)).toMatchObject({ closesSoon: null, reason: 'Its machine runs' });
    expect(warnings()).toEqual([`${said}, DEVOPS_COMPLETE`]);
    await aged(id, 'last_activity_at', 550);
    await near();
    await aged(id, 'last_activity_at', 601);
    expect(await reach(id, 'closed')).toMatchObject({ reason: 'Closed: nobody used it', closesSoon: null });
    expect(warnings()).toEqual([`${said}, DEVOPS_COMPLETE`, `${said}, DEVOPS_COMPLETE`]);
  });

  it('does not take for idle what something runs in, however long nobody could look', async () => {
    const id = await opened({ idleSeconds: 600 });
    const run = await begun(id, `until [ -e ${file(id, 'go')} ]; do sleep 0.05; done`);
    await running(run);
    await aged(id, 'last_activity_at', 700);
    const { lastActivity } = await until(
      () => shown(id),
      (seen) => Date.parse(seen.lastActivity) > Date.now() - 300_000 || isClosed(seen.state),
      'new activity',
    );
    expect(Date.parse(lastActivity)).toBeGreaterThan(Date.now() - 300_000);
    expect((await shown(id)).state).toBe('running');
    await touchFile(id, 'go');
    expect(await ended(run)).toMatchObject({ state: 'succeeded' });
  });

  it('closes at the end of its lifetime whatever runs, and says so', async () => {
    const id = await opened({ lifetimeSeconds: 600, idleSeconds: 6000 });
    const run = await begun(id, 'exec sleep 977');
    await running(run);
    await aged(id, 'ready_at', 601);
    expect(await reach(id, 'closed')).toMatchObject({ reason: 'Closed: its time was over' });
    expect(await ended(run)).toMatchObject({
      state: 'lost',
      reason: 'Its sandbox was closed because its time was over.',
    });
  });

  it('renews what the backend would end by its own clock', async () => {
    const id = await opened();
    await until(
      async () => backend.renewed,
      (renewed) => renewed.includes(id),
      'a renewal',
    );
  });
});

describe('pausing', () => {
  it('keeps what waits until it goes on, and lets it go when it was closed', async () => {
    const id = await opened();
    await server.sandboxes.pause(ada, id);
    await reach(id, 'paused');
    const run = await begun(id, 'echo there');
    const waits = await until(
      () => server.sandboxes.execution(ada, run),
      ({ reason }) => reason.includes('paused'),
      'why it waits',
    );
    expect(waits).toMatchObject({ state: 'queued', startedAt: null });
    // It takes nobody's place while it waits.
    await until(
      async () =>
        (await database.pool.query('select 1 from execution where id = $1 and lease_until is null', [run])).rowCount,
      (free) => free === 1,
      'its place',
    );
    await server.sandboxes.resume(ada, id);
    expect(await ended(run)).toMatchObject({ state: 'succeeded' });
    await server.sandboxes.pause(ada, id);
    await reach(id, 'paused');
    const other = await begun(id, 'echo never');
    await server.sandboxes.close(ada, id, { keep: false });
    expect(await ended(other)).toMatchObject({ state: 'cancelled', reason: 'Its sandbox was closed.' });
    await reach(id, 'closed');
  });

  it('is refused where the driver cannot', async () => {
    await backend.close();
    backend = new Backend({ pauses: false });
    await stop(server);
    server = await serving();
    const id = await opened();
    expect(await code(server.sandboxes.pause(ada, id))).toBe('unsupported');
  });
});

it('leaves machines to the server that made them when it is restored', async () => {
  const id = await opened();
  const run = await begun(id, 'echo up; exec sleep 977');
  await running(run);
  await stop(server);
  const query = async (text: string) => (await database.pool.query(text)).rowCount ?? 0;
  expect(await sandboxesRestored({ run: query })).toEqual({ lost: 1, queued: 0 });
  server = await serving();
  expect(await reach(id, 'closed')).toMatchObject({ reason: expect.stringContaining('restored from a backup') });
  expect(await ended(run)).toMatchObject({ state: 'lost', reason: 'This server was restored from a backup.' });
  expect(backend.removed).toEqual([]);
});
