import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { type Chore, createChores } from './chores.ts';

const log = pino({ level: 'silent' });
const never = () => new Promise<void>(() => undefined);
const chore = (name: string, run: Chore['run']): Chore => ({ name, everyMs: 5, run });
const soon = (ms = 5_000) => AbortSignal.timeout(ms);

test('each is told to end, and waited for', async () => {
  const told: string[] = [];
  const waits = (name: string) =>
    chore(name, async (signal) => {
      await sleep(60_000, undefined, { signal }).catch(() => told.push(name));
      await sleep(20);
      told.push(`${name} ended`);
    });
  const chores = createChores({ log, chores: [waits('a'), waits('b')], firstMs: 1 });
  chores.start();
  await sleep(20);
  await chores.stop(soon());
  expect(told.toSorted()).toEqual(['a', 'a ended', 'b', 'b ended']);
});

test('one that is stuck holds nobody up for longer than the deadline, and nothing begins any more', async () => {
  let turns = 0;
  const counted = chore('counted', async () => {
    turns += 1;
  });
  const stuck = chore('stuck', never);
  const throws = chore('throws', () => {
    throw new Error('at once');
  });
  const chores = createChores({ log, chores: [stuck, counted, throws], firstMs: 1 });
  chores.start();
  await expect.poll(() => turns).toBeGreaterThan(1);
  await chores.stop(soon(50));
  const after = turns;
  await sleep(30);
  expect(turns).toBe(after);
});

test('one that was stuck has another turn once its time is over', async () => {
  let turns = 0;
  const stuck = chore('stuck', () => {
    turns += 1;
    return never();
  });
  const chores = createChores({ log, chores: [stuck], firstMs: 1, longestMs: 10, graceMs: 10 });
  chores.start();
  await expect.poll(() => turns).toBeGreaterThan(1);
  await chores.stop(soon(10));
});
