import { describe, expect, it } from 'vitest';
import { inTreeOrder, treeOf } from './diff-tree.ts';
import type { DiffFile } from './parse-diff.ts';

const file = (path: string): DiffFile => ({
  path,
  oldPath: null,
  change: 'modified',
  isBinary: false,
  mode: null,
  blob: null,
  insertions: 1,
  deletions: 0,
  lines: 1,
  hunks: '',
});

describe('treeOf', () => {
  it('joins folders that hold only a folder', () => {
    const tree = treeOf(['src/main/java/A.java', 'src/main/java/b/B.java', 'README.md'].map(file));
    expect(tree.folders.map((folder) => folder.name)).toEqual(['src/main/java']);
    expect(tree.folders[0]?.folders.map((folder) => folder.name)).toEqual(['b']);
    expect(inTreeOrder(tree).map(({ path }) => path)).toEqual([
      'src/main/java/b/B.java',
      'src/main/java/A.java',
      'README.md',
    ]);
  });

  it('takes names that are strange', () => {
    const tree = treeOf(['__proto__/x', 'constructor', '/abs', 'a//b'].map(file));
    expect(inTreeOrder(tree)).toHaveLength(4);
  });
});
