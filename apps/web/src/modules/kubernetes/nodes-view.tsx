import { type ClusterNode, type ClusterNodes, NodeState } from '@hangar/contract';
import { cores, NODE_WORDS, nodeWords, shareWords } from '@hangar/contract/words/kubernetes';
import { sizeInWords } from '@hangar/contract/words/size';
import { sentence } from '@hangar/contract/words/tone';
import { Tooltip } from '@mantine/core';
import type { Loadable } from '../../api/loadable.ts';
import { Meter } from '../../components/figures/meter.tsx';
import { Time } from '../../components/figures/time.tsx';
import type { Column } from '../../components/list/data-table.tsx';
import { List } from '../../components/list/list.tsx';
import { sent } from '../../components/list/list-filter.ts';
import { Found, ListFilters, Pick } from '../../components/list/list-filters.tsx';
import { StateBadge } from '../../components/state/state-badge.tsx';
import { TableSkeleton } from '../../components/state/states.tsx';
import { ClusterFrame, type ClusterProps, counted, useWords } from './cluster-frame.tsx';
import classes from './kubernetes.module.css';
import { fittingNodes, NODES_FILTER, type NodesFilter } from './node-filter.ts';

export interface NodesViewProps extends ClusterProps {
  nodes: Loadable<ClusterNodes>;
  filter: NodesFilter;
  onFilter: (filter: NodesFilter) => void;
}

export function NodesView(props: NodesViewProps) {
  const { nodes, filter, onFilter, context } = props;
  const all = nodes.data?.items ?? [];
  const fitting = nodes.data && { ...nodes.data, items: fittingNodes(all, filter) };
  const change = (next: Partial<NodesFilter>) => onFilter({ ...filter, ...next });
  return (
    <ClusterFrame
      {...props}
      title="Nodes"
      current="/operations/kubernetes/nodes"
      skeleton={<TableSkeleton rows={6} columns={6} />}
    >
      {() => (
        <>
          {all.length === 0 ? null : (
            <ListFilters
              search={{
                label: 'Search nodes',
                placeholder: 'Name, role, address, reason',
                text: filter.search,
                onText: (search) => change({ search }),
              }}
            >
              <Pick
                label="State"
                any="Any state"
                width={168}
                value={filter.state}
                onValue={(state) => change({ state })}
                options={NodeState.options.map((one) => ({ value: one, label: sentence(NODE_WORDS[one].word) }))}
              />
              <Found fit={fitting?.items.length ?? 0} all={all.length} noun="node" />
            </ListFilters>
          )}
          <List
            label="Nodes"
            of={{ ...nodes, data: fitting }}
            lines={6}
            columns={COLUMNS}
            rowKey={({ name }) => name}
            href={() => '/operations/kubernetes/pods'}
            search={({ name }) => sent({ node: name, context })}
            empty={({ view }) => ({
              sentence: view.isWhole ? 'The cluster has no nodes.' : 'No node has been read yet.',
            })}
            noMatch={
              all.length > 0 && {
                sentence: 'No node fits this filter.',
                onClear: () => onFilter(NODES_FILTER.cleared(filter)),
              }
            }
          />
        </>
      )}
    </ClusterFrame>
  );
}

const COLUMNS: Column<ClusterNode>[] = [
  { id: 'name', header: 'Node', cell: (node) => <NameCell node={node} />, width: '26%' },
  { id: 'state', header: 'State', cell: (node) => <StateBadge {...nodeWords(node)} />, width: '132px' },
  { id: 'conditions', header: 'Conditions', cell: (node) => <Conditions node={node} />, from: 'md', phone: 'hide' },
  {
    id: 'cpu',
    header: 'CPU',
    cell: ({ cpu }) => (
      <Meter
        of={cpu.allocatable}
        used={cpu.used}
        promised={cpu.requested}
        text={shareWords(cpu, cores)}
        detail={useWords('Cores', cpu, cores)}
      />
    ),
    width: '120px',
    phone: 'label',
  },
  {
    id: 'memory',
    header: 'Memory',
    cell: ({ memory: of }) => (
      <Meter
        of={of.allocatable}
        used={of.used}
        promised={of.requested}
        text={shareWords(of, sizeInWords)}
        detail={useWords('Memory', of, sizeInWords)}
      />
    ),
    width: '160px',
    phone: 'label',
  },
  {
    id: 'pods',
    header: 'Pods',
    cell: ({ pods }) => (
      <Meter
        of={pods.allocatable}
        used={pods.requested}
        text={`${amount(pods.requested, counted)} of ${counted(pods.allocatable)}`}
        detail={useWords('Places for pods', pods, counted)}
      />
    ),
    width: '110px',
    phone: 'label',
  },
  { id: 'devices', header: 'Devices', cell: (node) => <Devices node={node} />, from: 'lg', phone: 'label' },
  { id: 'version', header: 'Version', cell: ({ version }) => version, from: 'lg', phone: 'hide' },
  {
    id: 'age',
    header: 'Since',
    cell: ({ createdAt }) => (createdAt === null ? '' : <Time at={createdAt} />),
    width: '112px',
    from: 'lg',
    phone: 'hide',
  },
];

const amount = (value: number | null, say: (value: number) => string): string => (value === null ? '–' : say(value));

function NameCell({ node }: { node: ClusterNode }) {
  const about = [...node.roles, node.address, node.system].filter((text) => text !== null && text !== '');
  return (
    <span className={classes.cell}>
      <span className={classes.cellName}>{node.name}</span>
      <span className={classes.cellSub}>{about.join(', ')}</span>
      {node.reason === null ? null : <span className={classes.cellReason}>{node.reason}</span>}
    </span>
  );
}

/** Those that are not as they should be by name; the rest in one word. All of them, with their words, on hover. */
function Conditions({ node }: { node: ClusterNode }) {
  const bad = node.conditions.filter(({ ok }) => !ok);
  const all = node.conditions.map(
    ({ type, status, message }) => `${type} ${status}${message === '' ? '' : `: ${message}`}`,
  );
  return (
    <Tooltip
      label={<span className={classes.lines}>{all.join('\n')}</span>}
      multiline
      maw={420}
      disabled={all.length === 0}
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: its words are read on focus */}
      <span className={classes.conditions} tabIndex={0}>
        {bad.length === 0 ? (
          <span className={classes.quiet}>{node.conditions.length === 0 ? 'none told' : 'all well'}</span>
        ) : (
          bad.map(({ type, status }) => (
            <span key={type} className={classes.badCondition}>
              {status === 'Unknown' ? `${type}?` : type === 'Ready' ? 'Not ready' : type}
            </span>
          ))
        )}
        <span className="hg-sr">{all.join('. ')}</span>
      </span>
    </Tooltip>
  );
}

function Devices({ node }: { node: ClusterNode }) {
  if (node.devices.length === 0) return <span className={classes.quiet}>–</span>;
  return (
    <span className={classes.cell}>
      {node.devices.map(({ name, requested, allocatable }) => (
        <span key={name} className="hg-num">
          {amount(requested, counted)} of {counted(allocatable)} {name}
        </span>
      ))}
    </span>
  );
}
