import { POD_SORTS, POD_STATES, type PodQuery } from '@hangar/contract';
import { type FilterOf, listFilter, name, sent, text } from '../../components/list/list-filter.ts';
import { nextSort as next, page, someOf, sorted } from '../../components/list/list-params.ts';

export const PAGE_SIZE = 50;

/** What the list of pods shows. */
export const PODS_FILTER = listFilter({
  states: someOf('status', POD_STATES),
  namespace: name('namespace'),
  nodeName: name('node'),
  search: text('search'),
  sort: sorted('sort', POD_SORTS, 'attention'),
  page: page('page', 20_000),
});
export type PodsFilter = FilterOf<typeof PODS_FILTER>;

/** The same filter as a question to the server. */
export const queryOf = (filter: PodsFilter, context: string | undefined): PodQuery => ({
  ...sent({
    context,
    namespace: filter.namespace,
    nodeName: filter.nodeName,
    status: [...filter.states],
    search: filter.search.slice(0, 200),
  }),
  sort: filter.sort,
  limit: PAGE_SIZE,
  offset: (filter.page - 1) * PAGE_SIZE,
});

export const nextSort = (sort: PodsFilter['sort'], column: string) => next(POD_SORTS, 'attention', sort, column);
