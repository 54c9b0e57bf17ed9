import type { HangarError, MachineLoad } from '@hangar/contract';
import { sizeInWords } from '@hangar/contract/words/size';
import { Callout } from '../../components/state/callout.tsx';
import { ErrorState, LinesSkeleton } from '../../components/state/states.tsx';
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

export const UNKNOWN = 'not known';
export const size = (bytes: number | null) => (bytes === null ? UNKNOWN : sizeInWords(bytes));
export const cores = (value: number | null) => (value === null ? UNKNOWN : `${Math.round(value * 100) / 100} cores`);

/** What a machine uses now and in the last minutes. `small`: beside something else. */
export function LoadGraphs({ load, small = false }: { load: LoadReading; small?: boolean }) {
  const { status, samples, away, error } = load;
  if (status === 'failed' && error !== null) return <ErrorState error={error} />;
  const last = samples.at(-1);
  return (
    <>
      <div className={classes.notices}>
        {away === null ? null : <Callout tone="needs">{away}</Callout>}
        {status === 'reconnecting' ? (
          <Callout tone="working">The connection to the server is made again.</Callout>
        ) : null}
      </div>
      {last === undefined ? (
        away === null && status !== 'ended' ? (
          <LinesSkeleton lines={small ? 2 : 3} />
        ) : null
      ) : (
        <div className={small ? classes.graphsSmall : classes.graphs}>
          <Graph
            {...{ small }}
            name="CPU"
            samples={samples}
            used={({ cpus }) => cpus}
            most={last.cpusMost}
            words={cores}
          />
          <Graph
            {...{ small, name: 'Memory', samples, most: last.memoryMost, words: size }}
            used={({ memoryBytes }) => memoryBytes}
          />
          <Graph
            {...{ small, name: 'Disk', samples, most: last.diskMost, words: size }}
            used={({ diskBytes }) => diskBytes}
          />
        </div>
      )}
    </>
  );
}

interface GraphProps {
  small: boolean;
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
function Graph({ small, name, samples, used, most, words }: GraphProps) {
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
      {small ? null : (
        <div className={classes.axis} aria-hidden>
          <span>{SHOWN_SECONDS / 60} min ago, from 0</span>
          <span>{known.length === 0 ? '' : `to ${words(top)}`}</span>
        </div>
      )}
    </figure>
  );
}
