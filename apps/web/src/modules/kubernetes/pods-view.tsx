import { POD_STATES, type Pod, type PodPage, type PodState } from '@hangar/contract';
import { cores, POD_WORDS, podWords } from '@hangar/contract/words/kubernetes';
import { sizeInWords } from '@hangar/contract/words/size';
import { sentence } from '@hangar/contract/words/tone';
import { Button, Select } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import type { Loadable } from '../../api/loadable.ts';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { formatCount, plural } from '../../components/format.ts';
import { Loaded } from '../../components/loaded.tsx';
import { Meter } from '../../components/meter.tsx';
import { SearchField } from '../../components/search-field.tsx';
import { TableSkeleton } from '../../components/skeletons.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { Time } from '../../components/time.tsx';
import { ClusterFrame, type ClusterFrameProps } from './cluster-frame.tsx';
import { isFiltered, nextSort, PAGE_SIZE, type PodsFilter } from './filter.ts';
import classes from './kubernetes.module.css';

export interface PodsViewProps extends Pick<ClusterFrameProps, 'health' | 'context' | 'onContext' | 'command'> {
  pods: Loadable<PodPage>;
  filter: PodsFilter;
  onFilter: (filter: PodsFilter) => void;
}

export function PodsView(props: PodsViewProps) {
  const { pods, filter, onFilter } = props;
  const skeleton = <TableSkeleton rows={10} columns={6} />;
  return (
    <ClusterFrame {...props} title="Pods" current="/operations/kubernetes/pods" skeleton={skeleton}>
      {() => (
        <>
          <Filters {...props} />
          <Loaded of={pods} skeleton={skeleton}>
            {(page) =>
              page.items.length === 0 ? (
                <NoPods {...props} page={page} />
              ) : (
                <>
                  <DataTable
                    label="Pods"
                    columns={COLUMNS}
                    rows={page.items}
                    rowKey={({ uid }) => uid}
                    href={({ namespace, name }) => `/operations/kubernetes/pods/${namespace}/${name}`}
                    search={() => (props.context === undefined ? {} : { context: props.context })}
                    sort={{
                      column: filter.sort.replace('-', ''),
                      order: filter.sort.startsWith('-') ? 'descending' : 'ascending',
                      onSort: (column) => onFilter({ ...filter, sort: nextSort(filter.sort, column), page: 1 }),
                    }}
                  />
                  <Pager page={page} filter={filter} onFilter={onFilter} />
                </>
              )
            }
          </Loaded>
        </>
      )}
    </ClusterFrame>
  );
}

const ALL = 'all';

function Filters({ pods, filter, onFilter }: PodsViewProps) {
  const known = pods.data;
  const change = (next: Partial<PodsFilter>) => onFilter({ ...filter, ...next, page: 1 });
  const [state] = filter.states;
  return (
    <search className={classes.filters}>
      <SearchField
        text={filter.search}
        onText={(search) => change({ search })}
        label="Search pods"
        placeholder="Name, owner, reason, job id"
        className={classes.searchField}
      />
      <Select
        className={classes.pick}
        aria-label="State"
        allowDeselect={false}
        value={filter.states.length === 1 ? (state ?? ALL) : filter.states.length === 0 ? ALL : 'several'}
        onChange={(value) => change({ states: POD_STATES.filter((one) => one === value) })}
        data={[
          { value: ALL, label: 'Any state' },
          ...(filter.states.length > 1 ? [{ value: 'several', label: statesInWords(filter.states) }] : []),
          ...POD_STATES.map((one) => ({ value: one, label: sentence(POD_WORDS[one].word) })),
        ]}
      />
      <Select
        className={classes.pick}
        aria-label="Namespace"
        placeholder="Any namespace"
        clearable
        searchable
        limit={200}
        value={filter.namespace}
        onChange={(namespace) => change({ namespace })}
        data={withChosen(known?.namespaces ?? [], filter.namespace)}
      />
      <Select
        className={classes.pick}
        aria-label="Node"
        placeholder="Any node"
        clearable
        searchable
        limit={200}
        value={filter.nodeName}
        onChange={(nodeName) => change({ nodeName })}
        data={withChosen(known?.nodeNames ?? [], filter.nodeName)}
      />
      {known === undefined ? null : (
        <span className={`${classes.found} hg-num`} role="status">
          {isFiltered(filter) ? `${formatCount(known.total)} of ${plural(known.all, 'pod')}` : plural(known.all, 'pod')}
        </span>
      )}
    </search>
  );
}

const statesInWords = (states: readonly PodState[]): string =>
  states.map((state) => sentence(POD_WORDS[state].word)).join(', ');

const withChosen = (names: readonly string[], chosen: string | null): string[] =>
  chosen === null || names.includes(chosen) ? [...names] : [...names, chosen];

function Pager({ page, filter, onFilter }: { page: PodPage; filter: PodsFilter; onFilter: PodsViewProps['onFilter'] }) {
  if (page.total <= PAGE_SIZE && filter.page === 1) return null;
  const first = (filter.page - 1) * PAGE_SIZE + 1;
  const last = Math.min(page.total, first + page.items.length - 1);
  const go = (to: number) => onFilter({ ...filter, page: to });
  return (
    <nav className={classes.pager} aria-label="Pages">
      <Button variant="default" disabled={filter.page === 1} onClick={() => go(filter.page - 1)}>
        Previous
      </Button>
      <span className="hg-num">
        {formatCount(first)}–{formatCount(last)} of {formatCount(page.total)}
      </span>
      <Button variant="default" disabled={last >= page.total} onClick={() => go(filter.page + 1)}>
        Next
      </Button>
    </nav>
  );
}

function NoPods({ page, filter, onFilter }: PodsViewProps & { page: PodPage }) {
  if (!page.view.isWhole)
    return <EmptyState sentence={`Reading the pods: ${formatCount(page.all)} so far, none of them fits yet.`} />;
  if (page.total > 0)
    return (
      <EmptyState
        sentence={`There is no page ${filter.page} any more: ${plural(page.total, 'pod')} fit.`}
        action={
          <Button variant="default" onClick={() => onFilter({ ...filter, page: 1 })}>
            To the first page
          </Button>
        }
      />
    );
  if (isFiltered(filter))
    return (
      <EmptyState
        icon={<IconSearch size={26} />}
        sentence="No pod fits this filter."
        action={
          <Button
            variant="default"
            onClick={() => onFilter({ ...filter, states: [], namespace: null, nodeName: null, search: '', page: 1 })}
          >
            Clear the filter
          </Button>
        }
      />
    );
  return <EmptyState sentence="There are no pods that this server may see." />;
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
