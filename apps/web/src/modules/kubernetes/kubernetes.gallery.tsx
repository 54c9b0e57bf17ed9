import { type ClusterHealth, HangarError } from '@hangar/contract';
import { useState } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { LogBuffer } from '../../components/log/log-buffer.ts';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { ago, failed, live, loading, refetching, stale as staleData } from '../../gallery/samples.ts';
import { PODS_FILTER } from './filter.ts';
import type { NodesFilter } from './node-filter.ts';
import { NodesView, type NodesViewProps } from './nodes-view.tsx';
import { OverviewView } from './overview-view.tsx';
import { NoLogYet, PodLog, type PodLogProps } from './pod-log.tsx';
import { type PodTab, PodView, type PodViewProps } from './pod-view.tsx';
import { PodsView, type PodsViewProps } from './pods-view.tsx';
import {
  forbidden,
  health,
  nodes,
  notConnected,
  partly,
  podDetail,
  podOfJob,
  pods,
  reading,
  stale,
  unmeasured,
  unreachable,
} from './samples.ts';

const nothing = () => {};
const command = { hangar: 'hangar k8s health', curl: 'curl …' };
const frame = { context: undefined, onContext: nothing, command };

const overview = (id: string, title: string, of: Loadable<ClusterHealth>): GalleryEntry => ({
  id: `kubernetes/overview/${id}`,
  title: `Kubernetes, ${title}`,
  frame: 'bare',
  render: () => <OverviewView {...frame} health={of} />,
});

function Nodes(props: Partial<NodesViewProps>) {
  const [filter, setFilter] = useState<NodesFilter>(props.filter ?? { state: null, search: '' });
  return (
    <NodesView {...frame} health={live(health)} nodes={live(nodes)} {...props} filter={filter} onFilter={setFilter} />
  );
}

const nodesEntry = (id: string, title: string, props: Partial<NodesViewProps>): GalleryEntry => ({
  id: `kubernetes/nodes/${id}`,
  title: `Nodes, ${title}`,
  frame: 'bare',
  render: () => <Nodes {...props} />,
});

const FILTER = PODS_FILTER.read({});

function Pods(props: Partial<PodsViewProps>) {
  const [filter, setFilter] = useState(props.filter ?? FILTER);
  return (
    <PodsView {...frame} health={live(health)} pods={live(pods)} {...props} filter={filter} onFilter={setFilter} />
  );
}

const podsEntry = (id: string, title: string, props: Partial<PodsViewProps>): GalleryEntry => ({
  id: `kubernetes/pods/${id}`,
  title: `Pods, ${title}`,
  frame: 'bare',
  render: () => <Pods {...props} />,
});

const log = new LogBuffer();
log.put(
  Array.from({ length: 60 }, (_, index) => ({
    n: index + 1,
    at: ago(60 - index),
    stream: 'stdout' as const,
    text:
      index % 9 === 8
        ? '\u001b[31merror\u001b[0m cannot reach payments.internal:5432'
        : `GET /cart/${index} 200 in ${index} ms`,
  })),
);

const logOf = (props: Partial<PodLogProps> = {}) => (
  <PodLog
    label="web in shop/checkout-6f5d4c8b97-9qkzt"
    buffer={log}
    reading={{ status: 'live', error: null }}
    onRetry={nothing}
    href="#log"
    query={{ container: 'web' }}
    marked={null}
    onMark={nothing}
    {...props}
  />
);

function OnePod(props: Partial<PodViewProps> & { at?: PodTab }) {
  const [tab, setTab] = useState<PodTab>(props.at ?? 'log');
  return (
    <PodView
      pod={live(podDetail)}
      context={undefined}
      container={null}
      previous={false}
      onLogOf={nothing}
      log={logOf()}
      command={command}
      {...props}
      tab={tab}
      onTab={setTab}
    />
  );
}

const podEntry = (id: string, title: string, props: Partial<PodViewProps> & { at?: PodTab }): GalleryEntry => ({
  id: `kubernetes/pod/${id}`,
  title: `A pod, ${title}`,
  frame: 'bare',
  render: () => <OnePod {...props} />,
});

const sample: ClusterHealth = {
  ...health,
  source: 'sample',
  contexts: [],
  view: health.view === null ? null : { ...health.view, isSample: true, context: 'sample' },
};
const gone = new HangarError('pod_not_found', { message: 'There is no pod web-1 in namespace shop.' });
const noLog = new HangarError('pod_log_not_there', {
  message: 'container "web" in pod "checkout-6f5d4c8b97-9qkzt" is waiting to start: ContainerCreating.',
});

export const entries: GalleryEntry[] = [
  overview('live', 'connected', live(health)),
  overview('no-metrics', 'nothing measured, nothing waiting', live(unmeasured)),
  overview('sample', 'sample data of the demo mode', live(sample)),
  overview('loading', 'loading', loading),
  overview('refetching', 'refetching', refetching(health)),
  overview('error', 'error', failed),
  overview('not-connected', 'not connected', live(notConnected)),
  overview('unreachable', 'out of reach', live(unreachable)),
  overview('stale', 'out of reach, with what was read', live(stale)),
  overview('forbidden', 'forbidden', live(forbidden)),
  overview('partly', 'some namespaces only', live(partly)),
  overview('reading', 'the first list comes in', live(reading)),
  nodesEntry('live', 'in all states', {}),
  nodesEntry('loading', 'loading', { nodes: loading }),
  nodesEntry('error', 'forbidden', {
    nodes: {
      ...failed,
      error: new HangarError('k8s_forbidden', {
        message: 'This server may not read nodes in the Kubernetes cluster: nodes is forbidden.',
      }),
    },
  }),
  nodesEntry('filtered', 'one state', { filter: { state: 'unknown', search: '' } }),
  nodesEntry('nothing', 'none fits', { filter: { state: null, search: 'nowhere' } }),
  nodesEntry('empty', 'none', { nodes: live({ ...nodes, items: [] }) }),
  podsEntry('live', 'in all states', {}),
  podsEntry('filtered', 'filtered and sorted', {
    filter: {
      ...FILTER,
      states: ['pending', 'failing'],
      namespace: 'train',
      search: 'gpu',
      sort: '-restarts',
      page: 3,
    },
    pods: live({ ...pods, total: 131 }),
  }),
  podsEntry('loading', 'loading', { pods: loading }),
  podsEntry('refetching', 'refetching', { pods: refetching(pods) }),
  podsEntry('error', 'error', { pods: failed }),
  podsEntry('stale', 'refetch failed', { health: live(stale), pods: staleData(pods) }),
  podsEntry('empty', 'none', { pods: live({ ...pods, items: [], total: 0, all: 0 }) }),
  podsEntry('no-match', 'none fits', {
    filter: { ...FILTER, search: 'nothing-like-this' },
    pods: live({ ...pods, items: [], total: 0 }),
  }),
  podsEntry('partly', 'some namespaces only', { health: live(partly) }),
  podsEntry('not-connected', 'not connected', { health: live(notConnected) }),
  podEntry('failing', 'failing, with its log', {}),
  podEntry('events', 'its events', { at: 'events' }),
  podEntry('details', 'its details', { at: 'details' }),
  podEntry('of-job', 'of a job, events forbidden', { pod: live(podOfJob), at: 'events' }),
  podEntry('not-begun', 'has not begun', { log: <NoLogYet container="web" /> }),
  podEntry('no-log', 'its log is not there yet', {
    log: logOf({ reading: { status: 'failed', error: noLog } }),
  }),
  podEntry('reconnecting', 'the log reconnects', { log: logOf({ reading: { status: 'reconnecting', error: null } }) }),
  podEntry('loading', 'loading', { pod: loading }),
  podEntry('gone', 'gone', { pod: { ...failed, error: gone } }),
];
