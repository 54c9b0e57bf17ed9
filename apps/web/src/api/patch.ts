import type { InfiniteData, QueryClient, QueryKey } from '@tanstack/react-query';
import type { Api } from './client.tsx';
import { newestOf } from './newest.ts';
import { LIVE_NOUNS, type LiveNoun, type Thing } from './nouns.ts';

interface Page {
  items: Thing[];
  nextCursor: string | null;
}

/** What an action answered: shown at once, and the lists are asked for again. */
export function patch(queries: QueryClient, api: Api, noun: string, thing: Thing): void {
  const shown = LIVE_NOUNS[noun];
  // The frame of what came after it was faster.
  if (shown === undefined || newestOf(queries, api).isOld(thing)) return;
  if (put(queries, api, shown, thing)) void queries.invalidateQueries({ queryKey: shown.lists(api) });
}

/** Puts a thing into every query that shows it; true when a list that filters by state may gain or lose it. */
function put(queries: QueryClient, api: Api, noun: LiveNoun, thing: Thing): boolean {
  const lists = noun.lists(api);
  if (noun.place) {
    noun.place(queries, lists, thing);
    return false;
  }
  const detail = noun.detail?.(api, thing.id);
  const before = detail && queries.getQueryData<Thing>(detail);
  if (detail && before) {
    queries.setQueryData<Thing>(detail, { ...before, ...thing });
    // Its history is not in the frame; a move has made it longer.
    if (before.state !== thing.state) void queries.invalidateQueries({ queryKey: detail });
  }
  let isStill = false;
  const patched = (page: Page): Page => {
    const old = page.items.find((item) => item.id === thing.id);
    if (!old) return page;
    isStill ||= old.state === thing.state;
    return { ...page, items: page.items.map((item) => (item === old ? { ...old, ...thing } : item)) };
  };
  queries.setQueriesData<Page | InfiniteData<Page>>({ queryKey: lists }, (old) => {
    if (!old) return old;
    return 'pages' in old ? { ...old, pages: old.pages.map(patched) } : patched(old);
  });
  return !isStill;
}

export interface Patcher {
  /** Puts a thing that changed into every query that shows it; lists that cannot know it are fetched again. */
  changed: (noun: string, thing: Thing) => void;
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
  const again = (queryKey: QueryKey) => {
    const name = JSON.stringify(queryKey);
    if (due.has(name)) return;
    const ask = () => {
      due.delete(name);
      void queries.invalidateQueries({ queryKey });
    };
    due.set(name, setTimeout(ask, AGAIN_MS));
  };
  return {
    changed(noun, thing) {
      const shown = LIVE_NOUNS[noun];
      if (shown === undefined || newest.isOld(thing)) return;
      // A list that is on its way may not have this thing yet, or have it still.
      if (queries.isFetching({ queryKey: shown.all(api) }) > 0) again(shown.all(api));
      if (put(queries, api, shown, thing)) again(shown.lists(api));
    },
    opened() {
      for (const shown of Object.values(LIVE_NOUNS)) void queries.invalidateQueries({ queryKey: shown.all(api) });
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
