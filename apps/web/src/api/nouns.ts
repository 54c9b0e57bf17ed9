import type { Activity } from '@hangar/contract';
import type { QueryClient, QueryKey } from '@tanstack/react-query';
import type { Api } from './client.tsx';

/** A thing as a frame brings it. */
export interface Thing {
  readonly id: string;
  readonly version: number;
  readonly state?: string;
}

/** Where changes of a noun are shown. */
export interface LiveNoun {
  /** Every query about it. */
  all(api: Api): QueryKey;
  lists(api: Api): QueryKey;
  /** The query of one thing. Its page may hold more than a frame brings, such as a history. */
  detail?(api: Api, id: string): QueryKey;
  /** Where lists of it are no pages of items. */
  place?(queries: QueryClient, lists: QueryKey, thing: Thing): void;
}

/** By the name of its frames. A new noun is a line here. */
export const LIVE_NOUNS: Readonly<Record<string, LiveNoun>> = {
  job: {
    all: (api) => api.jobs.key(),
    lists: (api) => api.jobs.list.key(),
    detail: (api, id) => api.jobs.get.queryKey({ input: { id } }),
  },
  sandbox: {
    all: (api) => api.sandboxes.key(),
    lists: (api) => api.sandboxes.list.key(),
    detail: (api, id) => api.sandboxes.get.queryKey({ input: { id } }),
  },
  execution: {
    all: (api) => api.sandboxes.executions.key(),
    lists: (api) => api.sandboxes.executions.key(),
  },
  activity: {
    all: (api) => api.activity.key(),
    lists: (api) => api.activity.list.key(),
    place: (queries, lists, thing) =>
      void queries.setQueriesData<ActivityAnswer>({ queryKey: lists }, (old) =>
        old ? placed(old, thing as Thing & Activity) : old,
      ),
  },
};

interface ActivityAnswer {
  current: Activity[];
  recent: Activity[];
}

/** Puts an activity where it belongs: current while it runs, the newest of recent when it has ended. */
function placed(old: ActivityAnswer, activity: Activity): ActivityAnswer {
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
