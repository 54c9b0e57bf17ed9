import { describe, expect, it } from 'vitest';
import { parseDiff } from '../diff/parse-diff.ts';
import { sideBySide } from './side-by-side.ts';

const diff = (...files: [name: string, text: string][]) => ({
  files: parseDiff(
    files
      .map(([name, text]) => `diff --git a/${name} b/${name}\n--- a/${name}\n+++ b/${name}\n@@ -1 +1 @@\n+${text}\n`)
      .join(''),
  ),
});
const shortly = (files: ReturnType<typeof sideBySide>) =>
  files.map(({ path, verdict, ways }) => [path, verdict, ways.map(({ jobs }) => jobs)]);

describe('sideBySide', () => {
  it('tells where jobs agree, and who did what', () => {
    const files = sideBySide([
      diff(['a', 'x'], ['b', 'x']),
      diff(['a', 'x'], ['b', 'y'], ['c', 'z']),
      diff(['a', 'x'], ['b', 'x']),
    ]);
    expect(shortly(files)).toEqual([
      ['a', 'same', [[0, 1, 2]]],
      ['b', 'differs', [[0, 2], [1]]],
      ['c', 'alone', [[1]]],
    ]);
  });
  it('counts who changed nothing, and not whose diff is not known', () => {
    expect(shortly(sideBySide([diff(['a', 'x']), { files: [] }, diff(['a', 'x'])]))).toEqual([
      ['a', 'differs', [[0, 2]]],
    ]);
    expect(shortly(sideBySide([diff(['a', 'x']), null, diff(['a', 'x'])]))).toEqual([['a', 'same', [[0, 2]]]]);
  });
  it('compares binary files by the name of their content', () => {
    const binary = (blob: string) => ({
      files: parseDiff(
        `diff --git a/p b/p\nindex ${'0'.repeat(40)}..${blob.repeat(40)}\nGIT binary patch\nliteral 1\nzc\n\n`,
      ),
    });
    expect(sideBySide([binary('a'), binary('a')])[0]?.verdict).toBe('same');
    expect(sideBySide([binary('a'), binary('b')])[0]?.verdict).toBe('differs');
  });
});
