import { expect, it } from 'vitest';
import { unitSeen } from './job-moves.ts';

it('a unit that somebody paused on its backend is one that runs, since it was first seen', () => {
  const first = unitSeen({ kind: 'running' }, { unit: null }, new Date('2026-01-01T00:00:00Z'));
  const then = unitSeen({ kind: 'paused' }, { unit: first }, new Date('2026-01-01T00:00:05Z'));
  expect(then).toMatchObject({ kind: 'running', since: first.since });
});
