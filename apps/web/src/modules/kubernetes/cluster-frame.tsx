import type { ClusterHealth, ClusterView, ResourceUse } from '@hangar/contract';
import { CLUSTER_WORDS } from '@hangar/contract/words/kubernetes';
import { formatCount, plural } from '@hangar/contract/words/number';
import { Select } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { AsCommand } from '../../components/actions/as-command.tsx';
import { clockTime } from '../../components/figures/time.tsx';
import { Page, PageHeader } from '../../components/page.tsx';
import { Callout } from '../../components/state/callout.tsx';
import { StateBadge } from '../../components/state/state-badge.tsx';
import { EmptyState, Loaded } from '../../components/state/states.tsx';
import { SubNav } from '../../components/sub-nav.tsx';
import classes from './kubernetes.module.css';

export const CLUSTER_PLACES = [
  { to: '/operations', label: 'Activity' },
  { to: '/operations/kubernetes', label: 'Kubernetes' },
  { to: '/operations/kubernetes/nodes', label: 'Nodes' },
  { to: '/operations/kubernetes/pods', label: 'Pods' },
] as const;

/** What each page of the cluster is given. */
export interface ClusterProps {
  health: Loadable<ClusterHealth>;
  /** The context that was asked for; undefined: the current one. */
  context: string | undefined;
  onContext: (context: string) => void;
  command: { hangar: string; curl: string };
}

interface ClusterFrameProps extends ClusterProps {
  title: string;
  /** Path of the page, to mark it. */
  current: string;
  skeleton: ReactNode;
  children: (health: ClusterHealth) => ReactNode;
}

/** What all pages of the cluster have: which cluster, how it stands, what of it may be seen, and what to do when there is none. */
export function ClusterFrame(props: ClusterFrameProps) {
  const { health, context } = props;
  const known = health.data;
  const search = context === undefined ? undefined : { context };
  return (
    <Page width="wide">
      <PageHeader
        title={props.title}
        state={known === undefined ? undefined : <StateBadge {...CLUSTER_WORDS[known.state]} />}
        sub={known === undefined ? undefined : <WhichCluster health={known} />}
        actions={
          <>
            <ContextPicker {...props} />
            <AsCommand {...props.command} />
          </>
        }
      />
      <SubNav
        label="Operations"
        current={props.current}
        items={CLUSTER_PLACES.map((place) => ({
          ...place,
          ...(search === undefined || place.to === '/operations' ? {} : { search }),
        }))}
      />
      <Loaded of={health} skeleton={props.skeleton}>
        {(loaded) =>
          loaded.state === 'not_connected' ? (
            <NotConnected health={loaded} />
          ) : (
            <>
              <Standing health={loaded} />
              {loaded.view === null || hasNothing(loaded) ? null : props.children(loaded)}
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

/** Nothing was ever read: there is nothing to draw beneath the reason. */
const hasNothing = ({ state, nodes, pods }: ClusterHealth): boolean =>
  (state === 'unreachable' || state === 'refused' || state === 'forbidden') && nodes === null && pods === null;

function WhichCluster({ health }: { health: ClusterHealth }) {
  const parts = [
    health.view?.context,
    health.server,
    health.version === null ? undefined : `Kubernetes ${health.version}`,
  ].filter((part) => part !== null && part !== undefined);
  return (
    <span className={classes.which}>
      {health.view?.isSample ? <span className={classes.sample}>Sample data</span> : null}
      {[...new Set(parts)].map((part) => (
        <span key={part}>{part}</span>
      ))}
    </span>
  );
}

function ContextPicker({ health, context, onContext }: ClusterFrameProps) {
  const contexts = health.data?.contexts ?? [];
  if (contexts.length < 2) return null;
  const current = context ?? health.data?.view?.context ?? contexts.find(({ isCurrent }) => isCurrent)?.name ?? null;
  return (
    <Select
      className={classes.context}
      aria-label="Context of the kubeconfig"
      searchable
      allowDeselect={false}
      value={current}
      onChange={(name) => {
        if (name !== null) onContext(name);
      }}
      data={contexts.map(({ name }) => name)}
    />
  );
}

function NotConnected({ health }: { health: ClusterHealth }) {
  return (
    <EmptyState
      icon={<IconPlugConnectedX size={28} stroke={1.4} />}
      sentence={
        <>
          {health.detail}
          <br />
          {health.wayOut}
        </>
      }
      command="KUBECONFIG=~/.kube/config hangar server start"
    />
  );
}

/** One line for each thing that keeps the page from being the whole truth. */
function Standing({ health }: { health: ClusterHealth }) {
  const { state, view } = health;
  const isBad = state === 'unreachable' || state === 'refused' || state === 'forbidden';
  const denied = view === null ? [] : deniedWords(view);
  if (!isBad && denied.length === 0 && view?.isWhole !== false) return null;
  return (
    <div className={classes.standing}>
      {isBad ? (
        <Callout tone={state === 'forbidden' ? 'needs' : 'bad'}>
          {health.detail} {health.wayOut}
          {view === null || hasNothing(health) ? null : ` What is shown is as of ${clockTime(view.asOf)}.`}
        </Callout>
      ) : null}
      {state === 'connecting' || (view !== null && !view.isWhole && !isBad) ? (
        <Callout tone="working">
          Reading the cluster{health.pods === null ? '' : `: ${plural(health.pods.total, 'pod')} so far`}
        </Callout>
      ) : null}
      {state === 'forbidden'
        ? null
        : denied.map((words) => (
            <Callout key={words} tone="needs">
              {words}
            </Callout>
          ))}
    </div>
  );
}

/** What this server may not see, in a few sentences. */
export function deniedWords({ denied, namespaces }: ClusterView): string[] {
  const words: string[] = [];
  const isDenied = (what: string) => denied.find((one) => one.what === what && one.namespace === null);
  const pods = isDenied('pods');
  if (pods)
    words.push(
      namespaces === null || namespaces.length === 0
        ? `This server may not see the pods of the whole cluster. ${pods.message}`
        : `This server may see the pods of ${plural(namespaces.length, 'namespace')} only: ${namespaces.slice(0, 8).join(', ')}${namespaces.length > 8 ? ' and others' : ''}. ${pods.message}`,
    );
  const refused = denied.filter((one) => one.what === 'pods' && one.namespace !== null);
  if (refused.length > 0)
    words.push(
      `Not to be seen (403): pods in ${refused
        .slice(0, 8)
        .map(({ namespace }) => namespace)
        .join(', ')}${refused.length > 8 ? ` and ${refused.length - 8} others` : ''}.`,
    );
  const nodes = isDenied('nodes');
  if (nodes) words.push(`This server may not see nodes. ${nodes.message}`);
  const metrics = isDenied('metrics');
  if (metrics) words.push(`This server may not read what is in use. ${metrics.message}`);
  return words;
}

export const counted = (value: number): string => formatCount(Math.round(value));

/** All numbers of a resource in one sentence. */
export function useWords(what: string, use: ResourceUse, say: (value: number) => string): string {
  return [
    `${what}: ${say(use.allocatable)} for pods`,
    ...(use.capacity === use.allocatable ? [] : [`of ${say(use.capacity)} in all`]),
    use.requested === null ? 'requested by pods: not to be seen' : `${say(use.requested)} requested`,
    use.used === null ? 'in use: not measured' : `${say(use.used)} in use`,
  ].join(', ');
}
