import type { Activity, Job, JobDetail } from '@hangar/contract';
import type { InfiniteData, QueryClient, QueryKey } from '@tanstack/react-query';
import type { Api } from './client.tsx';
import { newestOf } from './newest.ts';

interface JobPage {
  items: Job[];
  nextCursor: string | null;
}

/** What an action answered: shown at once, and the lists are asked for again. */
export function patchJob(queries: QueryClient, api: Api, job: Job): void {
  // The frame of what came after it was faster.
  if (newestOf(queries, api).isOld(job)) return;
  if (putJob(queries, api, job)) void queries.invalidateQueries({ queryKey: api.jobs.list.key() });
}

/** Puts a job into every query that shows it; true when a list that filters by state may gain or lose it. */
function putJob(queries: QueryClient, api: Api, job: Job): boolean {
  const detail = api.jobs.get.queryKey({ input: { id: job.id } });
  const before = queries.getQueryData<JobDetail>(detail);
  if (before) queries.setQueryData<JobDetail>(detail, { ...before, ...job });
  // The history of a job is not in the event; a move has made it longer.
  if (before && before.state !== job.state) void queries.invalidateQueries({ queryKey: detail });
  let isStill = false;
  const patchPage = (page: JobPage): JobPage => {
    const old = page.items.find((item) => item.id === job.id);
    if (!old) return page;
    isStill ||= old.state === job.state;
    return { ...page, items: page.items.map((item) => (item === old ? { ...old, ...job } : item)) };
  };
  queries.setQueriesData<JobPage | InfiniteData<JobPage>>({ queryKey: api.jobs.list.key() }, (old) => {
    if (!old) return old;
    return 'pages' in old ? { ...old, pages: old.pages.map(patchPage) } : patchPage(old);
  });
  return !isStill;
}

export interface Patcher {
  /** Puts a job that changed into every query that shows it; lists that cannot know it are fetched again. */
  job: (job: Job) => void;
  activity: (activity: Activity) => void;
  /** What changed between the loading of the page and the first connection is asked for. */
  opened: () => void;
  /** After a gap, everything is. */
  missed: () => void;
  stop: () => void;
}

/** Many things may change at once, of many people: the same is asked for again once in this time at most. */
const AGAIN_MS = 1000;

export function createPatcher(queries: QueryClient, api: Api): Patcher {
  const newest = newestOf(queries, api);
  const due = new Map<string, ReturnType<typeof setTimeout>>();
  const again = (name: string, queryKey: QueryKey) => {
    if (due.has(name)) return;
    const ask = () => {
      due.delete(name);
      void queries.invalidateQueries({ queryKey });
    };
    due.set(name, setTimeout(ask, AGAIN_MS));
  };
  return {
    job(job) {
      if (newest.isOld(job)) return;
      // A list that is on its way may not have this job yet, or have it still.
      if (queries.isFetching({ queryKey: api.jobs.key() }) > 0) again('jobs', api.jobs.key());
      if (putJob(queries, api, job)) again('lists', api.jobs.list.key());
    },
    activity(activity) {
      if (newest.isOld(activity)) return;
      if (queries.isFetching({ queryKey: api.activity.key() }) > 0) again('activity', api.activity.key());
      queries.setQueriesData<ActivityAnswer>({ queryKey: api.activity.list.key() }, (old) =>
        old ? placeActivity(old, activity) : old,
      );
    },
    opened() {
      void queries.invalidateQueries({ queryKey: api.jobs.key() });
      void queries.invalidateQueries({ queryKey: api.activity.key() });
    },
    missed() {
      newest.forget();
      void queries.invalidateQueries();
    },
    stop() {
      for (const timer of due.values()) clearTimeout(timer);
    },
  };
}

interface ActivityAnswer {
  current: Activity[];
  recent: Activity[];
}

/** Puts an activity where it belongs: current while it runs, the newest of recent when it has ended. */
function placeActivity(old: ActivityAnswer, activity: Activity): ActivityAnswer {
  const isRunning = activity.status === 'in_progress';
  const without = (list: Activity[]) => list.filter((item) => item.id !== activity.id);
  const replace = (list: Activity[]) =>
    list.some((item) => item.id === activity.id)
      ? list.map((item) => (item.id === activity.id ? activity : item))
      : [activity, ...list];
  return {
    current: isRunning ? replace(old.current) : without(old.current),
    recent: isRunning ? without(old.recent) : replace(old.recent).slice(0, 100),
  };
}
