import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { HangarError } from '@hangar/contract/errors';
import { type Git, lastWords, splitNull } from './git.ts';

export interface FileStat {
  readonly path: string;
  /** null for binary files. */
  readonly insertions: number | null;
  readonly deletions: number | null;
}

/** More than git itself would write for one file without a word; a diff of some kilobytes can say so. */
const MOST_UNPACKED = 1024 ** 3;

/** @throws HangarError diff_does_not_apply when its binary parts unpack to more than 1 GiB */
export async function refuseBomb(file: string): Promise<void> {
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
  // In no repository: inside one, git leaves out what is not below the folder it stands in.
  const env = { GIT_DIR: '/dev/null/none' };
  const result = await git.attempt(['apply', '--numstat', '-z', '--allow-empty', file], { env });
  if (result.code !== 0)
    throw new HangarError('diff_does_not_apply', {
      message: 'The diff cannot be read.',
      wayOut: 'Look at it: hangar pull ID --output FILE',
      details: { reason: lastWords(result.stderr) },
    });
  return splitNull(result.stdout).map((entry) => {
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
