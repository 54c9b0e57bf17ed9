import { Tooltip } from '@mantine/core';
import type { CSSProperties } from 'react';
import { type Tone, toneColor } from '../state/tones.ts';
import classes from './meter.module.css';

export interface MeterProps {
  /** The full bar. */
  of: number;
  /** The strong part of the bar; null where it is not known. */
  used: number | null;
  /** The quiet part behind it, such as what was promised. */
  promised?: number | null;
  /** The words beside the bar. */
  text: string;
  /** All numbers in words, on hover and for screen readers. */
  detail: string;
  /** From this share of the bar on it is worth a look. */
  warnFrom?: number;
}

/** How much of something is taken, as a bar with its number. The bar begins at zero. */
export function Meter({ of, used, promised = null, text, detail, warnFrom = 0.9 }: MeterProps) {
  const share = (value: number | null) => (value === null || of <= 0 ? 0 : Math.min(1, value / of));
  const taken = Math.max(share(used), used === null ? share(promised) : 0);
  const tone: Tone = taken >= warnFrom ? 'needs' : 'working';
  return (
    <Tooltip label={detail} multiline maw={320}>
      <span className={classes.meter} style={{ '--tone': toneColor(tone) } as CSSProperties}>
        <span className={`${classes.text} hg-num`}>{text}</span>
        <span className={classes.track} aria-hidden>
          <span className={classes.promised} style={{ width: `${share(promised) * 100}%` }} />
          <span className={classes.used} style={{ width: `${share(used) * 100}%` }} />
        </span>
        <span className="hg-sr">{detail}</span>
      </span>
    </Tooltip>
  );
}
