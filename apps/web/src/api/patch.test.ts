import type { Activity, Job } from '@hangar/contract';
import { type InfiniteData, InfiniteQueryObserver, QueryClient, QueryObserver } from '@tanstack/react-query';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { completed as activityDone, running as activityRuns } from '../modules/activity/samples.ts';
import { queued } from '../modules/jobs/samples.ts';
import { createApi } from './client.tsx';
import { newestOf } from './newest.ts';
import { createPatcher, patch } from './patch.ts';

const STATES = ['queued', 'starting', 'running', 'succeeded'] as const;
const ID = 'j_0000000000000001';
const { spec: _spec, events: _events, ...listedJob } = queued;
/** The job as it was after so many changes. */
const job = (version: number): Job => ({
  ...listedJob,
  id: ID,
  version,
  state: STATES[Math.min(version, 3)] ?? 'queued',
  reason: `version ${version}`,
});
const detail = (version: number) => ({ ...queued, ...job(version), spec: `spec`, events: [] });
const activity = (version: number): Activity => ({
  ...(version < 3 ? activityRuns : activityDone),
  id: 'a_0000000000000001',
  version,
});

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A page with an empty cache, and a server whose answers come when the test says. */
function page() {
  const waiting: { path: string; answer: (body: unknown) => void }[] = [];
  const api = createApi(
    'http://server',
    (url) =>
      new Promise((resolve) => {
        waiting.push({
          path: new URL(String(url)).pathname,
          answer: (body) => resolve(Response.json(body)),
        });
      }),
  );
  const queries = new QueryClient({
    defaultOptions: { queries: { retry: false, networkMode: 'always', gcTime: 60_000 } },
  });
  newestOf(queries, api);
  const patcher = createPatcher(queries, api);
  stops.push(() => {
    patcher.stop();
    queries.clear();
  });
  const answer = async (path: string, body: unknown) => {
    const at = waiting.findIndex((one) => one.path === path);
    const before = queries.isFetching();
    waiting.splice(at, 1)[0]?.answer(body);
    await expect.poll(() => queries.isFetching()).toBeLessThan(before);
  };
  const watch = (observer: { subscribe: (listener: () => void) => () => void }) =>
    stops.push(observer.subscribe(() => {}));
  const one = () => watch(new QueryObserver(queries, api.jobs.get.queryOptions({ input: { id: ID } })));
  const list = () =>
    watch(
      new InfiniteQueryObserver(
        queries,
        api.jobs.list.infiniteOptions({
          input: () => ({}),
          initialPageParam: undefined,
          getNextPageParam: () => undefined,
        }),
      ),
    );
  const activities = () => watch(new QueryObserver(queries, api.activity.list.queryOptions({ input: { limit: 30 } })));
  const shown = () => queries.getQueryData<Job>(api.jobs.get.queryKey({ input: { id: ID } }));
  const listed = () => {
    const [[, data] = []] = queries.getQueriesData<InfiniteData<{ items: Job[] }>>({ queryKey: api.jobs.list.key() });
    return data?.pages.flatMap(({ items }) => items);
  };
  return { api, queries, patcher, answer, one, list, activities, shown, listed };
}

it('an answer that comes later than the frame of something newer brings nothing back', async () => {
  const { patcher, answer, one, list, shown, listed, queries, api } = page();
  one();
  list();
  // Neither query has anything yet: only the register knows.
  patcher.changed('job', job(3));
  await answer(`/api/jobs/${ID}`, detail(1));
  expect(shown()).toMatchObject({ version: 3, state: 'succeeded', spec: 'spec' });
  await answer('/api/jobs', { items: [job(2)], nextCursor: null });
  expect(listed()).toMatchObject([{ version: 3, state: 'succeeded' }]);
  expect(Object.keys(listed()?.[0] ?? {})).not.toContain('spec');

  // Asked again, and old once more.
  void queries.refetchQueries({ queryKey: api.jobs.get.key() });
  await expect.poll(() => queries.isFetching()).toBe(1);
  patcher.changed('job', job(5));
  await answer(`/api/jobs/${ID}`, detail(4));
  expect(shown()).toMatchObject({ version: 5, reason: 'version 5' });
});

it('frames and answers to actions in any order leave the newest, in the page and in the list', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ how: fc.constantFrom('frame', 'action', 'get', 'list'), version: fc.nat({ max: 6 }) }), {
        minLength: 1,
        maxLength: 12,
      }),
      async (steps) => {
        const { api, queries, patcher, shown, listed } = page();
        const newest = Math.max(...steps.map(({ version }) => version));
        queries.setQueryData(api.jobs.get.queryKey({ input: { id: ID } }), detail(0));
        const lists = [...api.jobs.list.key(), 'one'];
        queries.setQueryData(lists, { pages: [{ items: [job(0)], nextCursor: null }], pageParams: [undefined] });
        for (const { how, version } of steps) {
          if (how === 'frame') patcher.changed('job', job(version));
          else if (how === 'action') patch(queries, api, 'job', job(version));
          else if (how === 'get') queries.setQueryData(api.jobs.get.queryKey({ input: { id: ID } }), detail(version));
          else
            queries.setQueryData(lists, {
              pages: [{ items: [job(version)], nextCursor: null }],
              pageParams: [undefined],
            });
        }
        // What was told to one query alone is shown by the other as soon as that is told anything.
        patcher.changed('job', job(newest));
        expect(shown()).toMatchObject({ version: newest, reason: `version ${newest}`, spec: 'spec' });
        expect(listed()).toMatchObject([{ version: newest }]);
        for (const stop of stops.splice(0)) stop();
      },
    ),
    { numRuns: 60 },
  );
});

it('of the same version the later is taken: its place in the queue may have moved', () => {
  const { api, queries, patcher, shown } = page();
  queries.setQueryData(api.jobs.get.queryKey({ input: { id: ID } }), detail(1));
  const placed = { ...job(1), reason: 'place 2' };
  patcher.changed('job', placed);
  expect(shown()?.reason).toBe('place 2');
});

it('an activity that has ended does not run again', async () => {
  const { api, queries, patcher, answer, activities } = page();
  activities();
  patcher.changed('activity', activity(3));
  await answer('/api/devops/activity', { current: [activity(1)], recent: [], nextCursor: null });
  const seen = () =>
    queries.getQueryData<{ current: Activity[]; recent: Activity[] }>(
      api.activity.list.queryKey({ input: { limit: 30 } }),
    );
  expect(seen()?.current).toEqual([]);
  expect(seen()?.recent).toMatchObject([{ version: 3, status: 'completed' }]);
  patcher.changed('activity', activity(2));
  expect(seen()?.current).toEqual([]);
});

it('after a gap the server is believed, even where it was set back', async () => {
  const { patcher, answer, one, shown } = page();
  one();
  await answer(`/api/jobs/${ID}`, detail(3));
  patcher.missed();
  await answer(`/api/jobs/${ID}`, detail(1));
  expect(shown()).toMatchObject({ version: 1 });
});
