import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Checkout } from './checkout.ts';
import { type Git, openGit, splitNull } from './git.ts';

/** A repository and an empty work tree for a trial: the objects and the configuration are those of the checkout, all else is its own. */
export interface Ground {
  /** Git at the top of the trial's work tree. */
  readonly git: Git;
  readonly env: Readonly<Record<string, string>>;
  readonly tree: string;
  readonly dir: string;
  readonly index: string;
  /** A copy of the index as it was before the diff. */
  readonly before: string;
  /** Makes the attributes those of the checkout, with these lines last. */
  useAttributes(last: string): Promise<void>;
  /** Settings that win over those of the checkout. */
  configure(section: string): Promise<void>;
}

/** Contents as they are stored: nothing is converted, and no filter runs. */
export const AS_STORED = '* -text -eol -ident -filter -working-tree-encoding';

export async function openGround({ git, gitDir }: Checkout, dir: string): Promise<Ground> {
  const place = join(dir, 'ground');
  const [own, tree] = [join(place, 'git'), join(place, 'tree')];
  await rm(place, { recursive: true, force: true });
  for (const folder of [join(own, 'refs'), join(own, 'info'), tree]) await mkdir(folder, { recursive: true });
  // Of a linked work tree, objects and configuration are those of its repository.
  const common = await readFile(join(gitDir, 'commondir'), 'utf8').then(
    (text) => resolve(gitDir, text.replace(/\n$/, '')),
    () => gitDir,
  );
  const theirs = await readFile(join(common, 'info/attributes'), 'utf8').catch(() => '');
  // How its objects are made (SHA-256) and where missing ones are had (a partial clone) must stand in the configuration itself.
  const special = /extensions/i.test(await readFile(join(common, 'config'), 'latin1').catch(() => ''));
  const wanted = ['config', '--local', '-z', '--get-regexp', '^extensions\\.(objectformat|partialclone)$'];
  const extensions = (special ? splitNull((await git.attempt(wanted)).stdout) : []).map((entry) => entry.split('\n'));
  let settings = [
    `[core]\n\trepositoryFormatVersion = 1\n\tbare = false`,
    ...extensions.map(([key = '', value = '']) => `[extensions]\n\t${key.split('.')[1]} = ${configValue(value)}`),
    ...[join(common, 'config'), join(gitDir, 'config.worktree')].map(
      (file) => `[include]\n\tpath = ${configValue(file)}`,
    ),
    '[core]\n\tfileMode = true\n\tsymlinks = true\n\tsparseCheckout = false\n\tsplitIndex = false\n\tuntrackedCache = false',
    '[index]\n\tsparse = false',
  ].join('\n');
  await writeFile(join(own, 'HEAD'), 'ref: refs/heads/trial\n');
  const ground: Ground = {
    // The surroundings of the checkout's own git: only where it works is another place.
    git: openGit(tree, git.around),
    env: {
      GIT_DIR: own,
      GIT_WORK_TREE: tree,
      GIT_INDEX_FILE: join(place, 'index'),
      GIT_OBJECT_DIRECTORY: join(common, 'objects'),
    },
    tree,
    dir: place,
    index: join(place, 'index'),
    before: join(place, 'before-index'),
    useAttributes: (last) => writeFile(join(own, 'info/attributes'), `${theirs}\n${last}\n`),
    configure: async (section) => {
      settings = `${settings}\n${section}\n`;
      await writeFile(join(own, 'config'), settings);
    },
  };
  await ground.configure('');
  await ground.useAttributes(AS_STORED);
  return ground;
}

/** A value as it stands in a configuration file. */
export const configValue = (value: string): string =>
  `"${value.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`;
