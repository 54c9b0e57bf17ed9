import { expect, it } from 'vitest';
import { unitSeen } from './job-moves.ts';

it('a unit that somebody paused on its backend is paused, since that was first seen', () => {
  const first = unitSeen({ kind: 'running' }, { unit: null }, new Date('2026-01-01T00:00:00Z'));
  const then = unitSeen({ kind: 'paused' }, { unit: first }, new Date('2026-01-01T00:00:05Z'));
  const again = unitSeen({ kind: 'paused' }, { unit: then }, new Date('2026-01-01T00:00:09Z'));
  expect(again).toMatchObject({ kind: 'paused', since: '2026-01-01T00:00:05.000Z' });
});
