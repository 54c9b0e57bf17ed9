import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { lookup, together } from './together.ts';

it('answers what came meanwhile in the next round, each with its own result', async () => {
  const rounds: number[][] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const double = together(async (items: readonly number[]) => {
    rounds.push([...items]);
    await gates[rounds.length - 1]?.promise;
    return items.map((item) => item * 2);
  });
  const first = [double(1), double(2)];
  while (rounds.length === 0) await turn();
  const second = [double(3), double(4)];
  await turn();
  expect(rounds).toEqual([[1, 2]]);
  gates[0]?.resolve();
  expect(await Promise.all(first)).toEqual([2, 4]);
  gates[1]?.resolve();
  expect(await Promise.all(second)).toEqual([6, 8]);
  expect(rounds).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

it('splits a round that is too large', async () => {
  const sizes: number[] = [];
  const same = together(
    async (items: readonly number[]) => {
      sizes.push(items.length);
      return items;
    },
    { atMost: 2 },
  );
  expect(await Promise.all([1, 2, 3, 4, 5].map(same))).toEqual([1, 2, 3, 4, 5]);
  expect(sizes).toEqual([2, 2, 1]);
});

it('splits a round that is too heavy, and takes what is too heavy alone', async () => {
  const rounds: number[][] = [];
  const same = together(
    async (items: readonly number[]) => {
      rounds.push([...items]);
      return items;
    },
    { weightOf: (item) => item, heaviest: 10 },
  );
  expect(await Promise.all([4, 5, 6, 20, 1, 2].map(same))).toEqual([4, 5, 6, 20, 1, 2]);
  expect(rounds).toEqual([[4, 5], [6], [20], [1, 2]]);
});

it('an error is for its round only', async () => {
  let rounds = 0;
  const fragile = together(async (items: readonly number[]) => {
    rounds += 1;
    if (rounds === 1) throw new Error('no');
    return items;
  });
  const failed = await Promise.allSettled([fragile(1), fragile(2)]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await fragile(3)).toBe(3);
});

it('looks each key up once', async () => {
  const asked: (readonly string[])[] = [];
  const find = lookup(async (keys) => {
    asked.push(keys);
    return new Map([['a', 1]]);
  });
  expect(await Promise.all([find('a'), find('a'), find('b')])).toEqual([1, 1, undefined]);
  expect(asked).toEqual([['a', 'b']]);
});
