import type { Checkout } from '../checkout.ts';
import { refuseBomb } from '../diff.ts';
import { throughFilters } from '../filters/filters.ts';
import { errorLines, joinNull, lastWords, troubleOf } from '../git.ts';
import { openGround } from '../ground.ts';
import { type Change, type Conflict, changesIn, conflictsIn, unchangedIn } from './changes.ts';
import { copyIndex } from './snapshot.ts';

/** What a diff makes of a tree, found out without touching index or files of the checkout. */
export type Trial =
  | {
      readonly kind: 'fits';
      /** The tree it leads to, markers in it. */
      readonly tree: string;
      readonly changes: readonly Change[];
      readonly conflicts: readonly Conflict[];
      /** Paths whose contents the person's filters make and write. */
      readonly filtered: readonly string[];
    }
  | { readonly kind: 'refused'; readonly reason: string; readonly files: readonly string[] };

/**
 * Applies a diff three-way on top of a tree, in a repository and work tree of its own that share nothing but the objects. What comes out
 * has passed the filters of the checkout as `git add` would have it.
 * @param from a tree or a commit
 * @throws HangarError diff_does_not_apply when it unpacks to gigabytes, filter_blocks
 */
export async function tryDiff(checkout: Checkout, file: string, from: string, dir: string): Promise<Trial> {
  await refuseBomb(file);
  const ground = await openGround(checkout, dir);
  const { git, env } = ground;
  await git.read(['read-tree', from], { env });
  await copyIndex(ground.index, ground.before);
  const result = await git.attempt(['apply', '--3way', '--index', '--allow-empty', file], { env });
  const trouble = result.code === 0 ? null : troubleOf(result.stderr);
  if (trouble !== null) throw trouble;
  const conflicts = result.code === 0 ? [] : await conflictsIn(ground);
  if (result.code !== 0 && conflicts.length === 0) {
    // What removes a file that is gone does not apply; where all of it could be taken back, all of it is there.
    const back = await git.attempt(['apply', '--cached', '--reverse', '--check', '--allow-empty', file], { env });
    if (back.code === 0)
      return { kind: 'fits', tree: await git.line(['write-tree'], { env }), changes: [], conflicts: [], filtered: [] };
    return { kind: 'refused', reason: lastWords(result.stderr), files: errorLines(result.stderr) };
  }
  // The files with their markers take the place of what is unmerged.
  const paths = conflicts.map(({ path }) => path);
  if (paths.length > 0)
    await git.read(['update-index', '--add', '--remove', '--replace', '-z', '--stdin'], {
      env,
      input: joinNull(paths),
    });
  const cleaned = await throughFilters(checkout, ground, from, await changesIn(ground, from), conflicts);
  return {
    kind: 'fits',
    tree: await git.line(['write-tree'], { env }),
    changes: withAllConflicts(cleaned.changes, cleaned.conflicts),
    conflicts: cleaned.conflicts,
    filtered: cleaned.filtered,
  };
}

/** A binary file in conflict stays ours: its content is no change, and yet the diff meets it. */
function withAllConflicts(changes: readonly Change[], conflicts: readonly Conflict[]): Change[] {
  const known = new Set(changes.map(({ path }) => path));
  return [...changes, ...unchangedIn(conflicts).filter(({ path }) => !known.has(path))];
}
