import {
  IconCircleCheck,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleX,
  IconClock,
  IconHandStop,
  IconLoader2,
} from '@tabler/icons-react';
import type { CSSProperties } from 'react';
import classes from './state-badge.module.css';
import { Time } from './time.tsx';
import { type Tone, toneColor } from './tones.ts';

const ICONS = {
  waiting: IconClock,
  working: IconLoader2,
  good: IconCircleCheck,
  needs: IconHandStop,
  bad: IconCircleX,
  ended: IconCircleMinus,
  /** Not begun: only for steps. */
  idle: IconCircleDashed,
} as const;

export function StateIcon({ tone, size = 16 }: { tone: Tone | 'idle'; size?: number }) {
  const Icon = ICONS[tone];
  return (
    <Icon
      size={size}
      stroke={1.9}
      aria-hidden
      color={tone === 'idle' ? 'var(--hg-faint)' : toneColor(tone)}
      className={tone === 'working' ? `${classes.icon} ${classes.turning}` : classes.icon}
    />
  );
}

export interface StateBadgeProps {
  tone: Tone;
  /** The word for people: Running, Waiting, Failed. */
  word: string;
  /** Since when, RFC 3339. */
  since?: string | undefined;
}

/** Icon, word and since when: a state is never colour alone. */
export function StateBadge({ tone, word, since }: StateBadgeProps) {
  return (
    <span className={classes.badge} style={{ '--tone': toneColor(tone) } as CSSProperties}>
      <StateIcon tone={tone} />
      {word}
      {since === undefined ? null : (
        <span className={classes.since}>
          <Time at={since} />
        </span>
      )}
    </span>
  );
}
