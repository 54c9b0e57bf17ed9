import { expect, it } from 'vitest';
import { quantity } from './quantity.ts';

it.each([
  ['100m', 0.1],
  ['1', 1],
  [2, 2],
  ['1.5', 1.5],
  ['2e3', 2000],
  ['128Mi', 134_217_728],
  ['1Gi', 1_073_741_824],
  ['500M', 500_000_000],
  ['12345678n', 0.012345678],
  ['250u', 0.00025],
  ['0', 0],
  ['.5', 0.5],
  ['-1', -1],
  ['', null],
  ['many', null],
  ['1 Gi', null],
  [undefined, null],
] as const)('%s is %s', (text, number) => {
  const read = quantity(text);
  if (number === null) expect(read).toBeNull();
  else expect(read).toBeCloseTo(number, 12);
});
