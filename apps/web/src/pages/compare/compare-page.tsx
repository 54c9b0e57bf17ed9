import type { Job } from '@hangar/contract';
import { useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useApi } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { type Loadable, loadable } from '../../api/loadable.ts';
import { CompareView } from '../../modules/compare/compare-view.tsx';
import { diffQuery } from '../../modules/diff/use-diff.ts';
import { artifactHref } from '../../modules/jobs/job/artifact-list.tsx';

const route = getRouteApi('/app/compare');

/** The most jobs beside each other. */
const MAX_COMPARED = 20;

export function ComparePage() {
  const { ids, group, file } = route.useSearch();
  const navigate = route.useNavigate();
  const ofGroup = useGroup(group ?? null);
  const ofIds = useJobs(group === undefined ? idsOf(ids) : []);
  const jobs = group === undefined ? ofIds : ofGroup;
  const diffs = useQueries({
    queries: (jobs.data ?? []).map((job) =>
      diffQuery(artifactHref(job.id, 'diff'), job.diff, (job.diff?.filesChanged ?? 0) > 0),
    ),
    combine: (results) => results.map(loadable),
  });
  const changed = useMemo(
    () => diffs.map((diff, at) => (jobs.data?.[at]?.diff?.filesChanged === 0 ? { ...diff, data: NOTHING } : diff)),
    [diffs, jobs.data],
  );
  return (
    <CompareView
      jobs={jobs}
      group={group ?? null}
      diffs={changed}
      file={file ?? null}
      onFile={(path) => void navigate({ search: (old) => ({ ...old, file: path }), replace: true, resetScroll: false })}
    />
  );
}

const NOTHING = { files: [], drawable: true };

const idsOf = (text: string | undefined): string[] =>
  [...new Set((text ?? '').split(',').filter((id) => /^j_[0-9a-z]{6,40}$/.test(id)))].slice(0, MAX_COMPARED);

function useGroup(group: string | null): Loadable<readonly Job[]> {
  const api = useApi();
  const query = useQuery(
    api.jobs.list.queryOptions({ input: { group: group ?? '', limit: MAX_COMPARED }, enabled: group !== null }),
  );
  // As they were sent: the list has the newest first.
  const data = useMemo(() => query.data?.items.toReversed(), [query.data]);
  return { ...loadable(query), data };
}

function useJobs(ids: readonly string[]): Loadable<readonly Job[]> {
  const api = useApi();
  return useQueries({
    queries: ids.map((id) => api.jobs.get.queryOptions({ input: { id } })),
    combine: (results): Loadable<readonly Job[]> => {
      const found = results.flatMap(({ data }) => (data === undefined ? [] : [data]));
      const error = results.find((result) => result.error)?.error;
      return {
        data: found.length === ids.length ? found : undefined,
        error: error ? asHangarError(error) : null,
        refetching: false,
        retry: () => {
          for (const result of results) void result.refetch();
        },
      };
    },
  });
}
