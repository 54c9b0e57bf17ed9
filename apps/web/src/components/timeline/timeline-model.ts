import { spanMs, timesUsual } from '@hangar/contract/words/time';
import type { Tone } from '../state/tones.ts';

/** One phase as it is known; phases that have not begun have no start. */
export interface TimelinePhase {
  readonly key: string;
  readonly word: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** What it waited for or did, in plain words. */
  readonly reason: string | null;
  /** `idle`: not begun. A phase that stopped before its end is `bad` or `ended`. */
  readonly tone: Tone;
  /** What it usually takes: the median of earlier ones. */
  readonly typicalMs?: number;
}

export interface TimelineSegment extends TimelinePhase {
  /** null: not begun. */
  readonly ms: number | null;
  /** Its part of the bar, 0 to 1; all that have begun add up to 1. */
  readonly share: number;
  readonly isRunning: boolean;
  /** How many times the usual it has taken; null when that is nothing to speak of. */
  readonly timesUsual: number | null;
}

/** Nothing that took place is drawn thinner than this part of the bar. */
const LEAST = 0.02;

/** Durations and parts of the bar, at a time (milliseconds since 1970). */
export function segmentsOf(phases: readonly TimelinePhase[], now: number): TimelineSegment[] {
  const durations = phases.map(({ startedAt, endedAt }) =>
    startedAt === null ? null : spanMs(startedAt, endedAt, now),
  );
  const begun = durations.filter((ms) => ms !== null);
  const total = begun.reduce((sum, ms) => sum + ms, 0);
  const weights = durations.map((ms) => (ms === null ? 0 : Math.max(total === 0 ? 1 : ms / total, LEAST)));
  const weight = weights.reduce((sum, part) => sum + part, 0);
  return phases.map((phase, index) => ({
    ...phase,
    ms: durations[index] ?? null,
    share: weight === 0 ? 0 : (weights[index] ?? 0) / weight,
    isRunning: phase.startedAt !== null && phase.endedAt === null,
    timesUsual: timesUsual(durations[index] ?? null, phase.typicalMs),
  }));
}
