import type { HangarError } from '@hangar/contract';
import { asHangarError } from './errors.ts';

/** What a view is given of data that comes from elsewhere: it draws loading, error, refetching and live from this alone. */
export interface Loadable<T> {
  readonly data: T | undefined;
  readonly error: HangarError | null;
  readonly refetching: boolean;
  readonly retry: () => void;
}

interface QueryLike<T> {
  data: T | undefined;
  error: Error | null;
  isFetching: boolean;
  refetch: () => unknown;
}

/** A query result as a view takes it. */
export function loadable<T>(query: QueryLike<T>): Loadable<T> {
  return {
    data: query.data,
    error: query.error ? asHangarError(query.error) : null,
    refetching: query.isFetching && query.data !== undefined,
    retry: () => void query.refetch(),
  };
}
