import { Tooltip } from '@mantine/core';
import type { CSSProperties } from 'react';
import { absoluteTime, formatDuration } from '../format.ts';
import { StateIcon } from '../state-badge.tsx';
import { useNow } from '../time.tsx';
import { type Tone, toneColor } from '../tones.ts';
import classes from './timeline.module.css';
import { segmentsOf, type TimelinePhase, type TimelineSegment } from './timeline-model.ts';

export interface TimelineProps {
  phases: readonly TimelinePhase[];
  /** For screen readers: "Phases of the job". */
  label: string;
}

/** Phases as one bar in proportion to time, and each with its word, duration and reason. The running one is live. */
export function Timeline({ phases, label }: TimelineProps) {
  const now = useNow();
  const segments = segmentsOf(phases, now);
  return (
    <div className={classes.timeline}>
      <div className={classes.bar} aria-hidden>
        {segments.map((segment) =>
          segment.ms === null ? null : (
            <Tooltip key={segment.key} label={`${segment.word} ${formatDuration(segment.ms)}`}>
              <span
                className={classes.segment}
                data-running={segment.isRunning || undefined}
                style={{ '--tone': colorOf(segment.tone), flexGrow: segment.share } as CSSProperties}
              />
            </Tooltip>
          ),
        )}
      </div>
      <ol className={classes.phases} aria-label={label}>
        {segments.map((segment) => (
          <PhaseItem key={segment.key} segment={segment} />
        ))}
      </ol>
    </div>
  );
}

const SPOKEN: Record<Tone | 'idle', string> = {
  waiting: 'waiting',
  working: 'going on',
  good: 'done',
  needs: 'needs you',
  bad: 'failed',
  ended: 'stopped',
  idle: 'not begun',
};

function PhaseItem({ segment }: { segment: TimelineSegment }) {
  return (
    <li
      className={classes.phase}
      data-idle={segment.ms === null || undefined}
      aria-current={segment.isRunning ? 'step' : undefined}
    >
      <StateIcon tone={segment.tone} size={15} />
      <span className={classes.word}>
        {segment.word}
        <span className="hg-sr">, {SPOKEN[segment.tone]}</span>
      </span>
      {segment.ms === null ? null : (
        <Tooltip label={times(segment)}>
          <span className={`${classes.duration} hg-num`}>{formatDuration(segment.ms)}</span>
        </Tooltip>
      )}
      {segment.reason === null ? null : <span className={classes.reason}>{segment.reason}</span>}
      {segment.typicalMs === undefined ? null : (
        <span className={classes.reason} data-slow={segment.timesUsual !== null || undefined}>
          {segment.timesUsual === null
            ? `usually ${formatDuration(segment.typicalMs)}`
            : `${segment.timesUsual < 10 ? segment.timesUsual.toFixed(1) : 'more than 10'} times the usual ${formatDuration(segment.typicalMs)}`}
        </span>
      )}
    </li>
  );
}

const colorOf = (tone: Tone | 'idle'): string => (tone === 'idle' ? 'var(--hg-faint)' : toneColor(tone));

function times({ startedAt, endedAt }: TimelinePhase): string {
  const from = startedAt === null ? '' : absoluteTime(startedAt);
  return endedAt === null ? `since ${from}` : `${from} to ${absoluteTime(endedAt)}`;
}
