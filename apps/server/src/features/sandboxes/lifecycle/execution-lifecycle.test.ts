import { expect, test } from 'vitest';
import type { Ending } from '../store/sandboxes-tables.ts';
import { decideExecution } from './execution-lifecycle.ts';

const fresh: Parameters<typeof decideExecution>[0] = {
  ...{ state: 'queued', reason: '', failure: null, ending: null, startedAt: null, cancelRequestedAt: null },
  ...{ awayWhy: null, toldAt: null, cleanedAt: null },
};
const now = new Date();
const ending = (more: Partial<Ending>): Ending => ({
  ...{ reason: 'exited', exitCode: 0, signal: null, stdout: 0, stderr: 0, leftover: 0, message: null },
  ...more,
});

test.each([
  ['waits', fresh, 'queued', 'follow'],
  ['runs', { ...fresh, startedAt: now }, 'running', 'follow'],
  ['goes on while it is to end', { ...fresh, startedAt: now, cancelRequestedAt: now }, 'running', 'follow'],
  ['is told of', { ...fresh, startedAt: now, ending: ending({}) }, 'succeeded', 'tell'],
  ['is tidied up', { ...fresh, ending: ending({}), toldAt: now }, 'succeeded', 'clean'],
  ['is left alone', { ...fresh, ending: ending({}), toldAt: now, cleanedAt: now }, 'succeeded', 'none'],
  ['fails by its code', { ...fresh, ending: ending({ exitCode: 7 }) }, 'failed', 'tell'],
  [
    'fails by a signal',
    { ...fresh, ending: ending({ reason: 'signaled', signal: 'SIGSEGV', exitCode: 139 }) },
    'failed',
    'tell',
  ],
  ['is cancelled', { ...fresh, ending: ending({ reason: 'cancelled' }) }, 'cancelled', 'tell'],
  ['times out', { ...fresh, ending: ending({ reason: 'timeout' }) }, 'timed_out', 'tell'],
  ['never began', { ...fresh, ending: ending({ reason: 'not_started', exitCode: 127 }) }, 'failed', 'tell'],
  ['is lost', { ...fresh, ending: ending({ reason: 'lost' }) }, 'lost', 'tell'],
] as const)('%s', (_name, row, state, action) => {
  expect(decideExecution(row)).toMatchObject({ state, action: { kind: action }, reason: expect.stringMatching(/./) });
});

test('a sandbox that is gone is no command whose end nobody knows', () => {
  const codeOf = (more: Partial<Ending>) =>
    decideExecution({ ...fresh, ending: ending({ reason: 'lost', ...more }) }).failure?.code;
  expect(codeOf({})).toBe('sandbox_gone');
  expect(codeOf({ code: 'execution_lost' })).toBe('execution_lost');
});

test('once it has ended it says the same', () => {
  const first = decideExecution({ ...fresh, ending: ending({ reason: 'cancelled', leftover: 2 }) });
  expect(first.reason).toBe('Cancelled. 2 of its processes could not be ended.');
  const { state, reason, failure } = first;
  expect(decideExecution({ ...fresh, ...{ state, reason, failure }, ending: ending({}), toldAt: now })).toMatchObject({
    state,
    reason,
  });
});
