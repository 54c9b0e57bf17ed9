import { describe, expect, it } from 'vitest';
import { segmentsOf, type TimelinePhase } from './timeline-model.ts';

const NOW = new Date('2026-05-04T14:00:00.000Z').getTime();
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const phase = (key: string, from: number | null, to: number | null): TimelinePhase => ({
  key,
  word: key,
  startedAt: from === null ? null : at(from),
  endedAt: to === null ? null : at(to),
  reason: null,
  tone: 'good',
});

describe('segmentsOf', () => {
  it('gives each phase its part of the time', () => {
    const segments = segmentsOf([phase('a', -100, -75), phase('b', -75, null), phase('c', null, null)], NOW);
    expect(segments.map((segment) => segment.ms)).toEqual([25_000, 75_000, null]);
    expect(segments.map((segment) => segment.share)).toEqual([0.25, 0.75, 0]);
    expect(segments.map((segment) => segment.isRunning)).toEqual([false, true, false]);
  });

  it('keeps a short phase visible, and the sum at one', () => {
    const segments = segmentsOf([phase('a', -1000, -999.9), phase('b', -999.9, 0)], NOW);
    expect(segments[0]?.share).toBeGreaterThan(0.015);
    expect(segments.reduce((sum, segment) => sum + segment.share, 0)).toBeCloseTo(1);
  });

  it('tells what took more than three times the usual, seconds at least', () => {
    const times = (seconds: number, typicalMs: number) =>
      segmentsOf([{ ...phase('a', -seconds, 0), typicalMs }], NOW)[0]?.timesUsual ?? null;
    expect([times(12, 4000), times(12.1, 4000), times(40, 4000)]).toEqual([null, 12.1 / 4, 10]);
    expect([times(1, 10), times(3, 0)]).toEqual([null, 3000]);
  });

  it('stands a clock that is ahead', () => {
    expect(segmentsOf([phase('a', 30, null)], NOW)[0]).toMatchObject({ ms: 0, share: 1 });
    expect(segmentsOf([phase('a', null, null)], NOW)[0]).toMatchObject({ ms: null, share: 0 });
  });
});
