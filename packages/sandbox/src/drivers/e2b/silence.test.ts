import { afterEach, expect, test, vi } from 'vitest';
import { createWatch } from './watch.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** Nothing comes back any more: each call of the SDK ends with its own deadline. */
const silent = (requestTimeoutMs: number) =>
  new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error('late')), requestTimeoutMs);
  });

test('a link and an API that fall silent at once are noticed within 30 s', async () => {
  vi.useFakeTimers();
  let noticed = false;
  const watch = createWatch({
    isNeeded: () => !noticed,
    isThere: ({ requestTimeoutMs }) => silent(requestTimeoutMs),
    async lost(_error, requestTimeoutMs) {
      await silent(requestTimeoutMs).catch(() => undefined);
      noticed = true;
    },
  });
  watch();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(noticed).toBe(true);
  // Nobody needs it any more.
  await vi.advanceTimersByTimeAsync(60_000);
  expect(vi.getTimerCount()).toBe(0);
});

test('one answer that does not come is no loss', async () => {
  vi.useFakeTimers();
  let asked = 0;
  const lost = vi.fn(async () => undefined);
  const watch = createWatch({
    isNeeded: () => true,
    isThere: ({ requestTimeoutMs }) => (asked++ % 2 === 0 ? silent(requestTimeoutMs) : Promise.resolve(true)),
    lost,
  });
  watch();
  await vi.advanceTimersByTimeAsync(300_000);
  expect(asked).toBeGreaterThan(10);
  expect(lost).not.toHaveBeenCalled();
});
