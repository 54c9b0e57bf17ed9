import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { useApi, useMe } from '../../api/client.tsx';
import { PAGES, pagesOf } from '../../api/pages.ts';
import { sent } from '../../components/list/list-filter.ts';
import { JOBS_FILTER, statesOf } from '../../modules/jobs/filter.ts';
import { JobsView } from '../../modules/jobs/jobs-view.tsx';

const route = getRouteApi('/app/jobs');

export function JobsPage() {
  const api = useApi();
  const me = useMe();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = me.data?.user.role === 'admin';
  const asked = JOBS_FILTER.read(search);
  const filter = { ...asked, everybody: isAdmin && asked.everybody };
  const input = {
    limit: 50,
    mine: !filter.everybody,
    ...sent({
      state: statesOf(search.state),
      search: filter.search.slice(0, 200),
      agent: filter.agent,
      profile: filter.profile,
      repo: filter.repo,
      group: filter.sentAs,
    }),
  };
  const jobs = useInfiniteQuery(
    api.jobs.list.infiniteOptions({
      ...PAGES,
      input: (cursor: string | undefined) => ({ ...input, ...sent({ cursor }) }),
    }),
  );
  const agents = useQuery(api.jobs.agents.queryOptions({ input: {}, staleTime: 600_000 }));
  const profiles = useQuery(api.profiles.list.queryOptions({ input: {}, staleTime: 60_000 }));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const { of, ...paging } = pagesOf(jobs);
  return (
    <JobsView
      jobs={of}
      {...paging}
      filter={filter}
      onFilter={(next) => void navigate({ replace: true, search: JOBS_FILTER.write(next) })}
      agents={agents.data?.items.map((agent) => agent.name) ?? []}
      profiles={profiles.data?.items.map((profile) => profile.name) ?? []}
      isAdmin={isAdmin}
      chosen={chosen}
      onChosen={setChosen}
    />
  );
}
