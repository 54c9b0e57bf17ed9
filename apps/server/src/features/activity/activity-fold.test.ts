import type { ActivityMessage } from '@hangar/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldActivity, type StoredMessage } from './activity-fold.ts';

const T = Date.parse('2026-01-01T00:00:00Z');
const stored = (messages: [number, ActivityMessage][]): StoredMessage[] =>
  messages.map(([seconds, message], n) => ({
    n,
    activityId: 'a_123456',
    at: new Date(T + seconds * 1000),
    message,
    actorId: 'u',
    actorName: 'Ada',
    correlationId: null,
  }));
const started: ActivityMessage = { type: 'DEVOPS_STARTED', operation: 'Deploy', steps: ['Build', 'Ship'] };
const step = (name: string, status: 'running' | 'completed' | 'failed'): ActivityMessage => ({
  type: 'DEVOPS_STEP_UPDATE',
  step: name,
  status,
});

describe('foldActivity', () => {
  it('follows the steps', () => {
    const activity = foldActivity(
      stored([
        [0, started],
        [1, step('Build', 'running')],
        [5, step('Build', 'completed')],
        [6, step('Ship', 'running')],
      ]),
    );
    expect(activity?.status).toBe('in_progress');
    expect(activity?.steps.map(({ name, status }) => [name, status])).toEqual([
      ['Build', 'completed'],
      ['Ship', 'running'],
    ]);
    expect(activity?.steps[0]).toMatchObject({
      startedAt: '2026-01-01T00:00:01.000Z',
      completedAt: '2026-01-01T00:00:05.000Z',
    });
  });
  it('an end ends what is open, and the first end counts', () => {
    const activity = foldActivity(
      stored([
        [0, started],
        [1, step('Build', 'running')],
        [2, { type: 'DEVOPS_FAILED', error: 'no' }],
        [3, { type: 'DEVOPS_COMPLETE' }],
      ]),
    );
    expect(activity).toMatchObject({ status: 'failed', error: 'no', completedAt: '2026-01-01T00:00:02.000Z' });
    expect(activity?.steps.map(({ status }) => status)).toEqual(['failed', 'pending']);
  });
  it('a missing start and an unknown step lose nothing', () => {
    const activity = foldActivity(stored([[1, step('Surprise', 'completed')]]));
    expect(activity).toMatchObject({ operation: 'Unnamed', steps: [{ name: 'Surprise', status: 'completed' }] });
  });
  it('is the same however late, mixed and often messages come', () => {
    const story: [number, ActivityMessage][] = [
      [0, started],
      [1, step('Build', 'running')],
      [2, step('Build', 'completed')],
      [3, step('Ship', 'running')],
      [4, step('Ship', 'failed')],
      [5, { type: 'DEVOPS_FAILED', error: 'broken' }],
    ];
    const plain = foldActivity(stored(story));
    fc.assert(
      fc.property(fc.shuffledSubarray([...story, ...story], { minLength: story.length * 2 }), (mixed) => {
        expect(foldActivity(stored(mixed))).toEqual(plain);
      }),
    );
  });
  it('nothing folds to nothing', () => expect(foldActivity([])).toBeNull());
});
