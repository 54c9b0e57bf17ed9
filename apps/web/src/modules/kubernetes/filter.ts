import { POD_SORTS, POD_STATES, type PodQuery, PodSort, type PodState } from '@hangar/contract';

/** What the list of pods shows; the same as in the address of the page. */
export interface PodsFilter {
  readonly states: readonly PodState[];
  readonly namespace: string | null;
  readonly nodeName: string | null;
  readonly search: string;
  readonly sort: PodSort;
  /** From 1. */
  readonly page: number;
}

export const PAGE_SIZE = 50;

/** The address of the page, whatever somebody typed there, as a filter. */
export function filterOf(search: {
  status?: string | undefined;
  namespace?: string | undefined;
  node?: string | undefined;
  search?: string | undefined;
  sort?: string | undefined;
  page?: number | undefined;
}): PodsFilter {
  const named = (search.status ?? '').split(',');
  const sort = PodSort.safeParse(search.sort);
  return {
    states: POD_STATES.filter((state) => named.includes(state)),
    namespace: search.namespace ?? null,
    nodeName: search.node ?? null,
    search: search.search ?? '',
    sort: sort.success ? sort.data : 'attention',
    page: Math.min(20_000, Math.max(1, search.page ?? 1)),
  };
}

export function searchOf(filter: PodsFilter, context: string | undefined) {
  return {
    context,
    status: filter.states.length === 0 ? undefined : filter.states.join(','),
    namespace: filter.namespace ?? undefined,
    node: filter.nodeName ?? undefined,
    search: filter.search === '' ? undefined : filter.search,
    sort: filter.sort === 'attention' ? undefined : filter.sort,
    page: filter.page === 1 ? undefined : filter.page,
  };
}

/** The same filter as a question to the server. */
export function queryOf(filter: PodsFilter, context: string | undefined): PodQuery {
  return {
    ...(context === undefined ? {} : { context }),
    ...(filter.namespace === null ? {} : { namespace: filter.namespace }),
    ...(filter.nodeName === null ? {} : { nodeName: filter.nodeName }),
    ...(filter.states.length === 0 ? {} : { status: [...filter.states] }),
    ...(filter.search === '' ? {} : { search: filter.search.slice(0, 200) }),
    sort: filter.sort,
    limit: PAGE_SIZE,
    offset: (filter.page - 1) * PAGE_SIZE,
  };
}

/** What a click on a column asks for: its order, then the other way round, then none. */
export function nextSort(sort: PodSort, column: string): PodSort {
  const known = POD_SORTS.find((name) => name === column);
  if (known === undefined) return sort;
  if (sort === known) return `-${known}`;
  return sort === `-${known}` ? 'attention' : known;
}

export const isFiltered = (filter: PodsFilter): boolean =>
  filter.states.length > 0 || filter.namespace !== null || filter.nodeName !== null || filter.search !== '';
