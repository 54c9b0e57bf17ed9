import { sentence } from '@hangar/contract/words/tone';
import type { CSSProperties } from 'react';
import { Time } from '../figures/time.tsx';
import classes from './state-badge.module.css';
import { TONE_ICONS, type Tone, toneColor } from './tones.ts';

export function StateIcon({ tone, size = 16 }: { tone: Tone; size?: number }) {
  const Icon = TONE_ICONS[tone];
  return (
    <Icon
      size={size}
      stroke={1.9}
      aria-hidden
      color={toneColor(tone)}
      className={tone === 'working' ? `${classes.icon} ${classes.turning}` : classes.icon}
    />
  );
}

export interface StateBadgeProps {
  tone: Tone;
  /** As the contract says it: running, waiting, failed. */
  word: string;
  /** Since when, RFC 3339. */
  since?: string | undefined;
}

/** Icon, word and since when: a state is never colour alone. */
export function StateBadge({ tone, word, since }: StateBadgeProps) {
  return (
    <span className={classes.badge} style={{ '--tone': toneColor(tone) } as CSSProperties}>
      <StateIcon tone={tone} />
      {sentence(word)}
      {since === undefined ? null : (
        <span className={classes.since}>
          <Time at={since} />
        </span>
      )}
    </span>
  );
}
