import type { HangarError, MachineLoad, MachinePlatform } from '@hangar/contract';
import { sizeInWords } from '@hangar/contract/words/size';
import { formatSeconds } from '@hangar/contract/words/time';
import type { Loadable } from '../../api/loadable.ts';
import { Facts } from '../../components/figures/facts.tsx';
import { Section } from '../../components/page.tsx';
import { Callout } from '../../components/state/callout.tsx';
import { EmptyState, ErrorState, LinesSkeleton, Loaded } from '../../components/state/states.tsx';
import { toneColor } from '../../components/state/tones.ts';
import classes from './files.module.css';

/** So far back graphs go. */
export const SHOWN_SECONDS = 180;

export interface LoadReading {
  readonly status: 'loading' | 'live' | 'reconnecting' | 'ended' | 'failed';
  /** Oldest first. */
  readonly samples: readonly MachineLoad[];
  /** Why the machine does not answer now; null: it does. */
  readonly away: string | null;
  readonly error: HangarError | null;
}

export interface MachinePanelProps {
  unable: string | null;
  platform: Loadable<MachinePlatform>;
  load: LoadReading;
}

const UNKNOWN = 'not known';
const size = (bytes: number | null) => (bytes === null ? UNKNOWN : sizeInWords(bytes));
const cores = (value: number | null) => (value === null ? UNKNOWN : `${Math.round(value * 100) / 100} cores`);

/** What the machine of a sandbox is, has and uses. */
export function MachinePanel({ unable, platform, load }: MachinePanelProps) {
  if (unable !== null) return <EmptyState sentence={unable} />;
  return (
    <>
      <Section title="In use">
        <Load {...load} />
      </Section>
      <Section title="What it is">
        <Loaded of={platform} skeleton={<LinesSkeleton lines={6} />}>
          {(shown) => <Platform {...shown} />}
        </Loaded>
      </Section>
    </>
  );
}

function Load({ status, samples, away, error }: LoadReading) {
  if (status === 'failed' && error !== null) return <ErrorState error={error} />;
  const last = samples.at(-1);
  return (
    <>
      {away === null ? null : <Callout tone="needs">{away}</Callout>}
      {status === 'reconnecting' ? <Callout tone="working">The connection to the server is made again.</Callout> : null}
      {last === undefined ? (
        away === null && status !== 'ended' ? (
          <LinesSkeleton lines={3} />
        ) : null
      ) : (
        <div className={classes.graphs}>
          <Graph name="CPU" samples={samples} used={({ cpus }) => cpus} most={last.cpusMost} words={cores} />
          <Graph
            {...{ name: 'Memory', samples, most: last.memoryMost, words: size }}
            used={({ memoryBytes }) => memoryBytes}
          />
          <Graph {...{ name: 'Disk', samples, most: last.diskMost, words: size }} used={({ diskBytes }) => diskBytes} />
        </div>
      )}
    </>
  );
}

interface GraphProps {
  name: string;
  samples: readonly MachineLoad[];
  used: (sample: MachineLoad) => number | null;
  /** The top of the axis; null: the most that was seen. */
  most: number | null;
  words: (value: number | null) => string;
}

const WIDTH = 240;
const HEIGHT = 72;

/** One number over the last minutes. The axis begins at zero; where nothing is known, nothing is drawn. */
function Graph({ name, samples, used, most, words }: GraphProps) {
  const values = samples.map(used);
  const known = values.filter((value) => value !== null);
  const top = most ?? Math.max(...known, 0);
  const now = values.at(-1) ?? null;
  const end = Date.parse(samples.at(-1)?.at ?? '');
  let d = '';
  let isDrawn = false;
  for (const [index, value] of values.entries()) {
    const ago = (end - Date.parse(samples[index]?.at ?? '')) / 1000;
    if (value === null || top <= 0 || ago > SHOWN_SECONDS) {
      isDrawn = false;
      continue;
    }
    const x = WIDTH - (ago / SHOWN_SECONDS) * WIDTH;
    const y = HEIGHT - Math.min(1, value / top) * (HEIGHT - 2);
    d += `${isDrawn ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    isDrawn = true;
  }
  const text = now === null || most === null ? words(now) : `${words(now)} of ${words(most)}`;
  return (
    <figure className={classes.graph}>
      <figcaption className={classes.graphHead}>
        <span>{name}</span>
        <span className="hg-num">{text}</span>
      </figcaption>
      <svg
        className={classes.plot}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${name}: ${text}`}
      >
        <path d={d} fill="none" stroke={toneColor('working')} strokeWidth={1.5} vectorEffect="non-scaling-stroke" />
      </svg>
      <div className={classes.axis} aria-hidden>
        <span>{SHOWN_SECONDS / 60} min ago, from 0</span>
        <span>{known.length === 0 ? '' : `to ${words(top)}`}</span>
      </div>
    </figure>
  );
}

function Platform(shown: MachinePlatform) {
  const tools = Object.entries(shown.tools);
  const missing = tools.flatMap(([name, version]) => (version === null ? [name] : []));
  const skew =
    Math.abs(shown.clockSkewMs) < 2_000 ? 'as here' : `${formatSeconds(Math.abs(shown.clockSkewMs) / 1000)} `;
  return (
    <Facts
      items={[
        ['System', shown.distribution ?? shown.os],
        ['Kernel', `${shown.os} ${shown.kernel}, ${shown.arch}`],
        ['Account', `${shown.user} (${shown.uid})`],
        ['Home', <code key="home">{shown.home}</code>],
        ['CPU', shown.cpus === null ? UNKNOWN : cores(shown.cpus)],
        ['Memory', size(shown.memoryBytes)],
        [
          'Disk',
          shown.diskFreeBytes === null
            ? size(shown.diskBytes)
            : `${size(shown.diskBytes)}, ${size(shown.diskFreeBytes)} free`,
        ],
        ['Tools', tools.flatMap(([name, version]) => (version === null ? [] : [version || name])).join(', ') || 'none'],
        ['Missing', missing.join(', ') || 'none'],
        ['Clock', skew === 'as here' ? skew : `${skew}${shown.clockSkewMs > 0 ? 'ahead' : 'behind'}`],
      ]}
    />
  );
}
