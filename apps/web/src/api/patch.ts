import type { Activity, Job, JobDetail } from '@hangar/contract';
import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import type { Api } from './client.tsx';

interface JobPage {
  items: Job[];
  nextCursor: string | null;
}

/** Puts a job that changed into every query that shows it; lists that cannot know it are fetched again. */
export function patchJob(queries: QueryClient, api: Api, job: Job): void {
  const detail = api.jobs.get.queryKey({ input: { id: job.id } });
  queries.setQueryData<JobDetail>(detail, (old) => (old ? { ...old, ...job } : old));
  let known = false;
  const patchPage = (page: JobPage): JobPage => {
    if (!page.items.some((item) => item.id === job.id)) return page;
    known = true;
    return { ...page, items: page.items.map((item) => (item.id === job.id ? { ...item, ...job } : item)) };
  };
  queries.setQueriesData<JobPage | InfiniteData<JobPage>>({ queryKey: api.jobs.list.key() }, (old) => {
    if (!old) return old;
    return 'pages' in old ? { ...old, pages: old.pages.map(patchPage) } : patchPage(old);
  });
  // A list that filters by state may gain or lose the job, so all of them are looked at again soon.
  if (!known || isMove(job)) void queries.invalidateQueries({ queryKey: api.jobs.list.key() });
}

/** The state is younger than two seconds: this event is a move, not a new number of log lines. */
const isMove = (job: Job): boolean => Math.abs(Date.now() - new Date(job.stateSince).getTime()) < 2000;

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

export function patchActivity(queries: QueryClient, api: Api, activity: Activity): void {
  queries.setQueriesData<ActivityAnswer>({ queryKey: api.activity.list.key() }, (old) =>
    old ? placeActivity(old, activity) : old,
  );
}
