import type { DiffStat } from '@hangar/contract';
import { fromWire } from '@hangar/contract/errors';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { asHangarError } from '../../api/errors.ts';
import { type Loadable, loadable } from '../../api/loadable.ts';
import type { DiffContent } from './diff-view.tsx';
import { parseDiff } from './parse-diff.ts';

/** A larger diff is listed, not drawn. */
const DRAWABLE_BYTES = 5 * 1000 * 1000;
/** A larger diff is not even read: it is only downloaded. */
const LISTABLE_BYTES = 64 * 1000 * 1000;

/** The diff of a job, fetched and taken apart when `enabled`. Fetched again when it has grown. */
export function diffQuery(href: string, stat: DiffStat | null, enabled: boolean) {
  const size = stat?.sizeBytes ?? 0;
  return queryOptions({
    queryKey: ['diff', href, size, stat?.partial ?? false],
    enabled: enabled && stat !== null,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    queryFn: async ({ signal }): Promise<DiffContent> => {
      if (size > LISTABLE_BYTES) return { files: [], drawable: false };
      const response = await fetch(href, { signal, credentials: 'same-origin' });
      if (!response.ok)
        throw fromWire(await response.json().catch(() => null)) ?? asHangarError({ status: response.status });
      const drawable = size <= DRAWABLE_BYTES;
      return { files: parseDiff(await response.text(), { keepHunks: drawable }), drawable };
    },
  });
}

export const useDiff = (href: string, stat: DiffStat | null, enabled: boolean): Loadable<DiffContent> =>
  loadable(useQuery(diffQuery(href, stat, enabled)));
