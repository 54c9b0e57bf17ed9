import type { Tone } from '@hangar/contract/words/tone';
import {
  IconCircleCheck,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleX,
  IconClock,
  IconHandStop,
  IconLoader2,
} from '@tabler/icons-react';

export type { Tone };

/** The marks of the contract as icons. */
export const TONE_ICONS = {
  waiting: IconClock,
  working: IconLoader2,
  good: IconCircleCheck,
  needs: IconHandStop,
  bad: IconCircleX,
  ended: IconCircleMinus,
  idle: IconCircleDashed,
} as const satisfies Record<Tone, unknown>;

export const toneColor = (tone: Tone): string => (tone === 'idle' ? 'var(--hg-faint)' : `var(--hg-${tone})`);
