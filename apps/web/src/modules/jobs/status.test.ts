import { JOB_STATES } from '@hangar/contract';
import { describe, expect, it } from 'vitest';
import { elapsedMs, etaWords, failureOf, jobStatus, nextAction, partialDiffWords, stateStatus } from './status.ts';

const NOW = new Date('2026-05-04T14:00:00.000Z').getTime();
const inSeconds = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const diff = { filesChanged: 2, insertions: 5, deletions: 1, sizeBytes: 400, partial: false };

describe('status of a job', () => {
  it('has a word and a tone for each state', () => {
    for (const state of JOB_STATES) expect(stateStatus(state).word).toMatch(/^[A-Z][a-z ]+$/);
    expect(jobStatus({ state: 'queued', cancelRequestedAt: null })).toEqual({ tone: 'waiting', word: 'Waiting' });
  });

  it('says that it is being cancelled only until it is', () => {
    expect(jobStatus({ state: 'running', cancelRequestedAt: inSeconds(-1) }).word).toBe('Cancelling');
    expect(jobStatus({ state: 'succeeded', cancelRequestedAt: inSeconds(-1) }).word).toBe('Succeeded');
  });

  it('knows the next step', () => {
    const next = (state: (typeof JOB_STATES)[number], withDiff = false) =>
      nextAction({ state, cancelRequestedAt: null, diff: withDiff ? diff : null });
    expect(next('running')).toBe('cancel');
    expect(next('succeeded', true)).toBe('pull');
    expect(next('succeeded')).toBe('look');
    for (const state of ['failed', 'cancelled', 'timed_out', 'lost'] as const) expect(next(state, true)).toBe('retry');
  });

  it('tells an estimate as a range', () => {
    const words = (from: number, to: number) =>
      etaWords({ earliestAt: inSeconds(from), latestAt: inSeconds(to), basis: 12 }, NOW);
    expect(words(180, 300)).toBe('3 to 5 min left, from 12 earlier jobs');
    expect(words(40, 300)).toBe('40 s to 5 min left, from 12 earlier jobs');
    expect(words(181, 182)).toBe('About 3 min left, from 12 earlier jobs');
    expect(words(-5, 60)).toBe('Ends within 60 s, from 12 earlier jobs');
    expect(words(0, 1)).toBe('Longer than usual, from 12 earlier jobs');
    expect(words(-60, -5)).toBe('Longer than usual, from 12 earlier jobs');
    expect(etaWords(null, NOW)).toBeNull();
  });

  it('warns of a partial diff', () => {
    expect(partialDiffWords({ state: 'succeeded', diff })).toBeNull();
    expect(partialDiffWords({ state: 'lost', diff: { ...diff, partial: true } })).toContain('its worker was lost');
    expect(partialDiffWords({ state: 'running', diff: { ...diff, partial: true } })).toContain('So far');
  });

  it('always has a failure to show for a bad end', () => {
    const ended = { id: 'j_abc123', failure: null, reason: 'No word for 90 s' };
    expect(failureOf({ ...ended, state: 'lost' })?.message).toBe('No word for 90 s');
    expect(failureOf({ ...ended, state: 'cancelled' })).toBeNull();
    const failure = { code: 'agent_failed', message: 'It failed.', wayOut: 'Read: hangar logs ID --tail 50' };
    expect(failureOf({ ...ended, state: 'failed', failure })?.wayOut).toBe('Read: hangar logs j_abc123 --tail 50');
  });

  it('counts from submit to now or the end', () => {
    expect(elapsedMs({ createdAt: inSeconds(-10), finishedAt: null }, NOW)).toBe(10_000);
    expect(elapsedMs({ createdAt: inSeconds(-10), finishedAt: inSeconds(-4) }, NOW)).toBe(6000);
  });
});
