import { type InfiniteData, keepPreviousData, type UseInfiniteQueryResult } from '@tanstack/react-query';
import { type Loadable, loadable } from './loadable.ts';

interface CursorPage<T> {
  items: T[];
  nextCursor: string | null;
}

/** What of a list is here so far. */
export interface Pages<T> {
  readonly items: readonly T[];
  readonly more: boolean;
}

/** Options of a list that goes on from a cursor. The rows of the last filter stay until those of the next are here. */
export const PAGES = {
  initialPageParam: undefined,
  getNextPageParam: (page: CursorPage<unknown>) => page.nextCursor ?? undefined,
  placeholderData: keepPreviousData,
};

/** Such a list as a view takes it. */
export function pagesOf<T>(query: UseInfiniteQueryResult<InfiniteData<CursorPage<T>>>): {
  of: Loadable<Pages<T>>;
  onMore: () => void;
  loadingMore: boolean;
} {
  const { data, hasNextPage, isPlaceholderData, isRefetching, isFetchingNextPage } = query;
  const items = data?.pages.flatMap((page) => page.items);
  return {
    of: {
      ...loadable(query),
      data: items === undefined ? undefined : { items, more: hasNextPage },
      refetching: isPlaceholderData || (isRefetching && !isFetchingNextPage),
    },
    onMore: () => void query.fetchNextPage(),
    loadingMore: isFetchingNextPage,
  };
}
