import { describe, expect, it } from 'vitest';
import * as samples from '../samples.ts';
import { timelineOf } from './timeline-of.ts';

describe('timelineOf', () => {
  it('shows the phases to come, and says why in the one that runs', () => {
    const phases = timelineOf(samples.queued);
    expect(phases.map((phase) => phase.word)).toEqual(['waiting', 'starting', 'cloning', 'running', 'collecting']);
    expect(phases[0]).toMatchObject({ tone: 'waiting', endedAt: null, reason: samples.queued.reason });
    expect(phases[1]).toMatchObject({ tone: 'idle', startedAt: null });
  });

  it('ends where the job ended', () => {
    expect(timelineOf(samples.succeeded).map((phase) => phase.tone)).toEqual(['good', 'good', 'good', 'good', 'good']);
    expect(timelineOf(samples.badCredential).map((phase) => phase.tone)).toEqual(['good', 'good', 'bad']);
    expect(timelineOf(samples.cancelled).at(-1)?.tone).toBe('ended');
  });

  it('blames the agent, not the collecting that came after it', () => {
    const collected = {
      name: 'collecting' as const,
      startedAt: samples.failed.stateSince,
      endedAt: samples.failed.stateSince,
      reason: null,
    };
    const phases = timelineOf({ ...samples.failed, phases: [...samples.failed.phases, collected] });
    expect(phases.map((phase) => phase.tone)).toEqual(['good', 'good', 'good', 'bad', 'good']);
  });

  it('never runs on after the end, even when the last word is missing', () => {
    const open = {
      ...samples.lost,
      phases: [{ name: 'running' as const, startedAt: samples.lost.createdAt, endedAt: null, reason: null }],
    };
    expect(timelineOf(open)[0]?.endedAt).not.toBeNull();
  });
});
