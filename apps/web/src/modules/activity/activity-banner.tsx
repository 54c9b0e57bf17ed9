import type { Activity } from '@hangar/contract';
import { ACTIVITY_WORDS, stepToName } from '@hangar/contract/words/activity';
import { CloseButton, UnstyledButton } from '@mantine/core';
import type { CSSProperties } from 'react';
import { StateIcon } from '../../components/state/state-badge.tsx';
import { toneColor } from '../../components/state/tones.ts';
import classes from './activity.module.css';

export interface ActivityBannerProps {
  activity: Activity;
  /** Others that run at the same time. */
  more: number;
  onOpen: () => void;
  onDismiss: () => void;
}

/** One line on every page: what is being done and which step it is at. */
export function ActivityBanner({ activity, more, onOpen, onDismiss }: ActivityBannerProps) {
  const { tone, word } = ACTIVITY_WORDS[activity.status];
  const step = stepToName(activity);
  const detail = activity.status === 'completed' ? word : (step?.name ?? word);
  return (
    <div className={classes.banner} style={{ '--tone': toneColor(tone) } as CSSProperties} role="status">
      <UnstyledButton className={classes.bannerOpen} onClick={onOpen} title="Show activity">
        <StateIcon tone={tone} size={15} />
        <span className={classes.bannerText}>
          <strong>{activity.operation}</strong>{' '}
          <span className={classes.bannerStep}>
            {activity.status === 'failed' ? `${word}: ${activity.error ?? step?.name ?? ''}` : detail}
            {more > 0 ? ` · ${more} more` : ''}
          </span>
        </span>
      </UnstyledButton>
      <CloseButton size={24} iconSize={14} radius="xl" aria-label="Dismiss" onClick={onDismiss} />
    </div>
  );
}
