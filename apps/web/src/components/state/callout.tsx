import type { CSSProperties, ReactNode } from 'react';
import classes from './callout.module.css';
import { StateIcon } from './state-badge.tsx';
import { type Tone, toneColor } from './tones.ts';

/** A sentence that must be seen, with its icon. */
export function Callout({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <div className={classes.callout} style={{ '--tone': toneColor(tone) } as CSSProperties}>
      <StateIcon tone={tone} />
      <div className={classes.text}>{children}</div>
    </div>
  );
}
