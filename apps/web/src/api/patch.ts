import type { Activity, Job, JobDetail } from '@hangar/contract';
import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import type { Api } from './client.tsx';

interface JobPage {
  items: Job[];
  nextCursor: string | null;
}

/** What an action answered: shown at once, and the lists are asked for again. */
export function patchJob(queries: QueryClient, api: Api, job: Job): void {
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
  stop: () => void;
}

/** Many jobs may change at once, of many people: the lists are asked for again once in this time at most. */
const LISTS_AGAIN_MS = 1000;

export function createPatcher(queries: QueryClient, api: Api): Patcher {
  let due: ReturnType<typeof setTimeout> | undefined;
  const listsAgain = () => {
    due ??= setTimeout(() => {
      due = undefined;
      void queries.invalidateQueries({ queryKey: api.jobs.list.key() });
    }, LISTS_AGAIN_MS);
  };
  return {
    job(job) {
      if (putJob(queries, api, job)) listsAgain();
    },
    activity(activity) {
      queries.setQueriesData<ActivityAnswer>({ queryKey: api.activity.list.key() }, (old) =>
        old ? placeActivity(old, activity) : old,
      );
    },
    stop: () => clearTimeout(due),
  };
}

interface ActivityAnswer {
  current: Activity[];
  recent: Activity[];
}

/** Puts an activity where it belongs: current while it runs, the newest of recent when it has ended. */
export function placeActivity(old: ActivityAnswer, activity: Activity): ActivityAnswer {
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
