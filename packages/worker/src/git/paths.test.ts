import { expect, test } from 'vitest';
import { isInWay } from './paths.ts';

test.each([
  [['a'], ['a/b'], true],
  [['a/b'], ['a'], true],
  [['x', 'a/b/c/d'], ['y', 'a/b'], true],
  [['a/b'], ['x', 'a/b/c/d'], true],
  [['a/b'], ['a/c', 'a/bc/d', 'b'], false],
  [['a-b/c', 'a.b'], ['a', 'a/b'], false],
  [['b', 'd/b'], ['a/b/c', 'd/bb'], false],
  [[], ['a'], false],
  [['a'], [], false],
])('%j in the way of %j: %s', (some, others, expected) => {
  expect(isInWay(some, others)).toBe(expected);
});

test('many files in deep folders: each folder is come by once', () => {
  const below = (folder: string, count: number) => Array.from({ length: count }, (_, n) => `${folder}f${n}`);
  const deep = below('d/'.repeat(2000), 50_000);
  const wide = below('a/b/c/d/e/f/g/h/i/j/', 100_000);
  // A text for each folder above each of them would be some 100 million: more than there is memory for.
  expect(isInWay(deep, below('e/'.repeat(2000), 100))).toBe(false);
  expect(isInWay(wide, below('a/b/c/d/e/f/g/h/i/J/', 100_000))).toBe(false);
  expect(isInWay(deep, ['d/d/d'])).toBe(true);
});
