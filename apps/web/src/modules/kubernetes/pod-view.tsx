import type { ClusterEvent, PodContainer, PodDetail } from '@hangar/contract';
import { containerWords, cores, POD_WORDS } from '@hangar/contract/words/kubernetes';
import { formatCount, plural } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { SegmentedControl, Select } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { CopyButton } from '../../components/actions/copy.tsx';
import { DetailPage } from '../../components/detail/detail-page.tsx';
import { Facts } from '../../components/figures/facts.tsx';
import { Time } from '../../components/figures/time.tsx';
import { type Column, DataTable } from '../../components/list/data-table.tsx';
import { Section } from '../../components/page.tsx';
import { Callout } from '../../components/state/callout.tsx';
import { StateBadge } from '../../components/state/state-badge.tsx';
import { EmptyState } from '../../components/state/states.tsx';
import classes from './kubernetes.module.css';
import { PodBadge } from './pods-view.tsx';

export const POD_TABS = ['log', 'events', 'details'] as const;
export type PodTab = (typeof POD_TABS)[number];

export interface PodViewProps {
  pod: Loadable<PodDetail>;
  context: string | undefined;
  tab: PodTab;
  onTab: (tab: PodTab) => void;
  /** The container whose log is shown; null: the first. */
  container: string | null;
  previous: boolean;
  onLogOf: (container: string | null, previous: boolean) => void;
  /** Fills the rest of the window. */
  log: ReactNode;
  command: { hangar: string; curl: string };
}

export function PodView(props: PodViewProps) {
  return (
    <DetailPage of={props.pod} tab={props.tab} onTab={props.onTab}>
      {(pod) => ({
        title: pod.name,
        state: <PodBadge pod={pod} />,
        facts: <SubLine detail={pod} context={props.context} />,
        command: props.command,
        now: <Now pod={pod} />,
        tabs: [
          { id: 'log', label: 'Log', fills: true, above: <LogChoice {...props} detail={pod} />, body: props.log },
          { id: 'events', label: 'Events', count: eventCount(pod), body: <Events pod={pod} /> },
          { id: 'details', label: 'Details', body: <Details pod={pod} /> },
        ],
      })}
    </DetailPage>
  );
}

function Now({ pod }: { pod: PodDetail }) {
  const { tone } = POD_WORDS[pod.state];
  return (
    <>
      {pod.reason === null ? null : <Callout tone={tone === 'good' ? 'working' : tone}>{pod.reason}</Callout>}
      {pod.job === null ? null : (
        <Callout tone="working">
          It runs the job{' '}
          <Link className="hg-link" to="/jobs/$id" params={{ id: pod.job.id }}>
            {pod.job.title}
          </Link>
          , {pod.job.id}.
        </Callout>
      )}
      <DataTable label="Containers" columns={CONTAINERS} rows={pod.runs} rowKey={({ name }) => name} />
    </>
  );
}

function eventCount({ events }: PodDetail): string {
  const warnings = events.filter(({ type }) => type === 'Warning').length;
  if (events.length === 0) return '';
  return `${events.length}${warnings === 0 ? '' : `, ${plural(warnings, 'warning')}`}`;
}

function SubLine({ detail: pod, context }: { detail: PodDetail; context: string | undefined }) {
  const search = context === undefined ? {} : { context };
  return (
    <span className={classes.which}>
      <Link to="/operations/kubernetes/pods" search={{ ...search, namespace: pod.namespace }} className="hg-link">
        {pod.namespace}
      </Link>
      {pod.nodeName === null ? (
        <span>on no node yet</span>
      ) : (
        <span>
          on{' '}
          <Link to="/operations/kubernetes/pods" search={{ ...search, node: pod.nodeName }} className="hg-link">
            {pod.nodeName}
          </Link>
        </span>
      )}
      {pod.owner === null ? null : (
        <span>
          of {pod.owner.kind} {pod.owner.name}
        </span>
      )}
      {pod.createdAt === null ? null : (
        <span>
          made <Time at={pod.createdAt} />
        </span>
      )}
    </span>
  );
}

function LogChoice({ detail: pod, container, previous, onLogOf }: PodViewProps & { detail: PodDetail }) {
  const chosen = pod.runs.find(({ name }) => name === container) ?? pod.runs.find(({ kind }) => kind === 'container');
  const hasPrevious = (chosen?.restarts ?? 0) > 0;
  if (pod.runs.length < 2 && !hasPrevious) return null;
  return (
    <div className={classes.logChoice}>
      {pod.runs.length < 2 ? null : (
        <Select
          className={classes.pick}
          aria-label="Container"
          allowDeselect={false}
          value={chosen?.name ?? null}
          onChange={(name) => onLogOf(name, false)}
          data={pod.runs.map(({ name }) => name)}
        />
      )}
      {hasPrevious ? (
        <SegmentedControl
          aria-label="Which run of the container"
          value={previous ? 'previous' : 'now'}
          onChange={(value) => onLogOf(container, value === 'previous')}
          data={[
            { value: 'now', label: 'This run' },
            { value: 'previous', label: 'The run before' },
          ]}
        />
      ) : null}
    </div>
  );
}

const CONTAINERS: Column<PodContainer>[] = [
  {
    id: 'name',
    header: 'Container',
    cell: ({ name, kind, message }) => (
      <span className={classes.cell}>
        <span className={classes.cellLine}>
          <span className={classes.cellName}>{name}</span>
          {kind === 'container' ? null : <span className={classes.cellSub}>{kind}</span>}
        </span>
        {message === null ? null : <span className={classes.cellReason}>{message}</span>}
      </span>
    ),
    width: '30%',
  },
  { id: 'state', header: 'State', cell: (run) => <StateBadge {...containerWords(run)} />, width: '200px' },
  {
    id: 'exit',
    header: 'Exit code',
    cell: ({ exitCode }) => exitCode ?? <Nothing />,
    width: '80px',
    from: 'md',
    phone: 'hide',
  },
  { id: 'restarts', header: 'Restarts', cell: (run) => <LastEnd run={run} />, width: '220px', phone: 'label' },
  { id: 'image', header: 'Image', cell: ({ image }) => <code className={classes.image}>{image}</code>, from: 'md' },
];

const Nothing = () => <span className={classes.quiet}>–</span>;

function LastEnd({ run: { restarts, last } }: { run: PodContainer }) {
  if (restarts === 0) return <span className={classes.quiet}>0</span>;
  return (
    <span className="hg-num">
      {formatCount(restarts)}
      {last === null ? null : (
        <span className={classes.quiet}>
          , last {last.reason ?? 'end'} {last.exitCode === null ? '' : `(${last.exitCode})`}{' '}
          {last.finishedAt === null ? null : <Time at={last.finishedAt} />}
        </span>
      )}
    </span>
  );
}

function Events({ pod }: { pod: PodDetail }) {
  if (pod.eventsDenied !== null)
    return (
      <Callout tone="needs">
        This server may not see events in {pod.namespace} (403). {pod.eventsDenied.message}
      </Callout>
    );
  if (pod.events.length === 0)
    return <EmptyState sentence="No events. The cluster forgets them after an hour or so." />;
  return (
    <DataTable
      label="Events"
      columns={EVENTS}
      rows={pod.events}
      rowKey={(event) => `${event.reason} ${event.from} ${event.firstAt} ${event.message}`}
    />
  );
}

const EVENTS: Column<ClusterEvent>[] = [
  {
    id: 'reason',
    header: 'Event',
    cell: ({ type, reason }) => <StateBadge tone={type === 'Warning' ? 'needs' : 'ended'} word={reason} />,
    width: '200px',
  },
  { id: 'message', header: 'Message', cell: ({ message }) => <span className={classes.message}>{message}</span> },
  {
    id: 'count',
    header: 'Times',
    cell: ({ count }) => <span className="hg-num">{formatCount(count)}</span>,
    width: '64px',
    phone: 'label',
  },
  { id: 'from', header: 'From', cell: ({ from }) => from, from: 'lg', phone: 'hide' },
  { id: 'at', header: 'Last', cell: ({ lastAt }) => (lastAt === null ? '' : <Time at={lastAt} />), width: '104px' },
];

function Details({ pod }: { pod: PodDetail }) {
  const amount = (value: number | null, say: (value: number) => string) => (value === null ? 'none' : say(value));
  const resource = (of: PodDetail['cpu'], say: (value: number) => string) =>
    `${amount(of.requested, say)} requested, limit ${amount(of.limit, say)}, ${of.used === null ? 'use not measured' : `${say(of.used)} in use`}`;
  const labels = Object.entries(pod.labels);
  return (
    <div className={classes.columns}>
      <div>
        <Section title="Pod">
          <Facts
            items={[
              ['Phase', pod.phase],
              ['Address', pod.address ?? <Nothing key="address" />],
              ['Service account', pod.serviceAccount ?? <Nothing key="account" />],
              ['Quality of service', pod.quality ?? <Nothing key="quality" />],
              ['Priority', pod.priority ?? <Nothing key="priority" />],
              ['CPU', resource(pod.cpu, cores)],
              ['Memory', resource(pod.memory, sizeInWords)],
              [
                'UID',
                <span key="uid" className={classes.which}>
                  <code>{pod.uid}</code>
                  <CopyButton text={pod.uid} label="Copy the UID" />
                </span>,
              ],
            ]}
          />
        </Section>
        <Section title="Labels">
          {labels.length === 0 ? (
            <Nothing />
          ) : (
            <Facts items={labels.map(([name, value]) => [name, value === '' ? <Nothing key={name} /> : value])} />
          )}
        </Section>
      </div>
      <Section title="Conditions">
        {pod.conditions.length === 0 ? <Nothing /> : null}
        <ul className={classes.states}>
          {pod.conditions.map(({ type, status, reason, message, since }) => (
            <li key={type}>
              <StateBadge tone={status === 'True' ? 'good' : 'waiting'} word={type} since={since ?? undefined} />
              <span className={classes.quiet}>
                {[status === 'True' ? '' : status, message || reason].filter(Boolean).join(': ')}
              </span>
            </li>
          ))}
        </ul>
      </Section>
    </div>
  );
}
