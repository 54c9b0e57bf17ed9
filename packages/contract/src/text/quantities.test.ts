import { expect, it } from 'vitest';
import { sizeInWords } from '../words/size.ts';
import { parseBytes } from './quantities.ts';

it.each([
  ['0', '0 B'],
  ['1000', '1000 B'],
  ['128m', '128 MiB'],
  ['1023.99m', '1 GiB'],
  ['1g', '1 GiB'],
  ['1.5g', '1.5 GiB'],
  ['2.04g', '2 GiB'],
  ['100.4g', '100 GiB'],
  ['3000t', '3000 TiB'],
])('a size of %s is said as %s', (given, words) => {
  expect(sizeInWords(parseBytes(given) ?? Number.NaN)).toBe(words);
});

it('a limit that a person set is said as they set it, and can be set again from what was said', () => {
  for (const given of ['512 KiB', '96 MiB', '2 GiB', '1.5 GiB', '4 TiB'])
    expect(sizeInWords(parseBytes(given) ?? Number.NaN)).toBe(given);
});
