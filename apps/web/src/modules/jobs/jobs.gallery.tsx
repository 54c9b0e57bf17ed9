import { useState } from 'react';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { failed, live, loading, refetching, stale } from '../../gallery/samples.ts';
import { JOBS_FILTER } from './filter.ts';
import { JobsView, type JobsViewProps } from './jobs-view.tsx';
import { all } from './samples.ts';

const FILTER = JOBS_FILTER.read({});
const answer = { items: all, more: true };

const NOTHING: ReadonlySet<string> = new Set();

function Frame(props: Partial<JobsViewProps> & Pick<JobsViewProps, 'jobs'>) {
  const [filter, setFilter] = useState(props.filter ?? FILTER);
  return (
    <JobsView
      onMore={() => {}}
      loadingMore={false}
      agents={['shell', 'claude', 'codex', 'opencode', 'gemini', 'aider']}
      profiles={['local', 'docker']}
      isAdmin={false}
      chosen={NOTHING}
      onChosen={() => {}}
      {...props}
      filter={filter}
      onFilter={setFilter}
    />
  );
}

export const entries: GalleryEntry[] = [
  { id: 'jobs/list', title: 'Jobs in all states', frame: 'bare', render: () => <Frame jobs={live(answer)} /> },
  {
    id: 'jobs/everybody',
    title: 'Jobs of everybody',
    frame: 'bare',
    render: () => <Frame jobs={live(answer)} isAdmin filter={{ ...FILTER, everybody: true, repo: 'acme/notes' }} />,
  },
  {
    id: 'jobs/chosen',
    title: 'Jobs of a group, some chosen',
    frame: 'bare',
    render: () => (
      <Frame
        jobs={live(answer)}
        filter={{ ...FILTER, sentAs: 'add-search-7k2m' }}
        chosen={new Set(all.slice(0, 2).map(({ id }) => id))}
      />
    ),
  },
  { id: 'jobs/loading', title: 'Jobs, loading', frame: 'bare', render: () => <Frame jobs={loading} /> },
  {
    id: 'jobs/refetching',
    title: 'Jobs, refetching',
    frame: 'bare',
    render: () => <Frame jobs={refetching(answer)} />,
  },
  { id: 'jobs/error', title: 'Jobs, error', frame: 'bare', render: () => <Frame jobs={failed} /> },
  { id: 'jobs/stale', title: 'Jobs, refetch failed', frame: 'bare', render: () => <Frame jobs={stale(answer)} /> },
  {
    id: 'jobs/empty',
    title: 'No jobs yet',
    frame: 'bare',
    render: () => <Frame jobs={live({ items: [], more: false })} />,
  },
  {
    id: 'jobs/no-match',
    title: 'No job fits',
    frame: 'bare',
    render: () => <Frame jobs={live({ items: [], more: false })} filter={{ ...FILTER, group: 'failed' }} />,
  },
];
