import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HangarError } from '@hangar/contract/errors';
import type { Checkout } from './checkout.ts';
import { type Git, splitNull } from './git.ts';

export interface FileStat {
  readonly path: string;
  /** null for binary files. */
  readonly insertions: number | null;
  readonly deletions: number | null;
}

/** More than git itself would write for one file without a word; a diff of some kilobytes can say so. */
const MOST_UNPACKED = 1024 ** 3;

/** @throws HangarError diff_does_not_apply when its binary parts unpack to more than 1 GiB */
async function refuseBomb(file: string): Promise<void> {
  let unpacked = 0;
  for await (const line of createInterface({
    input: createReadStream(file, 'latin1'),
    crlfDelay: Number.POSITIVE_INFINITY,
  }))
    unpacked += Number(/^literal (\d+)$/.exec(line)?.[1] ?? 0);
  if (unpacked > MOST_UNPACKED)
    throw new HangarError('diff_does_not_apply', {
      message: `The diff unpacks to ${Math.round(unpacked / 1024 ** 2)} MiB, more than pull writes.`,
      wayOut: 'Look at it: hangar pull ID --output FILE',
    });
}

/** What a diff says it does, by file. @throws HangarError diff_does_not_apply when it is not a diff at all */
export async function diffStat(git: Git, file: string): Promise<FileStat[]> {
  await refuseBomb(file);
  const result = await git.attempt(['apply', '--numstat', '-z', '--allow-empty', file]);
  if (result.code !== 0)
    throw new HangarError('diff_does_not_apply', {
      message: 'The diff cannot be read.',
      wayOut: 'Look at it: hangar pull ID --output FILE',
      details: { reason: lastWords(result.stderr) },
    });
  return splitNull(result.stdout.toString('utf8')).map((entry) => {
    const [insertions = '-', deletions = '-', ...path] = entry.split('\t');
    return {
      path: path.join('\t'),
      insertions: insertions === '-' ? null : Number(insertions),
      deletions: deletions === '-' ? null : Number(deletions),
    };
  });
}

export const sumOf = (files: readonly FileStat[]) => ({
  filesChanged: files.length,
  insertions: files.reduce((sum, { insertions }) => sum + (insertions ?? 0), 0),
  deletions: files.reduce((sum, { deletions }) => sum + (deletions ?? 0), 0),
});

/** What applying would do, found out in an index of our own. */
export type Trial =
  | { readonly kind: 'clean'; readonly tree: string; readonly paths: readonly string[] }
  | { readonly kind: 'conflicts'; readonly conflicts: readonly string[]; readonly paths: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly files: readonly string[] };

/**
 * Applies a diff three-way on top of a tree without touching index or files. Paths that lead out of the checkout are refused by git.
 * @param from a tree or a commit
 */
export async function tryDiff({ git }: Checkout, file: string, from: string, dir: string): Promise<Trial> {
  await refuseBomb(file);
  const index = join(dir, 'trial-index');
  const env = { GIT_INDEX_FILE: index };
  await rm(index, { force: true });
  await git.read(['read-tree', from], { env });
  const result = await git.attempt(['apply', '--cached', '--3way', '--allow-empty', file], { env });
  const conflicts = await unmerged(git, env);
  if (result.code !== 0 && conflicts.length === 0)
    return { kind: 'refused', reason: lastWords(result.stderr), files: errorLines(result.stderr) };
  const paths = splitNull(
    await git.read(['diff-index', '--cached', '--name-only', '--no-renames', '-z', from], { env }),
  );
  if (conflicts.length > 0) return { kind: 'conflicts', conflicts, paths: [...new Set([...paths, ...conflicts])] };
  return { kind: 'clean', tree: await git.line(['write-tree'], { env }), paths };
}

/** Paths with conflict stages in an index. */
export async function unmerged(git: Git, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const entries = splitNull(await git.read(['ls-files', '--unmerged', '-z'], { env }));
  return [...new Set(entries.map((entry) => entry.slice(entry.indexOf('\t') + 1)))];
}

/** The last thing git said, without its prefix. */
export const lastWords = (stderr: string): string =>
  stderr
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^(error|fatal|warning): /, '') ?? '';

/** All errors git named, each once. */
export const errorLines = (stderr: string): string[] => [
  ...new Set(
    stderr
      .split('\n')
      .filter((line) => /^(error|fatal): /.test(line))
      .map((line) => line.replace(/^(error|fatal): /, '')),
  ),
];
