import { describe, expect, test } from 'vitest';
import { parseSpec, shellBlocks } from '../index.ts';

describe('the sh blocks of a spec', () => {
  test.each([
    ['```sh\na\n```\n', ['a\n']],
    ['```bash title=x\na\nb\n```', ['a\nb\n']],
    ['~~~shell\na\n~~~~  \n```sh\nb\n```', ['a\n', 'b\n']],
    ['````sh\n```\na\n````', ['```\na\n']],
    ['```sh\n```', ['']],
    ['```js\na\n```\n', []],
    ['```shx\na\n```\n', []],
    ['    ```sh\na\n```\n', []],
    ['```sh\nnever closed', []],
    ['````sh\nnever closed\n```sh\na\n```\n', ['a\n']],
    ['```sh\na\n~~~\n```\n', ['a\n~~~\n']],
  ])('%j', (body, blocks) => {
    expect(shellBlocks(body)).toEqual(blocks);
  });
});

test.each([
  ['# A title ##\nx', 'A title'],
  ['#no heading\nx', '#no heading'],
  ['text\n## Second #\nx', 'Second'],
  ['# #\nx', '#'],
  ['#   \nfirst words', '#'],
  [`# ${'long '.repeat(50)}`, `${'long '.repeat(20).slice(0, 99)}…`],
])('the title of %j', (text, title) => {
  expect(parseSpec(text).title).toBe(title);
});

describe('a spec that is made to keep its reader busy is read or refused like any other', () => {
  // Each took the square of its length or more: minutes to hours at the size a spec may have.
  const size = 1_000_000;
  const fill = (text: string) => text.repeat(Math.floor(size / text.length));
  test.each([
    ['fences that nothing closes', () => shellBlocks(fill('```sh\nx\n')).length, 0],
    [
      'fences of many lengths',
      () => shellBlocks(Array.from({ length: 1300 }, (_, n) => `${'`'.repeat(1303 - n)}sh\n`).join('')).length,
      0,
    ],
    ['a heading of number signs', () => parseSpec(`# ${fill('#')}x`).title.length, 1],
    ['a heading of blanks', () => parseSpec(`# ${fill(' ')}x`).title.length, 100],
  ])('%s', (_name, read, expected) => {
    expect(read()).toBe(expected);
  });
  test.each([
    [
      'aliases that multiply',
      `a: &a [1,1]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: [${'*c,'.repeat(9)}]`,
    ],
    ['a hundred thousand keys', Array.from({ length: 100_000 }, (_, n) => `k${n}: 1`).join('\n')],
    ['ten thousand keys on a line', `{${Array.from({ length: 10_000 }, (_, n) => `k${n}`).join(',')}}`],
    ['brackets without end', `a: ${'['.repeat(20_000)}`],
    ['dashes without end', '- '.repeat(20_000)],
    ['an image that is an option', 'image: --privileged'],
  ])('%s', (_name, front) => {
    expect(() => parseSpec(`---\n${front}\n---\nx`)).toThrow(expect.objectContaining({ code: 'spec_front_matter' }));
  });
});
