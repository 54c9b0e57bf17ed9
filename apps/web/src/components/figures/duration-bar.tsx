import { formatDuration } from '@hangar/contract/words/time';
import type { CSSProperties } from 'react';
import { type Tone, toneColor } from '../state/tones.ts';
import classes from './duration-bar.module.css';

export interface DurationBarProps {
  ms: number;
  /** The longest of those compared: the full bar. */
  maxMs: number;
  tone?: Tone;
}

/** A duration as a number with a bar beside it, for where several are compared. The bar begins at zero. */
export function DurationBar({ ms, maxMs, tone = 'ended' }: DurationBarProps) {
  const share = maxMs <= 0 ? 0 : Math.min(1, ms / maxMs);
  return (
    <span className={classes.row} style={{ '--tone': toneColor(tone) } as CSSProperties}>
      <span className={`${classes.text} hg-num`}>{formatDuration(ms)}</span>
      <span className={classes.track} aria-hidden>
        <span className={classes.fill} style={{ display: 'block', width: `${Math.max(2, share * 100)}%` }} />
      </span>
    </span>
  );
}
