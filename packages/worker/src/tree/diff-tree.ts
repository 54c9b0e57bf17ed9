import { copyFile, lstat, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { HangarError, sizeInWords, TREE_FILES, type TreeOrder } from '@hangar/contract';
import type { Git } from '../git/git.ts';
import { makePlaces, type Places, placesIn } from '../places.ts';
import { type Collected, collectDiff } from '../result/diff.ts';
import { borrow } from '../source/source.ts';

/** A diff is kept for so long to be fetched. */
const KEPT_MS = 60 * 60_000;
/** What Hangar itself keeps in a home folder is nobody's work. */
const OWN = ['/.hangar/', '/.cache/hangar-*/'].map((pattern) => `${pattern}\n`).join('');

export interface MadeDiff {
  readonly collected: Collected;
  readonly path: string;
  readonly commit: string;
}

/** What was changed in a work tree, as the diff of a job is made. The file lies below `dir`. */
export async function makeDiff(
  order: Extract<TreeOrder, { kind: 'diff' }>,
  o: { readonly git: Git; readonly dir: string; readonly signal: AbortSignal },
): Promise<MadeDiff> {
  const made = join(o.dir, TREE_FILES.made);
  await mkdir(made, { recursive: true, mode: 0o700 });
  await forgetOld(made);
  const file = join(made, order.id);
  const { prepared } = order;
  const tree = await workTreeAbove(order.path);
  // Several may be made of one tree at once: each has an index of its own.
  const scratch = await mkdtemp(join(made, 'scratch-'));
  try {
    const laidOut = prepared === null ? null : placesIn(prepared.folder);
    // What was cloned into it is a tree of its own.
    if (prepared !== null && laidOut?.tree === tree) {
      const index = join(scratch, 'index');
      await copyFile(join(laidOut.run, 'index'), index).catch(() =>
        o.git.run(['read-tree', prepared.tree], {
          ...{ signal: o.signal, env: { GIT_DIR: laidOut.store, GIT_INDEX_FILE: index } },
        }),
      );
      const collected = await collect({ store: laidOut.store, run: scratch }, tree, prepared.tree);
      return { ...collected, path: tree, commit: prepared.commit };
    }
    const places = await makePlaces(scratch);
    const commit = await borrow(tree, order.base === null ? null : await commitOf(tree, order.base), { ...o, places });
    const here = { signal: o.signal, env: { GIT_DIR: places.store, GIT_INDEX_FILE: join(places.run, 'index') } };
    const base = (await o.git.run(['rev-parse', '--verify', `${commit}^{tree}`], here)).toString().trim();
    await o.git.run(['read-tree', base], here);
    return { ...(await collect(places, tree, base)), path: tree, commit };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }

  async function collect(
    places: Pick<Places, 'store' | 'run'>,
    at: string,
    baseTree: string,
  ): Promise<Pick<MadeDiff, 'collected'>> {
    const excludesFile = join(places.run, 'excludes-own');
    await writeFile(excludesFile, OWN);
    const index = join(places.run, 'index');
    const collected = await collectDiff(
      {
        ...{ git: o.git, store: places.store, tree: at, index, baseTree, excludesFile, signal: o.signal },
        ...{ maxFileBytes: order.maxBytes, say: () => undefined },
      },
      file,
    );
    if (collected === null) throw new HangarError('internal');
    const { sizeBytes } = collected.stat;
    if (sizeBytes <= order.maxBytes) return { collected };
    await rm(file, { force: true });
    throw new HangarError('quota_artifacts', {
      message: `The diff has ${sizeInWords(sizeBytes)}; your plan allows ${sizeInWords(order.maxBytes)}.`,
    });
  }

  async function commitOf(dir: string, base: string): Promise<string> {
    const args = ['-C', dir, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${base}^{commit}`];
    const { code, out } = await o.git.try(args, o);
    if (code !== 0) throw new HangarError('ref_not_found', { message: `${dir} has no commit ${base}.` });
    return out.toString().trim();
  }
}

/** The folder itself or the nearest above it that has a repository. @throws HangarError git_tree_missing */
async function workTreeAbove(path: string): Promise<string> {
  const from = resolve(path);
  if (!(await stat(from).catch(() => null))?.isDirectory())
    throw new HangarError('git_tree_missing', { message: `There is no folder ${from} in the sandbox.` });
  for (let at = from; ; at = dirname(at)) {
    if ((await lstat(join(at, '.git')).catch(() => null)) !== null) return at;
    if (at === dirname(at))
      throw new HangarError('git_tree_missing', { message: `There is no git work tree at ${from} in the sandbox.` });
  }
}

async function forgetOld(made: string): Promise<void> {
  for (const name of await readdir(made)) {
    const found = await stat(join(made, name)).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > KEPT_MS)
      await rm(join(made, name), { recursive: true, force: true });
  }
}
