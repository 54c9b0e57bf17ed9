import { HangarError } from '@hangar/contract';
import type { Loadable } from '../api/loadable.ts';

/** The gallery's clock stands at this time. */
export const NOW = '2026-05-04T14:02:11.000Z';

/** `seconds` before NOW. */
export const ago = (seconds: number): string => new Date(new Date(NOW).getTime() - seconds * 1000).toISOString();

const idle = { retry: () => {}, refetching: false };

/** The five states of a view's data. */
export const loading: Loadable<never> = { ...idle, data: undefined, error: null };
export const failed: Loadable<never> = {
  ...idle,
  data: undefined,
  error: new HangarError('internal', { details: { reference: 'r_8f3k2m9q' } }),
};
export const live = <T>(data: T): Loadable<T> => ({ ...idle, data, error: null });
export const refetching = <T>(data: T): Loadable<T> => ({ ...idle, data, error: null, refetching: true });
/** Old data with a failed refetch. */
export const stale = <T>(data: T): Loadable<T> => ({ ...idle, data, error: new HangarError('server_unreachable') });
