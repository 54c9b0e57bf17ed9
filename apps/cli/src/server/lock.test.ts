import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from './lock.ts';

const { signal } = new AbortController();
let dir: string;
let path: string;
let inside = 0;
let most = 0;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hangar-lock-test-'));
  path = join(dir, 'x.lock');
  inside = 0;
  most = 0;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const work = (ms: number) => async () => {
  most = Math.max(most, ++inside);
  await sleep(ms);
  inside--;
};
/** As a process leaves it that was killed some time ago. */
const leaveStale = () => {
  writeFileSync(path, '123\n');
  const longAgo = new Date(Date.now() - 3600_000);
  utimesSync(path, longAgo, longAgo);
};

describe('the lock', () => {
  it('is held by one at a time, and gone afterwards', async () => {
    await Promise.all(Array.from({ length: 8 }, () => withLock(path, signal, work(10))));
    expect(most).toBe(1);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('that a killed process left behind is taken over by one, however many wait', async () => {
    for (let round = 0; round < 20; round++) {
      leaveStale();
      // A little apart: who looked before the first one took over removes after it.
      await Promise.all(Array.from({ length: 8 }, (_, n) => sleep(n % 3).then(() => withLock(path, signal, work(5)))));
      expect(most).toBe(1);
    }
    expect(readdirSync(dir)).toEqual([]);
  }, 60_000);

  it('is kept as long as the work takes', async () => {
    const times = { staleMs: 600, waitMs: 20_000 };
    await Promise.all([1, 2].map(() => withLock(path, signal, work(2000), times)));
    expect(most).toBe(1);
  }, 30_000);

  it('of another one is left alone by who has lost it', async () => {
    await withLock(path, signal, async () => {
      rmSync(path);
      writeFileSync(path, 'another\n');
    });
    expect(readFileSync(path, 'utf8')).toBe('another\n');
  });

  it('goes when the work fails', async () => {
    await expect(withLock(path, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(path)).toBe(false);
  });
});
