import type { GalleryEntry } from '../../gallery/registry.ts';
import { failed as broken, live, loading, refetching, stale } from '../../gallery/samples.ts';
import { OperationsView } from '../../pages/operations/operations-page.tsx';
import { ActivityBanner } from './activity-banner.tsx';
import { announced, completed, failed, running } from './samples.ts';
import { StepList } from './step-list.tsx';

const data = { current: [running, announced], recent: [completed, failed] };
const nothing = () => {};

export const entries: GalleryEntry[] = [
  {
    id: 'activity/page/live',
    title: 'Current and recent',
    frame: 'bare',
    render: () => <OperationsView activity={live(data)} />,
  },
  { id: 'activity/page/loading', title: 'Loading', frame: 'bare', render: () => <OperationsView activity={loading} /> },
  { id: 'activity/page/error', title: 'Error', frame: 'bare', render: () => <OperationsView activity={broken} /> },
  {
    id: 'activity/page/stale',
    title: 'Old data, refetch failed',
    frame: 'bare',
    render: () => <OperationsView activity={stale(data)} />,
  },
  {
    id: 'activity/page/refetching',
    title: 'Refetching',
    frame: 'bare',
    render: () => <OperationsView activity={refetching(data)} />,
  },
  {
    id: 'activity/page/empty',
    title: 'Empty',
    frame: 'bare',
    render: () => <OperationsView activity={live({ current: [], recent: [] })} />,
  },
  {
    id: 'activity/page/idle',
    title: 'Nothing right now',
    frame: 'bare',
    render: () => <OperationsView activity={live({ current: [], recent: [completed] })} />,
  },
  {
    id: 'activity/banner',
    title: 'Banner: running, done, failed',
    render: () => (
      <div style={{ display: 'grid', gap: 16, justifyItems: 'start', gridTemplateColumns: 'minmax(0, 1fr)' }}>
        <ActivityBanner activity={running} more={0} onOpen={nothing} onDismiss={nothing} />
        <ActivityBanner activity={announced} more={2} onOpen={nothing} onDismiss={nothing} />
        <ActivityBanner activity={completed} more={0} onOpen={nothing} onDismiss={nothing} />
        <ActivityBanner activity={failed} more={0} onOpen={nothing} onDismiss={nothing} />
      </div>
    ),
  },
  { id: 'activity/steps', title: 'Steps', render: () => <StepList steps={[...running.steps, ...failed.steps]} /> },
];
