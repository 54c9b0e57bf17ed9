import type { Verdict } from '@hangar/contract/words/group';
import type { DiffContent } from '../diff/diff-view.tsx';
import type { DiffFile } from '../diff/parse-diff.ts';

/** A file that at least one of the jobs changed. */
export interface ComparedFile {
  readonly path: string;
  /** In the order of the jobs; null where the job left it alone, or where its diff is not known. */
  readonly changes: readonly (DiffFile | null)[];
  /** The different ways it was changed, with the places of the jobs that did it so. */
  readonly ways: readonly { readonly file: DiffFile; readonly jobs: readonly number[] }[];
  readonly verdict: Verdict;
}

/** Which files were changed by whom, and where they agree; null for a job whose diff is not known. Pure. */
export function sideBySide(diffs: readonly (Pick<DiffContent, 'files'> | null)[]): ComparedFile[] {
  const known = diffs.filter((diff) => diff !== null).length;
  const byPath = new Map<string, (DiffFile | null)[]>();
  for (const [at, diff] of diffs.entries())
    for (const file of diff?.files ?? []) {
      const changes = byPath.get(file.path) ?? diffs.map(() => null);
      changes[at] = file;
      byPath.set(file.path, changes);
    }
  return [...byPath]
    .sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }))
    .map(([path, changes]) => {
      const ways = waysOf(changes);
      const changed = changes.filter((file) => file !== null).length;
      const verdict =
        changed === 1 && known > 1 ? 'alone' : ways.length === 1 && changed === known ? 'same' : 'differs';
      return { path, changes, ways, verdict };
    });
}

function waysOf(changes: readonly (DiffFile | null)[]): { file: DiffFile; jobs: number[] }[] {
  const ways = new Map<string, { file: DiffFile; jobs: number[] }>();
  for (const [at, file] of changes.entries()) {
    if (file === null) continue;
    const signature = JSON.stringify([file.change, file.oldPath, file.mode, file.blob ?? file.hunks]);
    const way = ways.get(signature) ?? { file, jobs: [] };
    way.jobs.push(at);
    ways.set(signature, way);
  }
  return [...ways.values()];
}

/** `a`, `b`: how the way of one of several jobs is called. */
export const wayLetter = (index: number): string => String.fromCodePoint('a'.charCodeAt(0) + index);
