import { type ClusterHealth, POD_STATES, type ResourceUse } from '@hangar/contract';
import { cores, NODE_WORDS, POD_WORDS } from '@hangar/contract/words/kubernetes';
import { formatCount, plural } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { Meter } from '../../components/figures/meter.tsx';
import { Section } from '../../components/page.tsx';
import { StateBadge } from '../../components/state/state-badge.tsx';
import { Bone, EmptyState } from '../../components/state/states.tsx';
import { ClusterFrame, type ClusterProps, counted, useWords } from './cluster-frame.tsx';
import classes from './kubernetes.module.css';

type FrameProps = ClusterProps;

export function OverviewView(props: FrameProps) {
  return (
    <ClusterFrame {...props} title="Kubernetes" current="/operations/kubernetes" skeleton={<TilesSkeleton />}>
      {(health) => <Overview health={health} context={props.context} />}
    </ClusterFrame>
  );
}

function Overview({ health, context }: { health: ClusterHealth; context: string | undefined }) {
  const { nodes, pods, resources } = health;
  const search = context === undefined ? {} : { context };
  return (
    <>
      <div className={classes.tiles}>
        {nodes === null ? null : (
          <Tile title="Nodes" to="/operations/kubernetes/nodes" search={search}>
            <strong className="hg-num">
              {nodes.ready} of {nodes.total} {NODE_WORDS.ready.word}
            </strong>
            <span className={classes.quiet}>
              {nodes.notReady + nodes.unschedulable === 0
                ? 'All of them take pods'
                : [
                    nodes.notReady > 0 ? `${nodes.notReady} ${NODE_WORDS.not_ready.word}` : '',
                    nodes.unschedulable > 0 ? `${nodes.unschedulable} ${NODE_WORDS.unschedulable.word}` : '',
                  ]
                    .filter(Boolean)
                    .join(', ')}
            </span>
          </Tile>
        )}
        {pods === null ? null : (
          <Tile title="Pods" to="/operations/kubernetes/pods" search={search}>
            <strong className="hg-num">{formatCount(pods.total)}</strong>
            <span className={classes.quiet}>
              {formatCount(pods.byState.running)} {POD_WORDS.running.word}, {plural(pods.restarts, 'restart')} in all
            </span>
          </Tile>
        )}
        {resources === null ? null : (
          <>
            <ResourceTile title="CPU" unit="cores" use={resources.cpu} say={cores} />
            <ResourceTile title="Memory" unit="" use={resources.memory} say={sizeInWords} />
            <ResourceTile title="Places for pods" unit="" use={resources.pods} say={counted} />
          </>
        )}
      </div>
      {health.metrics.available ? null : <p className={classes.quiet}>{health.metrics.detail}</p>}
      {pods === null ? null : (
        <div className={classes.columns}>
          <Section title="What pods wait for">
            <Waiting health={health} search={search} />
          </Section>
          <Section title="Pods by state">
            <ul className={classes.states}>
              {POD_STATES.filter((state) => pods.byState[state] > 0).map((state) => (
                <li key={state}>
                  <Link to="/operations/kubernetes/pods" search={{ ...search, status: state }}>
                    <StateBadge {...POD_WORDS[state]} />
                  </Link>
                  <span className="hg-num">{formatCount(pods.byState[state])}</span>
                </li>
              ))}
            </ul>
          </Section>
        </div>
      )}
    </>
  );
}

interface TileProps {
  title: string;
  to?: string;
  search?: Readonly<Record<string, string>>;
  children: ReactNode;
}

function Tile({ title, to, search, children }: TileProps) {
  return (
    <section className={classes.tile} aria-label={title}>
      <h2>
        {to === undefined ? (
          title
        ) : (
          <Link to={to} search={search ?? {}} className={classes.tileLink}>
            {title}
          </Link>
        )}
      </h2>
      {children}
    </section>
  );
}

function ResourceTile(o: { title: string; unit: string; use: ResourceUse; say: (value: number) => string }) {
  const { use, say } = o;
  const taken = use.used ?? use.requested;
  return (
    <Tile title={o.title}>
      <Meter
        of={use.allocatable}
        used={use.used}
        promised={use.requested}
        text={`${taken === null ? '–' : say(taken)} of ${say(use.allocatable)}${o.unit === '' ? '' : ` ${o.unit}`} ${use.used === null ? 'requested' : 'in use'}`}
        detail={useWords(o.title, use, say)}
      />
      {use.used === null || use.requested === null ? null : (
        <span className={classes.quiet}>{say(use.requested)} requested</span>
      )}
    </Tile>
  );
}

function Waiting({ health, search }: { health: ClusterHealth; search: Readonly<Record<string, string>> }) {
  if (health.waiting.length === 0)
    return <EmptyState sentence={health.view?.isWhole ? 'No pod waits, and none fails to start.' : 'None so far.'} />;
  return (
    <ul className={classes.reasons}>
      {health.waiting.map(({ reason, count, example }) => (
        <li key={reason}>
          <span className={`${classes.reasonCount} hg-num`}>{formatCount(count)}</span>
          <span className={classes.reasonText}>
            {reason}
            <Link
              className="hg-link"
              to="/operations/kubernetes/pods/$namespace/$name"
              params={example}
              search={search}
            >
              {count === 1 ? '' : 'such as '}
              {example.namespace}/{example.name}
            </Link>
          </span>
        </li>
      ))}
    </ul>
  );
}

function TilesSkeleton() {
  return (
    <div className={classes.tiles} aria-hidden>
      {['nodes', 'pods', 'cpu', 'memory', 'places'].map((name) => (
        <div key={name} className={classes.tile}>
          <Bone width={64} />
          <Bone width={120} height={14} />
          <Bone width={90} />
        </div>
      ))}
    </div>
  );
}
