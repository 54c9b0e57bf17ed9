import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useCallback, useMemo, useState } from 'react';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useMe } from '../../api/me.ts';
import { groupOf, type JobsFilter, stateParameter, statesOf } from '../../modules/jobs/filter.ts';
import { JobsView } from '../../modules/jobs/jobs-view.tsx';

const route = getRouteApi('/app/jobs');

export function JobsPage() {
  const api = useApi();
  const me = useMe();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const states = statesOf(search.state);
  const isAdmin = me.data?.user.role === 'admin';
  const everybody = isAdmin && search.all === '1';
  const filter: JobsFilter = {
    group: groupOf(states),
    search: search.search ?? '',
    agent: search.agent ?? null,
    profile: search.profile ?? null,
    repo: search.repo ?? null,
    sentAs: search.group ?? null,
    everybody,
  };
  const input = {
    limit: 50,
    mine: !everybody,
    ...(states.length === 0 ? {} : { state: states }),
    ...(filter.search === '' ? {} : { search: filter.search.slice(0, 200) }),
    ...(filter.agent === null ? {} : { agent: filter.agent }),
    ...(filter.profile === null ? {} : { profile: filter.profile }),
    ...(filter.repo === null ? {} : { repo: filter.repo }),
    ...(filter.sentAs === null ? {} : { group: filter.sentAs }),
  };
  const jobs = useInfiniteQuery(
    api.jobs.list.infiniteOptions({
      input: (cursor: string | undefined) => ({ ...input, ...(cursor === undefined ? {} : { cursor }) }),
      initialPageParam: undefined,
      getNextPageParam: (page) => page.nextCursor ?? undefined,
      placeholderData: keepPreviousData,
    }),
  );
  const agents = useQuery(api.jobs.agents.queryOptions({ input: {}, staleTime: 600_000 }));
  const profiles = useQuery(api.profiles.list.queryOptions({ input: {}, staleTime: 60_000 }));
  const items = useMemo(() => jobs.data?.pages.flatMap((page) => page.items), [jobs.data]);
  const onFilter = useCallback(
    (next: JobsFilter) =>
      void navigate({
        replace: true,
        search: {
          state: stateParameter(next.group),
          search: next.search === '' ? undefined : next.search,
          agent: next.agent ?? undefined,
          profile: next.profile ?? undefined,
          repo: next.repo ?? undefined,
          group: next.sentAs ?? undefined,
          all: next.everybody ? '1' : undefined,
        },
      }),
    [navigate],
  );
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  return (
    <JobsView
      jobs={{
        ...loadable(jobs),
        data: items === undefined ? undefined : { items, more: jobs.hasNextPage },
        refetching: jobs.isPlaceholderData || (jobs.isRefetching && !jobs.isFetchingNextPage),
      }}
      onMore={() => void jobs.fetchNextPage()}
      loadingMore={jobs.isFetchingNextPage}
      filter={filter}
      onFilter={onFilter}
      agents={agents.data?.items.map((agent) => agent.name) ?? []}
      profiles={profiles.data?.items.map((profile) => profile.name) ?? []}
      isAdmin={isAdmin}
      chosen={chosen}
      onChosen={setChosen}
    />
  );
}
