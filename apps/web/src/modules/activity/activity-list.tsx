import type { Activity } from '@hangar/contract';
import { ACTIVITY_WORDS, durationOf, stepsDone, stepToName } from '@hangar/contract/words/activity';
import { sentence } from '@hangar/contract/words/tone';
import { UnstyledButton } from '@mantine/core';
import { IconChevronRight } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { DurationBar } from '../../components/figures/duration-bar.tsx';
import { Time, useNow } from '../../components/figures/time.tsx';
import { StateIcon } from '../../components/state/state-badge.tsx';
import { EmptyState } from '../../components/state/states.tsx';
import classes from './activity.module.css';
import { StepList } from './step-list.tsx';

export interface ActivityListProps {
  current: readonly Activity[];
  recent: readonly Activity[];
  onFollow?: () => void;
}

/** What is being done now and was done lately, each with its steps. */
export function ActivityList({ current, recent, onFollow }: ActivityListProps) {
  const now = useNow();
  if (current.length === 0 && recent.length === 0)
    return (
      <EmptyState
        sentence="Everything that takes longer than a moment shows here with its steps: jobs, and whatever you announce yourself."
        command='hangar activity start "Deploy staging" --step Build --step Roll-out'
      />
    );
  const longest = Math.max(...[...current, ...recent].map((activity) => durationOf(activity, now) ?? 0));
  const group = (items: readonly Activity[], open: boolean) => (
    <ul className={classes.list}>
      {items.map((activity) => (
        <Item
          key={activity.id}
          activity={activity}
          longest={longest}
          now={now}
          openAtFirst={open}
          onFollow={onFollow}
        />
      ))}
    </ul>
  );
  return (
    <div>
      <h2 className={classes.group}>Now</h2>
      {current.length === 0 ? <p className={classes.none}>Nothing is being done right now.</p> : group(current, true)}
      <h2 className={classes.group}>Recent</h2>
      {recent.length === 0 ? <p className={classes.none}>Nothing has ended yet.</p> : group(recent, false)}
    </div>
  );
}

interface ItemProps {
  activity: Activity;
  longest: number;
  now: number;
  openAtFirst: boolean;
  onFollow: (() => void) | undefined;
}

function Item({ activity, longest, now, openAtFirst, onFollow }: ItemProps) {
  const [chosen, setOpen] = useState<boolean | null>(null);
  const open = chosen ?? (openAtFirst || activity.status === 'failed');
  const { tone, word } = ACTIVITY_WORDS[activity.status];
  const step = stepToName(activity);
  const total = activity.steps.length;
  return (
    <li className={classes.item}>
      <UnstyledButton className={classes.head} aria-expanded={open} onClick={() => setOpen(!open)}>
        <StateIcon tone={tone} />
        <span style={{ minWidth: 0 }}>
          <span className={classes.operation} style={{ display: 'block' }}>
            {activity.operation}
          </span>
          <span className={classes.meta} style={{ display: 'block' }}>
            {sentence(word)}
            {activity.status === 'in_progress' && step ? `: ${step.name}` : ''}
            {total > 0 ? ` · ${stepsDone(activity)} of ${total} steps` : ''} · {activity.actor.name} ·{' '}
            <Time at={activity.completedAt ?? activity.startedAt} />
          </span>
        </span>
        <span className={classes.bar}>
          <DurationBar ms={durationOf(activity, now) ?? 0} maxMs={longest} tone={tone} />
        </span>
        <IconChevronRight size={16} className={classes.chevron} data-open={open} aria-hidden />
      </UnstyledButton>
      {open ? (
        <div className={classes.body}>
          <StepList steps={activity.steps} />
          {activity.error === null || activity.steps.some((step) => step.error !== null) ? null : (
            <p className={classes.failure}>{activity.error}</p>
          )}
          <div className={classes.bodyFoot}>
            {activity.link === null ? null : (
              <Link to={activity.link} className="hg-link" {...(onFollow ? { onClick: onFollow } : {})}>
                Open {activity.correlationId ?? 'it'}
              </Link>
            )}
            <code>{activity.id}</code>
          </div>
        </div>
      ) : null}
    </li>
  );
}
