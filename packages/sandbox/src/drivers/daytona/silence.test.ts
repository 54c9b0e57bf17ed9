import { afterEach, expect, test, vi } from 'vitest';
import { beating } from './channel.ts';
import { HEARTBEAT_MS } from './driver.ts';
import { PROOF_MS } from './machine.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('what falls silent is noticed within 30 s, with the look at whether its sandbox is gone', async () => {
  vi.useFakeTimers();
  const { promise: never } = Promise.withResolvers<never>();
  const lost = vi.fn();
  const stop = beating({ everyMs: HEARTBEAT_MS, look: () => never, lost });
  await vi.advanceTimersByTimeAsync(30_000 - PROOF_MS);
  expect(lost).toHaveBeenCalledWith('The sandbox does not answer.');
  stop();
});
