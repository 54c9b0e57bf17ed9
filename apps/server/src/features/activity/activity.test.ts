import { readFileSync } from 'node:fs';
import type { ActivityMessage } from '@hangar/contract';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { LIVE_CHANNEL } from '../../platform/live/announce.ts';
import { newId } from '../../platform/secrets/index.ts';
import { type ActivityBus, createActivity, type Viewer } from './activity.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let activity: ActivityBus;
beforeEach(async () => {
  database = await createTestDatabase();
  activity = createActivity(database);
});
afterEach(() => database.drop());

const person = (name: string, everybody = false): Viewer => ({ userId: `u_${name}`, userName: name, everybody });
const [ada, bob, root] = [person('ada'), person('bob'), person('root', true)];
const NOW = Date.now();
const time = (seconds: number) => new Date(NOW + seconds * 1000);
const step = (name: string, status: 'running' | 'completed' | 'failed'): ActivityMessage => ({
  type: 'DEVOPS_STEP_UPDATE',
  step: name,
  status,
});
const rows = async (table: string) =>
  Number((await database.pool.query(`select count(*) from ${table}`)).rows[0].count);

/** So many activities of one person at once, as a script of theirs would start them. */
async function flood(
  of: Viewer,
  count: number,
  more: ActivityMessage[] = [],
  correlationId: string | null = null,
): Promise<void> {
  const actor = { id: of.userId, name: of.userName };
  const publications = Array.from({ length: count }, (_, index) => {
    const activityId = newId('a');
    const started: ActivityMessage = { type: 'DEVOPS_STARTED', operation: `${of.userName} ${index}`, steps: ['Go'] };
    return [started, ...more].map((message) => ({ activityId, message, at: time(index), correlationId, actor }));
  });
  await database.db.transaction((tx) => activity.publish(tx, publications.flat()));
}

describe('lists', () => {
  it('show the newest state of an activity, however much was said about it and others', async () => {
    const { id } = await activity.start(ada, { operation: 'Deploy', steps: ['Build', 'Ship'] });
    for (let n = 0; n < 3; n += 1)
      await database.db.transaction((tx) =>
        activity.publish(
          tx,
          Array.from({ length: 3_000 }, (_, index) => ({
            ...{ activityId: id, message: step(`Step ${(n * 3_000 + index) % 150}`, 'running'), at: time(index) },
            ...{ actor: { id: ada.userId, name: ada.userName }, correlationId: null },
          })),
        ),
      );
    await activity.say(ada, id, step('Build', 'completed'), time(9_000));
    await activity.say(ada, id, { type: 'DEVOPS_FAILED', error: 'no room' }, time(9_001));
    const { current, recent } = await activity.list(root, { limit: 10 });
    expect(current).toEqual([]);
    expect(recent).toMatchObject([{ id, status: 'failed', error: 'no room', operation: 'Deploy' }]);
    expect(recent[0]?.steps[0]).toMatchObject({ name: 'Build', status: 'completed' });
    // What is kept of it is bounded, too.
    expect(recent[0]?.steps.length).toBeLessThanOrEqual(100);
    expect(await rows('activity_message')).toBeLessThanOrEqual(200);
  });

  it('of an admin have what each person did lately, whoever floods them', async () => {
    await flood(bob, 3, [{ type: 'DEVOPS_COMPLETE' }]);
    await flood(bob, 2);
    await flood(ada, 400, [{ type: 'DEVOPS_COMPLETE' }]);
    await flood(ada, 400);
    const { current, recent } = await activity.list(root, { limit: 10 });
    const of = (list: typeof current, { userId }: Viewer) => list.filter(({ actor }) => actor.id === userId).length;
    expect([of(recent, bob), of(recent, ada)]).toEqual([3, 7]);
    expect([of(current, bob), of(current, ada)]).toEqual([2, 98]);
    // Newest first, and of each person the newest.
    expect(recent[0]?.operation).toBe('ada 399');
    expect(recent.map(({ completedAt }) => completedAt)).toEqual(
      recent
        .map(({ completedAt }) => completedAt)
        .sort()
        .reverse(),
    );
    expect((await activity.list(bob, { limit: 10 })).recent).toHaveLength(3);
  });

  it('about one thing, or by one name, are not hidden by others who say that theirs is about it, or are called so', async () => {
    const namesake: Viewer = { ...ada, userId: 'u_ada_too' };
    await flood(bob, 1, [], 'j_1');
    await flood(bob, 1, [{ type: 'DEVOPS_COMPLETE' }], 'j_1');
    await flood(ada, 1);
    for (const end of [[], [{ type: 'DEVOPS_COMPLETE' } as const]]) await flood(namesake, 200, [...end], 'j_1');
    const about = await activity.list(root, { limit: 10, correlationId: 'j_1' });
    for (const list of [about.current, about.recent])
      expect(list.filter(({ actor }) => actor.id === bob.userId)).toHaveLength(1);
    expect(about.recent).toHaveLength(10);
    const called = await activity.list(root, { limit: 10, actor: 'ada' });
    expect(called.current.filter(({ actor }) => actor.id === ada.userId)).toHaveLength(1);
  });

  it('are asked for by state, by person and by what it is about', async () => {
    const deploy = await activity.start(ada, { operation: 'Deploy', steps: [], correlationId: 'j_1' });
    const other = await activity.start(bob, { operation: 'Other', steps: [] });
    await activity.say(bob, other.id, { type: 'DEVOPS_FAILED', error: 'no' }, time(1));
    const ids = async (query: object, viewer = root) => {
      const { current, recent } = await activity.list(viewer, { limit: 10, ...query });
      return [current.map(({ id }) => id), recent.map(({ id }) => id)];
    };
    expect(await ids({})).toEqual([[deploy.id], [other.id]]);
    expect(await ids({ status: 'failed' })).toEqual([[], [other.id]]);
    expect(await ids({ status: 'completed' })).toEqual([[], []]);
    expect(await ids({ status: 'in_progress' })).toEqual([[deploy.id], []]);
    expect(await ids({ actor: 'bob' })).toEqual([[], [other.id]]);
    expect(await ids({ correlationId: 'j_1' })).toEqual([[deploy.id], []]);
    expect(await ids({ correlationId: 'j_1' }, bob)).toEqual([[], []]);
  });
});

it('each change has a larger version, and what changes nothing is not told', async () => {
  const told: string[] = [];
  await database.listen(LIVE_CHANNEL, (payload) => told.push(JSON.parse(payload).id));
  const { id, version } = await activity.start(ada, { operation: 'Deploy', steps: ['Build'] });
  const running = await activity.say(ada, id, step('Build', 'running'), time(1));
  expect(running.version).toBeGreaterThan(version);
  expect((await activity.say(ada, id, step('Build', 'running'), time(2))).version).toBe(running.version);
  const both = await Promise.all([1, 2, 3, 4].map((n) => activity.say(ada, id, step(`Step ${n}`, 'running'), time(n))));
  const last = await activity.get(ada, id);
  expect(last.version).toBe(running.version + 4);
  expect(last.steps.map(({ name }) => name).sort()).toEqual(['Build', 'Step 1', 'Step 2', 'Step 3', 'Step 4']);
  expect(both.every(({ version }) => version <= last.version)).toBe(true);
  await expect.poll(() => told.length).toBe(6);
});

it('a message that comes late is put where it belongs', async () => {
  const { id } = await activity.start(ada, { operation: 'Deploy', steps: ['Build'] });
  await activity.say(ada, id, step('Build', 'completed'), time(20));
  await activity.say(ada, id, step('Build', 'running'), time(10));
  expect((await activity.get(ada, id)).steps[0]).toMatchObject({
    status: 'completed',
    startedAt: time(10).toISOString(),
    completedAt: time(20).toISOString(),
  });
});

describe('what is kept', () => {
  it('is the activity, its messages for a day', async () => {
    const { id } = await activity.start(ada, { operation: 'Deploy', steps: ['Build'] });
    await activity.say(ada, id, step('Build', 'running'), time(1));
    await database.pool.query(`update activity_message set received_at = now() - interval '25 hours'`);
    const fresh = await activity.start(ada, { operation: 'Fresh', steps: [] });
    await activity.tidy(90, AbortSignal.timeout(10_000));
    expect(await rows('activity_message')).toBe(1);
    expect((await activity.get(ada, id)).steps[0]).toMatchObject({ status: 'running' });
    await activity.say(ada, id, step('Build', 'failed'), time(0.5));
    expect((await activity.get(ada, id)).steps[0]).toMatchObject({ status: 'failed' });
    expect((await activity.get(ada, fresh.id)).operation).toBe('Fresh');
  });

  it('is the newest of each person, for so many days; what is still open stays', async () => {
    await flood(ada, 2_100, [{ type: 'DEVOPS_COMPLETE' }]);
    await flood(bob, 2, [{ type: 'DEVOPS_COMPLETE' }]);
    const open = await activity.start(bob, { operation: 'Open', steps: [] });
    await database.pool.query(
      `update activity set at = at - interval '91 days', last_at = now() - interval '50 days'
      where owner = 'u_bob' and summary->>'operation' = 'bob 0' or id = $1`,
      [open.id],
    );
    await activity.tidy(30, AbortSignal.timeout(10_000));
    const { rows: left } = await database.pool.query(
      'select owner, count(*)::int as n from activity group by owner order by owner',
    );
    expect(left).toEqual([
      { owner: 'u_ada', n: 2_000 },
      { owner: 'u_bob', n: 2 },
    ]);
    expect((await activity.list(ada, { limit: 1 })).recent[0]?.operation).toBe('ada 2099');
    // What a job says about one that was let go comes to nothing, and hurts nobody.
    await database.pool.query('delete from activity where id = $1', [open.id]);
    await database.db.transaction((tx) =>
      activity.publish(tx, [
        {
          ...{ activityId: open.id, message: step('Go', 'running'), at: time(1), correlationId: null },
          actor: { id: bob.userId, name: bob.userName },
        },
      ]),
    );
    await expect(activity.get(bob, open.id)).rejects.toMatchObject({ code: 'activity_not_found' });
  });
});

it('the migration folds what was said before as the server does', async () => {
  const stories: [number, ActivityMessage][][] = [
    [
      [0, { type: 'DEVOPS_STARTED', operation: 'Deploy', steps: ['Build', 'Ship'], link: '/jobs/j_1' }],
      [1, step('Build', 'running')],
      [2, step('Build', 'completed')],
      [3, step('Ship', 'running')],
      [4, { type: 'DEVOPS_FAILED', error: 'no' }],
    ],
    [
      [0, { type: 'DEVOPS_STARTED', operation: 'Open', steps: ['Build'] }],
      [1, step('Extra', 'running')],
      [2, step('Build', 'failed')],
    ],
    [
      [0, { type: 'DEVOPS_STARTED', operation: 'Bare', steps: [] }],
      [5, { type: 'DEVOPS_COMPLETE' }],
    ],
    // More steps, and longer errors, than are kept of one.
    [
      [0, { type: 'DEVOPS_STARTED', operation: 'Long', steps: [] }],
      ...Array.from({ length: 130 }, (_, n): [number, ActivityMessage] => [
        n + 1,
        { type: 'DEVOPS_STEP_UPDATE', step: `Step ${n}`, status: 'failed', error: 'x'.repeat(1_500) },
      ]),
    ],
  ];
  const ids: string[] = [];
  for (const story of stories) {
    const id = newId('a');
    ids.push(id);
    await database.db.transaction((tx) =>
      activity.publish(
        tx,
        story.map(([seconds, message]) => ({
          ...{ activityId: id, message, at: time(seconds), correlationId: 'j_1' },
          actor: { id: ada.userId, name: ada.userName },
        })),
      ),
    );
  }
  const before = await Promise.all(ids.map((id) => activity.byId(id)));
  const folder = new URL('../../../migrations/', import.meta.url);
  const journal = JSON.parse(readFileSync(new URL('meta/_journal.json', folder), 'utf8')) as {
    entries: { tag: string }[];
  };
  const statements = journal.entries
    .map(({ tag }) => readFileSync(new URL(`${tag}.sql`, folder), 'utf8').split('--> statement-breakpoint'))
    .find((each) => each.some((statement) => statement.includes('insert into activity')));
  const from = statements?.findIndex((statement) => statement.includes('insert into activity'));
  await database.pool.query('delete from activity');
  const talker = newId('a');
  await database.pool.query(
    `insert into activity_message (activity_id, at, type, message, actor_name)
     select $1, now() + n * interval '1 second', 'DEVOPS_STEP_UPDATE', jsonb_build_object('type', 'DEVOPS_STEP_UPDATE', 'step', 'Go', 'status', 'running'), 'ada'
     from generate_series(1, 250) n`,
    [talker],
  );
  for (const statement of statements?.slice(from) ?? []) await database.pool.query(statement);
  const after = await Promise.all(ids.map((id) => activity.byId(id)));
  const plain = (list: typeof before) => list.map((each) => each && { ...each, version: 0 });
  expect(plain(after)).toEqual(plain(before));
  // Of one that said too much nothing is kept but what it made, so that what comes late is not folded with a part of it.
  const { rows: left } = await database.pool.query(
    'select kept, base = summary as same, (select count(*)::int from activity_message where activity_id = a.id) as messages from activity a where id = $1',
    [talker],
  );
  expect(left).toEqual([{ kept: 0, same: true, messages: 0 }]);
});
