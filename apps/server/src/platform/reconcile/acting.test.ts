import { HangarError } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../database/testing/index.ts';
import { announcementOf, LIVE_CHANNEL } from '../live/announce.ts';
import { createAdmission } from '../places/admission.ts';
import { createPlaces } from '../places/places.ts';
import { type Acts, createActing } from './acting.ts';
import { createReconciled, Fenced } from './reconciled.ts';
import type { Reconciler } from './reconciler.ts';
import { installLamps, LAMP, type Lamp, type LampAction, lampNoun, lamps, type SeenOfLamp } from './testing/lamp.ts';

const log = pino({ level: 'silent' });
const PATIENCE = { timeout: 60_000, interval: 20 };
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let running: Reconciler[];
/** What the switch of each lamp really is, and each time that somebody turned it. */
let burning: Set<string>;
let turned: string[];
beforeAll(async () => {
  database = await createTestDatabase();
  await installLamps(database);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('with gone as (delete from lamp) delete from place_turn');
  [running, burning, turned] = [[], new Set(), []];
});
afterEach(() => Promise.all(running.map((each) => each.stop())));

const ACTS: Acts<Lamp, SeenOfLamp, LampAction> = {
  light: {
    async run({ id }) {
      turned.push(`light ${id}`);
      burning.add(id);
      return () => ({ burns: true, awaySince: null });
    },
  },
  quench: {
    async run({ id }) {
      turned.push(`quench ${id}`);
      burning.delete(id);
      return () => ({ burns: false });
    },
  },
  clean: { needsNobody: true, run: async () => (_row, now) => ({ cleanedAt: now }) },
};

/** One server. Tests say where it fails. */
async function server(
  o: { acts?: Partial<typeof ACTS>; told?: Parameters<typeof lampNoun>[0]; dies?: (step: string) => void } = {},
) {
  const dies = o.dies ?? (() => undefined);
  const db: typeof database.db = Object.assign(Object.create(database.db), {
    transaction: async (work: Parameters<typeof database.db.transaction>[0]) => {
      dies('before a transaction');
      const done = await database.db.transaction(async (tx) => {
        const result = await work(tx);
        dies('before its commit');
        return result;
      });
      dies('after its commit');
      return done;
    },
  });
  const reconciled = createReconciled({ db }, lampNoun(o.told));
  const acting = createActing({
    // Longer than a slow machine may stand still: who loses a row here, a test says so.
    ...{ database, reconciled, log, concurrency: 4, leaseSeconds: 60 },
    acts: { ...ACTS, ...o.acts },
    away: { seen: (_why, row, now) => ({ awaySince: row.awaySince ?? now }), againMs: () => 50 },
  });
  running.push(acting);
  await acting.start();
  return reconciled;
}
const add = (id: string, more: { admitted?: Date | null; cancelled?: Date; failures?: number } = {}) => {
  const { admitted = new Date(), cancelled = null, failures = 0 } = more;
  return database.pool.query(
    `with made as (insert into lamp (id, user_id, admitted_at, cancel_requested_at, failures)
       values ($1, 'u_1', $2, $3, $4) returning 1)
     select pg_notify('hangar_wake', 'lamp'), pg_notify('hangar_admission', 'lamp') from made`,
    [id, admitted, cancelled, failures],
  );
};
const wake = () =>
  database.pool.query(`with due as (update lamp set wake_at = now() returning 1)
    select pg_notify('hangar_wake', 'lamp') from due`);
async function row(id: string): Promise<Record<string, unknown>> {
  return (await database.pool.query('select * from lamp where id = $1', [id])).rows[0] ?? {};
}
const state = async (id: string) => (await row(id)).state;

it('acts until nothing is to be done, and tells each move with its commit', async () => {
  const told: string[] = [];
  const heard: string[] = [];
  const listening = await database.listen(LIVE_CHANNEL, (payload) => heard.push(payload));
  const reconciled = await server({ told: async (_tx, id, now) => void told.push(`${id} ${now}`) });
  await add('one');
  await reconciled.advance('one', () => ({}));
  await expect.poll(() => state('one'), PATIENCE).toBe('burning');
  await reconciled.advance('one', (_row, now) => ({ cancelRequestedAt: now }));
  await expect.poll(async () => (await row('one')).cleaned_at, PATIENCE).not.toBeNull();
  expect([told, turned]).toEqual([
    ['one burning', 'one out'],
    ['light one', 'quench one'],
  ]);
  await expect.poll(() => heard.length, PATIENCE).toBe(2);
  for (const payload of heard) expect(announcementOf(payload)).toEqual({ noun: LAMP, id: 'one', audience: 'u_1' });
  await listening.close();
});

describe('a server that dies', () => {
  // Each step of a whole life is the last of one server: the next goes on.
  it.each(Array.from({ length: 12 }, (_, n) => n + 1))('at step %i costs time and nothing else', async (last) => {
    let steps = 0;
    const dead = await server({
      dies: () => {
        steps += 1;
        if (steps >= last) throw new Error('killed here');
      },
    });
    await add('one');
    await dead.advance('one', () => ({})).catch(() => undefined);
    await database.pool.query(`select pg_notify('hangar_wake', 'lamp')`);
    await expect.poll(() => steps, PATIENCE).toBeGreaterThanOrEqual(Math.min(last, 6));
    await running.pop()?.stop();
    const next = await server();
    await expect.poll(() => state('one'), PATIENCE).toBe('burning');
    await next.advance('one', (_row, now) => ({ cancelRequestedAt: now }));
    await expect.poll(async () => (await row('one')).cleaned_at, PATIENCE).not.toBeNull();
    expect(burning.size).toBe(0);
    // The lease is given back after what was seen is written.
    const settled = { state: 'out', lease_until: null, wake_at: null, failures: 0 };
    await expect.poll(() => row('one'), PATIENCE).toMatchObject(settled);
  });

  it('in the middle of an act lets the next one do it again', async () => {
    let hangs = true;
    const { light } = ACTS;
    const run: typeof light.run = async (lamp, action, o) => {
      if (!hangs) return light.run(lamp, action, o);
      hangs = false;
      return aborted(o.signal);
    };
    await server({ acts: { light: { run } } });
    await add('one');
    await expect.poll(() => hangs, PATIENCE).toBe(false);
    // As if its process was gone: nobody keeps the lease.
    await database.pool.query(`update lamp set lease_until = now() - interval '1 s', claim = claim + 1`);
    await server();
    await expect.poll(() => state('one'), PATIENCE).toBe('burning');
    expect(turned).toEqual(['light one']);
  });
});

it('of two servers only who has the row writes: what the other saw counts no more', async () => {
  const late = Promise.withResolvers<void>();
  const slow = await server({
    acts: {
      light: {
        async run() {
          await late.promise;
          return () => ({ burns: true });
        },
      },
    },
  });
  await add('one');
  await expect.poll(async () => (await row('one')).claim, PATIENCE).toBe(1);
  await database.pool.query('update lamp set claim = 2, lease_until = null, wake_at = null');
  late.resolve();
  await running.pop()?.stop();
  expect(await row('one')).toMatchObject({ burns: false, failures: 0 });
  await expect(slow.advance('one', () => ({ burns: true }), { claim: 1 })).rejects.toBeInstanceOf(Fenced);
});

it('two servers share many rows, and each is acted on once', async () => {
  await Promise.all([server(), server()]);
  await Promise.all(Array.from({ length: 60 }, (_, n) => add(`lamp${n}`)));
  await expect.poll(async () => (await rows("state = 'burning'")).length, PATIENCE).toBe(60);
  expect(turned).toHaveLength(60);
});

describe('a row that cannot be handled', () => {
  it('is tried less and less often, holds up nobody, and is well at once when it can be', async () => {
    let isPoison = true;
    const tries: number[] = [];
    const { light } = ACTS;
    await server({
      acts: {
        light: {
          async run(lamp, action, o) {
            if (lamp.id !== 'bad' || !isPoison) return light.run(lamp, action, o);
            tries.push(performance.now());
            throw new Error('poison');
          },
        },
      },
    });
    await Promise.all([add('bad'), add('good')]);
    await expect.poll(() => state('good'), PATIENCE).toBe('burning');
    // Pauses of 2, then 4 s: a slow machine makes them longer, and what is left of one shorter.
    await expect.poll(() => tries.length, PATIENCE).toBeGreaterThanOrEqual(3);
    const [first = 0, second = 0, third = 0] = tries;
    expect(second - first).toBeGreaterThan(1_900);
    expect(third - second).toBeGreaterThan(3_900);
    const pauses = await database.pool.query(
      'select extract(epoch from wake_at - now()) <= power(2, failures) as short from lamp where id = $1',
      ['bad'],
    );
    expect(pauses.rows).toEqual([{ short: true }]);
    isPoison = false;
    await wake();
    await expect.poll(() => state('bad'), PATIENCE).toBe('burning');
    await expect.poll(async () => (await row('bad')).failures, PATIENCE).toBe(0);
  });

  it('never pauses longer than five minutes', async () => {
    await server({ acts: { light: { run: () => Promise.reject(new Error('poison')) } } });
    await add('bad', { failures: 1000 });
    await expect.poll(async () => (await row('bad')).failures, PATIENCE).toBe(1001);
    const { rows: found } = await database.pool.query(`select wake_at <= now() + interval '301 s' as soon from lamp`);
    expect(found).toEqual([{ soon: true }]);
  });

  it('that ends the servers which take it is left alone for a while, though none of them could say so', async () => {
    await database.pool.query(`insert into lamp (id, user_id, admitted_at, failures, wake_at, lease_until)
      values ('deadly', 'u_1', now(), 6, null, now() - interval '1 s')`);
    await server();
    await expect.poll(async () => (await row('deadly')).failures, PATIENCE).toBe(7);
    await expect.poll(async () => (await row('deadly')).lease_until, PATIENCE).toBeNull();
    expect(turned).toEqual([]);
    // Its turn comes again by itself, without a server that died just before.
    await expect.poll(() => state('deadly'), PATIENCE).toBe('burning');
  });
});

it.each([
  ['a deadline that is over', () => AbortSignal.timeout(1).reason ?? new DOMException('late', 'TimeoutError')],
  ['a call that was given up on the way', () => new DOMException('This operation was aborted', 'AbortError')],
  ['an SDK’s own word for it', () => Object.assign(new Error('aborted'), { name: 'AbortError', code: 'ABORT_ERR' })],
  ['one that carries it as its cause', () => new Error('fetch failed', { cause: new DOMException('x', 'AbortError') })],
  ['a driver that lets nobody in', () => new HangarError('driver_auth_failed')],
  ['a driver that is busy', () => new HangarError('driver_busy')],
  ['a connection that broke', () => new HangarError('connection_lost')],
])('%s is a driver that is away', async (_what, error) => {
  let isAway = true;
  const { light } = ACTS;
  await server({
    acts: {
      light: {
        async run(lamp, action, o) {
          if (isAway) throw error();
          return light.run(lamp, action, o);
        },
      },
    },
  });
  await add('one');
  await expect.poll(async () => (await row('one')).away_since, PATIENCE).not.toBeNull();
  expect(await row('one')).toMatchObject({ failures: 0 });
  isAway = false;
  await expect.poll(() => state('one'), PATIENCE).toBe('burning');
});

it('a driver that is away is seen as such since when, is asked again, and is no failure', async () => {
  let isAway = true;
  const { light } = ACTS;
  const reconciled = await server({
    acts: {
      light: {
        async run(lamp, action, o) {
          if (isAway) throw new HangarError('driver_unavailable', { message: 'Nobody is there.' });
          return light.run(lamp, action, o);
        },
      },
    },
  });
  await add('one');
  await expect.poll(async () => (await row('one')).away_since, PATIENCE).not.toBeNull();
  const since = (await row('one')).away_since;
  const { version } = await row('one');
  await expect.poll(async () => Number((await row('one')).version), PATIENCE).toBeGreaterThan(Number(version) + 4);
  expect(await row('one')).toMatchObject({ away_since: since, failures: 0, state: 'dark' });
  isAway = false;
  await expect.poll(() => state('one'), PATIENCE).toBe('burning');
  // What needs nobody is done in the same turn in which the driver could not be asked.
  isAway = true;
  await reconciled.advance('one', (_row, now) => ({ burns: false, cancelRequestedAt: now }));
  await expect.poll(async () => (await row('one')).cleaned_at, PATIENCE).not.toBeNull();
});

it('of an act that is dear so many run at once, and others have room beside them', async () => {
  let now = 0;
  let most = 0;
  const { light } = ACTS;
  await server({
    acts: {
      light: {
        atOnce: 2,
        async run(lamp, action, o) {
          now += 1;
          most = Math.max(most, now);
          await new Promise((resolve) => setTimeout(resolve, 30));
          now -= 1;
          return light.run(lamp, action, o);
        },
      },
    },
  });
  await Promise.all(Array.from({ length: 8 }, (_, n) => add(`lamp${n}`)));
  await add('old', { cancelled: new Date() });
  await expect.poll(() => state('old'), PATIENCE).toBe('out');
  await expect.poll(async () => (await rows("state = 'burning'")).length, PATIENCE).toBe(8);
  expect(most).toBe(2);
});

it('a noun takes places like any other: admission lets it in, profiles know that they are used, both forget it', async () => {
  const reconciled = await server();
  const places = createPlaces(database);
  const limitsOf = async () => ({ ofUser: () => 1, ofProfile: () => 9 });
  const admission = createAdmission({ database, log, table: lamps, limitsOf, total: 9 });
  await admission.start();
  await add('one', { admitted: null });
  await add('two', { admitted: null });
  await expect.poll(() => state('one'), PATIENCE).toBe('burning');
  expect(await state('two')).toBe('dark');
  expect(await places.inUse(LAMP)).toEqual(new Map([['hall', 1]]));
  expect(await places.unfinishedOn('hall')).toEqual(new Map([[LAMP, 2]]));
  await reconciled.advance('one', (_row, now) => ({ cancelRequestedAt: now }));
  await expect.poll(() => state('two'), PATIENCE).toBe('burning');
  await database.db.execute(sql`delete from lamp`);
  expect(await places.unfinishedOn('hall')).toEqual(new Map());
  await admission.stop();
});

const rows = async (where: string) => (await database.pool.query(`select id from lamp where ${where}`)).rows;
const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
