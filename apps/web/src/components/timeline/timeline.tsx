import { formatDuration, usualWords } from '@hangar/contract/words/time';
import { sentence, TONES } from '@hangar/contract/words/tone';
import { Tooltip } from '@mantine/core';
import type { CSSProperties } from 'react';
import { absoluteTime, useNow } from '../figures/time.tsx';
import { StateIcon } from '../state/state-badge.tsx';
import { toneColor } from '../state/tones.ts';
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
            <Tooltip key={segment.key} label={`${sentence(segment.word)} ${formatDuration(segment.ms)}`}>
              <span
                className={classes.segment}
                data-running={segment.isRunning || undefined}
                style={{ '--tone': toneColor(segment.tone), flexGrow: segment.share } as CSSProperties}
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

function PhaseItem({ segment }: { segment: TimelineSegment }) {
  return (
    <li
      className={classes.phase}
      data-idle={segment.ms === null || undefined}
      aria-current={segment.isRunning ? 'step' : undefined}
    >
      <StateIcon tone={segment.tone} size={15} />
      <span className={classes.word}>
        {sentence(segment.word)}
        <span className="hg-sr">, {TONES[segment.tone].spoken}</span>
      </span>
      {segment.ms === null ? null : (
        <Tooltip label={times(segment)}>
          <span className={`${classes.duration} hg-num`}>{formatDuration(segment.ms)}</span>
        </Tooltip>
      )}
      {segment.reason === null ? null : <span className={classes.reason}>{segment.reason}</span>}
      {segment.typicalMs === undefined ? null : (
        <span className={classes.reason} data-slow={segment.timesUsual !== null || undefined}>
          {usualWords(segment.timesUsual, segment.typicalMs)}
        </span>
      )}
    </li>
  );
}

function times({ startedAt, endedAt }: TimelinePhase): string {
  const from = startedAt === null ? '' : absoluteTime(startedAt);
  return endedAt === null ? `since ${from}` : `${from} to ${absoluteTime(endedAt)}`;
}
