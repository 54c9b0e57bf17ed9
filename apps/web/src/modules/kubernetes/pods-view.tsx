import { POD_STATES, type Pod, type PodPage, type PodState } from '@hangar/contract';
import { cores, POD_WORDS, podWords } from '@hangar/contract/words/kubernetes';
import { formatCount, plural } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { sentence } from '@hangar/contract/words/tone';
import { Button } from '@mantine/core';
import type { Loadable } from '../../api/loadable.ts';
import { Meter } from '../../components/figures/meter.tsx';
import { Time } from '../../components/figures/time.tsx';
import type { Column } from '../../components/list/data-table.tsx';
import { List } from '../../components/list/list.tsx';
import { sent } from '../../components/list/list-filter.ts';
import { Found, ListFilters, Pick } from '../../components/list/list-filters.tsx';
import { Pager, sortOf } from '../../components/list/sorted-pages.tsx';
import { StateBadge } from '../../components/state/state-badge.tsx';
import { type EmptyStateProps, TableSkeleton } from '../../components/state/states.tsx';
import { ClusterFrame, type ClusterProps } from './cluster-frame.tsx';
import { nextSort, PAGE_SIZE, PODS_FILTER, type PodsFilter } from './filter.ts';
import classes from './kubernetes.module.css';

export interface PodsViewProps extends ClusterProps {
  pods: Loadable<PodPage>;
  filter: PodsFilter;
  onFilter: (filter: PodsFilter) => void;
}

export function PodsView(props: PodsViewProps) {
  const { pods, filter, onFilter, context } = props;
  const change = (next: Partial<PodsFilter>) => onFilter({ ...filter, page: 1, ...next });
  return (
    <ClusterFrame
      {...props}
      title="Pods"
      current="/operations/kubernetes/pods"
      skeleton={<TableSkeleton rows={10} columns={6} />}
    >
      {() => (
        <>
          <Filters {...props} change={change} />
          <List
            label="Pods"
            of={pods}
            lines={10}
            columns={COLUMNS}
            rowKey={({ uid }) => uid}
            href={({ namespace, name }) => `/operations/kubernetes/pods/${namespace}/${name}`}
            search={() => sent({ context })}
            sort={sortOf(filter.sort, (column) => change({ sort: nextSort(filter.sort, column) }))}
            empty={(page) => noPods(page, filter, () => change({ page: 1 }))}
            noMatch={
              pods.data?.view.isWhole === true &&
              pods.data.total === 0 &&
              PODS_FILTER.isFiltered(filter) && {
                sentence: 'No pod fits this filter.',
                onClear: () => onFilter(PODS_FILTER.cleared(filter)),
              }
            }
            below={({ items, total }) => (
              <Pager
                page={filter.page}
                size={PAGE_SIZE}
                shown={items.length}
                total={total}
                onPage={(page) => change({ page })}
              />
            )}
          />
        </>
      )}
    </ClusterFrame>
  );
}

const ALL = 'all';

function Filters({ pods, filter, change }: PodsViewProps & { change: (next: Partial<PodsFilter>) => void }) {
  const known = pods.data;
  const { states } = filter;
  return (
    <ListFilters
      search={{
        label: 'Search pods',
        placeholder: 'Name, owner, reason, job id',
        text: filter.search,
        onText: (search) => change({ search }),
      }}
    >
      <Pick
        label="State"
        width={168}
        value={states.length > 1 ? 'several' : (states[0] ?? ALL)}
        onValue={(value) => change({ states: POD_STATES.filter((one) => one === value) })}
        options={[
          { value: ALL, label: 'Any state' },
          ...(states.length > 1 ? [{ value: 'several', label: statesInWords(states) }] : []),
          ...POD_STATES.map((one) => ({ value: one, label: sentence(POD_WORDS[one].word) })),
        ]}
      />
      <Pick
        label="Namespace"
        any="Any namespace"
        width={168}
        searchable
        value={filter.namespace}
        onValue={(namespace) => change({ namespace })}
        options={known?.namespaces ?? []}
      />
      <Pick
        label="Node"
        any="Any node"
        width={168}
        searchable
        value={filter.nodeName}
        onValue={(nodeName) => change({ nodeName })}
        options={known?.nodeNames ?? []}
      />
      {known === undefined ? null : (
        <Found fit={PODS_FILTER.isFiltered(filter) ? known.total : known.all} all={known.all} noun="pod" />
      )}
    </ListFilters>
  );
}

const statesInWords = (states: readonly PodState[]): string =>
  states.map((state) => sentence(POD_WORDS[state].word)).join(', ');

function noPods({ view, all, total }: PodPage, { page }: PodsFilter, onFirst: () => void): EmptyStateProps {
  if (!view.isWhole) return { sentence: `Reading the pods: ${formatCount(all)} so far, none of them fits yet.` };
  if (total === 0) return { sentence: 'There are no pods that this server may see.' };
  return {
    sentence: `There is no page ${page} any more: ${plural(total, 'pod')} fit.`,
    action: (
      <Button variant="default" onClick={onFirst}>
        To the first page
      </Button>
    ),
  };
}

const COLUMNS: Column<Pod>[] = [
  { id: 'name', header: 'Pod', cell: (pod) => <NameCell pod={pod} />, width: '36%', sortable: true },
  { id: 'attention', header: 'Status', cell: (pod) => <PodBadge pod={pod} />, width: '190px', sortable: true },
  {
    id: 'ready',
    header: 'Ready',
    cell: ({ ready, containers }) => (
      <span className="hg-num">
        {ready}/{containers}
      </span>
    ),
    width: '64px',
    phone: 'label',
  },
  {
    id: 'restarts',
    header: 'Restarts',
    cell: (pod) => <Restarts pod={pod} />,
    width: '120px',
    sortable: true,
    phone: 'label',
  },
  {
    id: 'cpu',
    header: 'CPU',
    cell: ({ cpu }) => <Use of={cpu} what="Cores" say={cores} />,
    width: '104px',
    sortable: true,
    from: 'md',
    phone: 'label',
  },
  {
    id: 'memory',
    header: 'Memory',
    cell: ({ memory: of }) => <Use of={of} what="Memory" say={sizeInWords} />,
    width: '120px',
    sortable: true,
    from: 'md',
    phone: 'label',
  },
  {
    id: 'node',
    header: 'Node',
    cell: ({ nodeName }) => nodeName ?? <span className={classes.quiet}>–</span>,
    from: 'lg',
    sortable: true,
    phone: 'label',
  },
  {
    id: 'age',
    header: 'Made',
    cell: ({ createdAt }) => (createdAt === null ? '' : <Time at={createdAt} />),
    width: '96px',
    sortable: true,
  },
];

/** Name and namespace; a pod that waits or fails says why, one of a job names it. */
function NameCell({ pod }: { pod: Pod }) {
  const isWell = pod.state === 'running' && pod.ready === pod.containers;
  return (
    <span className={classes.cell}>
      <span className={classes.cellLine}>
        <span className={classes.cellName}>{pod.name}</span>
        <span className={classes.cellSub}>{pod.namespace}</span>
        {pod.jobId === null ? null : <span className={classes.cellSub}>job {pod.jobId}</span>}
      </span>
      {pod.reason === null || isWell ? null : <span className={classes.cellReason}>{pod.reason}</span>}
    </span>
  );
}

export function PodBadge({ pod }: { pod: Pick<Pod, 'state' | 'status' | 'ready' | 'containers'> }) {
  return <StateBadge {...podWords(pod)} />;
}

function Restarts({ pod }: { pod: Pod }) {
  if (pod.restarts === 0) return <span className={classes.quiet}>0</span>;
  return (
    <span className="hg-num">
      {formatCount(pod.restarts)}
      {pod.restartedAt === null ? null : (
        <span className={classes.quiet}>
          {' '}
          <Time at={pod.restartedAt} />
        </span>
      )}
    </span>
  );
}

/** What it uses of what it asked for; of what it may have where it asked for nothing. */
function Use({ of, what, say }: { of: Pod['cpu']; what: string; say: (value: number) => string }) {
  const full = of.requested ?? of.limit;
  const detail = [
    `${what}: ${of.used === null ? 'use not measured' : `${say(of.used)} in use`}`,
    of.requested === null ? 'none requested' : `${say(of.requested)} requested`,
    of.limit === null ? 'no limit' : `limit ${say(of.limit)}`,
  ].join(', ');
  if (of.used === null && full === null) return <span className={classes.quiet}>–</span>;
  const text = of.used === null ? `${say(full ?? 0)} asked` : say(of.used);
  return <Meter of={full ?? of.used ?? 0} used={full === null ? null : of.used} text={text} detail={detail} />;
}
