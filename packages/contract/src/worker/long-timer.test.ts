import { afterEach, expect, test, vi } from 'vitest';
import { afterMs } from './long-timer.ts';

afterEach(() => void vi.useRealTimers());

const DAY = 86_400_000;

test.each([0, 5, 24 * DAY, 30 * DAY, 365 * DAY])('rings after %d ms and not before', (ms) => {
  vi.useFakeTimers();
  const rang = vi.fn();
  afterMs(ms, rang);
  vi.advanceTimersByTime(Math.max(0, ms - 1));
  if (ms > 0) expect(rang).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(rang).toHaveBeenCalledOnce();
});

test('taken back, it never rings, however far it had come', () => {
  vi.useFakeTimers();
  const rang = vi.fn();
  const off = afterMs(60 * DAY, rang);
  vi.advanceTimersByTime(40 * DAY);
  off();
  vi.advanceTimersByTime(400 * DAY);
  expect(rang).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
