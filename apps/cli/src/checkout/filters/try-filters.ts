import { constants } from 'node:fs';
import { access, copyFile, lstat, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { naming } from '../../terminal/file-trouble.ts';
import type { Checkout } from '../checkout.ts';
import { errorLines, inLines, joinNull, openGit, splitNull, troubleOf } from '../git.ts';
import type { Change } from '../pull/changes.ts';
import { above } from '../pull/obstacles.ts';
import { onDisk } from '../pull/snapshot.ts';
import { smudgeSections, startedIn } from './filters.ts';

/** A filter failed where files were, or would be, written. */
export const filterFailed = (stderr: string, paths: readonly string[] = []): HangarError =>
  new HangarError('filter_blocks', {
    message: 'A filter of this checkout failed while files were written. Everything is as it was.',
    wayOut: 'Put right what it says, then pull again; or use --branch NAME, which writes no files.',
    details: { files: errorLines(inLines(stderr, paths)) },
  });

/**
 * That a filter can write a file shows only when it does: once beside the checkout. Attributes count as they do when git goes to the new
 * tree: those of the tree, and where that has none, those that lie in the work tree although git does not know of them.
 * @param filtered those of the changes that go through a filter by what the tree says
 * @throws HangarError filter_blocks
 */
export async function tryFilters(
  checkout: Checkout,
  tree: string,
  changes: readonly Change[],
  filtered: ReadonlySet<string>,
  dir: string,
): Promise<void> {
  const files = changes.filter(({ after }) => after?.mode.startsWith('100')).map(({ path }) => path);
  const loose = await attributesAbove(checkout, files);
  let paths = files.filter((path) => filtered.has(path));
  if (paths.length === 0 && loose.length === 0) return;
  const place = join(dir, 'filtered');
  await mkdir(place);
  // Nothing but what is copied here lies in this work tree: git looks into the index for all other attributes.
  const git = openGit(place, checkout.git.around);
  const env = {
    GIT_DIR: checkout.gitDir,
    GIT_WORK_TREE: place,
    GIT_INDEX_FILE: join(dir, 'filtered-index'),
  };
  await git.read(['read-tree', tree], { env });
  if (loose.length > 0) {
    const known = new Set(splitNull(await git.bytes(['ls-files', '-z', '--', ...loose], { env })));
    for (const path of loose.filter((one) => !known.has(one))) {
      await mkdir(onDisk(place, dirname(path)), { recursive: true });
      await copyReadable(join(checkout.root, path), onDisk(checkout.root, path), onDisk(place, path));
    }
    const asked = await git.bytes(['check-attr', '-z', '--stdin', 'filter'], { env, input: joinNull(files) });
    const out = splitNull(asked);
    paths = files.filter((_, at) => !['unspecified', 'unset'].includes(out[3 * at + 2] ?? 'unspecified'));
    if (paths.length === 0) return;
  }
  const settings = join(dir, 'filtered-config');
  await writeFile(settings, await smudgeSections(checkout));
  // Neither where they were tried nor how they were started.
  const inWordsOfTheCheckout = (said: string) =>
    said.replaceAll(startedIn(checkout.root), '').replaceAll(`${place}/`, '');
  const result = await git.attempt(['-c', `include.path=${settings}`, 'checkout-index', '-z', '--stdin'], {
    env,
    input: joinNull(paths),
  });
  if (result.code !== 0 || /^(error|fatal): /m.test(result.stderr))
    throw troubleOf(result.stderr, ['disk_full']) ?? filterFailed(inWordsOfTheCheckout(result.stderr), paths);
}

/** What may not be read git passes over with a warning; so do we. */
async function copyReadable(name: string, from: Buffer | string, to: Buffer | string): Promise<void> {
  const isReadable = await access(from, constants.R_OK).then(
    () => true,
    () => false,
  );
  if (isReadable) await naming(name, copyFile(from, to));
}

/** Files with attributes that lie in the work tree above these paths. */
async function attributesAbove({ root }: Checkout, paths: readonly string[]): Promise<string[]> {
  const folders = new Set(paths.flatMap((path) => [...above(path)]));
  const candidates = ['.gitattributes', ...[...folders].map((folder) => `${folder}/.gitattributes`)];
  const there = await Promise.all(
    candidates.map(async (path) => (await lstat(onDisk(root, path)).catch(() => null))?.isFile() === true),
  );
  return candidates.filter((_, at) => there[at]);
}
