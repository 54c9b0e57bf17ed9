import { afterEach, expect, it, vi } from 'vitest';
import { BackOff, type BackOffOptions } from './back-off.ts';

const { signal } = new AbortController();
const broken = new Error('broken');
const made = (o: Partial<BackOffOptions> = {}) => new BackOff({ signal, isPassing: () => true, ...o });

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('throws at once what no other try would mend', async () => {
  const onLost = vi.fn();
  await expect(made({ isPassing: () => false, onLost }).again(broken)).rejects.toBe(broken);
  expect(onLost).not.toHaveBeenCalled();
});

it('tries for ever where it has no end to its patience, with pauses that grow up to the last', async () => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const backOff = made({ pauses: [10, 100] });
  const waited: number[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const from = Date.now();
    const again = backOff.again(broken).then(() => waited.push(Date.now() - from));
    await vi.advanceTimersByTimeAsync(24 * 3600_000);
    await again;
  }
  expect(waited).toEqual([10, 100, 100, 100]);
});

it('tries at once when it is told to, and once only', async () => {
  const backOff = made({ pauses: [60_000] });
  backOff.retry();
  const again = backOff.again(broken);
  setTimeout(() => backOff.retry(), 5);
  await again;
  let isOver = false;
  void backOff.again(broken).then(() => (isOver = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isOver).toBe(false);
  backOff.retry();
});

it('repeats work until it is done, and says what came', async () => {
  const onProgress = vi.fn();
  const onLost = vi.fn();
  let tries = 0;
  const work = async () => {
    tries += 1;
    if (tries < 3) throw broken;
    return 'done';
  };
  expect(await made({ pauses: [1], onProgress, onLost }).through(work)).toBe('done');
  expect(onLost.mock.calls).toEqual([
    [broken, 0],
    [broken, 1],
  ]);
  expect(onProgress).toHaveBeenCalledTimes(1);
});
