import { describe, expect, it } from 'vitest';
import { JOB_STATES, type JobState } from '../state-words.ts';
import { agentMs, elapsedMs, jobSince, jobWords, nextSteps } from './job.ts';
import { failureOf, partialDiffWords } from './job-ending.ts';

const NOW = new Date('2026-05-04T14:00:00.000Z').getTime();
const inSeconds = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const diff = { filesChanged: 2, insertions: 5, deletions: 1, sizeBytes: 400, partial: false };

describe('words of a job', () => {
  it('says that it is being cancelled only until it is, and since it was asked to', () => {
    const asked = { cancelRequestedAt: inSeconds(-1), stateSince: inSeconds(-60) };
    expect(jobWords({ ...asked, state: 'running' }).word).toBe('cancelling');
    expect(jobWords({ ...asked, state: 'succeeded' }).word).toBe('succeeded');
    expect(jobSince({ ...asked, state: 'running' })).toBe(inSeconds(-1));
    expect(jobSince({ ...asked, state: 'cancelled' })).toBe(inSeconds(-60));
    expect(jobSince({ ...asked, state: 'running', cancelRequestedAt: null })).toBe(inSeconds(-60));
  });

  it('knows the next steps', () => {
    const next = (state: JobState, withDiff = false) =>
      nextSteps({ state, cancelRequestedAt: null, diff: withDiff ? diff : null });
    expect(next('running')).toEqual(['follow', 'cancel']);
    expect(nextSteps({ state: 'running', cancelRequestedAt: inSeconds(-1), diff: null })).toEqual(['follow']);
    expect(next('succeeded', true)).toEqual(['pull']);
    expect(next('succeeded')).toEqual(['look']);
    expect(nextSteps({ state: 'succeeded', cancelRequestedAt: null, diff: { ...diff, filesChanged: 0 } })).toEqual([
      'look',
    ]);
    for (const state of ['failed', 'cancelled', 'timed_out', 'lost'] as const)
      expect(next(state, true)).toContain('retry');
    for (const state of JOB_STATES) expect(next(state)).not.toHaveLength(0);
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

  it('counts from submit to now or the end, and of the agent only what it ran', () => {
    expect(elapsedMs({ createdAt: inSeconds(-10), finishedAt: null }, NOW)).toBe(10_000);
    expect(elapsedMs({ createdAt: inSeconds(-10), finishedAt: inSeconds(-4) }, NOW)).toBe(6000);
    const queued = { name: 'queued' as const, startedAt: inSeconds(-9), endedAt: inSeconds(-5), reason: null };
    expect(agentMs({ phases: [queued] }, NOW)).toBeNull();
    expect(
      agentMs({ phases: [queued, { ...queued, name: 'running', startedAt: inSeconds(-5), endedAt: null }] }, NOW),
    ).toBe(5000);
  });
});
