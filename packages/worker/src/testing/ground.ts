import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Git, openGit } from '../git/git.ts';
import { makePlaces, type Places } from '../places.ts';
import { type Collected, collectDiff } from '../result/diff.ts';
import { prepareTree } from '../source/source.ts';
import { bundleOf, git, makeRepo } from './fixtures.ts';

const signal = new AbortController().signal;

/** A work tree as an agent finds it. */
export interface Ground {
  readonly base: string;
  readonly repo: string;
  readonly places: Places;
  readonly tree: string;
  readonly said: string[];
  /** What git printed for the diffs. */
  readonly printed: string[];
  collect(known?: string): Promise<Collected | null>;
  /** Applies the diff to a fresh clone of the base and returns that. */
  applied(): Promise<string>;
}

const FILES = {
  'a.txt': 'one\ntwo\nthree\nfour\nfive\n',
  'dir/b.txt': 'bee\n',
  'dir/c.txt': 'sea\n',
  'bin.dat': Buffer.from([0, 1, 2, 255, 254]),
  '.gitignore': 'ignored/\n*.log\n',
};

export async function ground(
  base: string,
  files: Record<string, string | Buffer> = FILES,
  maxFileBytes = 1 << 30,
  before: (repo: string) => void = () => undefined,
): Promise<Ground> {
  const repo = makeRepo(join(base, 'repo'), files);
  before(repo.dir);
  const places = await makePlaces(join(base, 'work'));
  const g = openGit({ home: places.gitHome, base: process.env });
  const said: string[] = [];
  const prepared = await prepareTree(
    {
      kind: 'bundle',
      url: null,
      credential: null,
      commit: git(repo.dir, 'rev-parse', 'HEAD'),
      bundleFile: bundleOf(repo.dir, join(base, 'bundle')),
      patchFile: null,
    },
    {
      ...{ git: g, places, helper: { argv: [] }, reach: { allowLocal: false, env: {} }, path: '' },
      ...{ branch: 'hangar/j', say: (text: string) => said.push(text), signal },
    },
  );
  let count = 0;
  const printed: string[] = [];
  const heard: Git = {
    try: async (...call) => {
      const result = await g.try(...call);
      printed.push(result.out.toString());
      return result;
    },
    run: async (...call) => {
      const out = await g.run(...call);
      printed.push(out.toString());
      return out;
    },
  };
  const collect = (known?: string) =>
    collectDiff(
      {
        git: heard,
        store: places.store,
        tree: places.tree,
        index: join(places.run, 'index'),
        baseTree: prepared.tree,
        excludesFile: join(places.run, 'excludes'),
        maxFileBytes,
        signal,
        say: (text) => said.push(text),
      },
      join(places.run, `d${++count}`),
      known ?? null,
    );
  return {
    base,
    repo: repo.dir,
    places,
    tree: places.tree,
    said,
    printed,
    collect,
    applied: async () => {
      const collected = await collect();
      const clone = join(base, `clone-${count}`);
      git(base, 'clone', '-q', repo.dir, clone);
      if (collected && collected.stat.sizeBytes > 0) git(clone, 'apply', '--index', collected.file);
      return clone;
    },
  };
}

/** Same files with the same content and mode, apart from .git and what is ignored. */
export const listing = (dir: string) =>
  execFileSync(
    'sh',
    [
      '-c',
      'find . -name .git -prune -o \\( -type f -o -type l \\) -printf \'%m %y %l \' -exec sh -c \'test -L "$1" || md5sum < "$1"; printf "%s\\0" "$1"\' _ {} \\; | sort -z',
    ],
    { cwd: dir, encoding: 'utf8' },
  );
