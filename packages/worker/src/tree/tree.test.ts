import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TreeOrder, TreeWord } from '@hangar/contract';
import { afterAll, expect, it } from 'vitest';
import { bundleOf, git, makeRepo, tempFolders } from '../testing/fixtures.ts';
import { carryOutTreeOrder, takeTreeOrder } from './tree-order.ts';

const folders = tempFolders();
afterAll(() => folders.clean());
const JOB = 'j_0123456789abcdef';

async function carriedOut(order: TreeOrder, dir: string): Promise<TreeWord> {
  const words: TreeWord[] = [];
  await carryOutTreeOrder(order, {
    ...{ dir, env: { PATH: process.env.PATH }, helper: { argv: [] }, secrets: [] },
    signal: new AbortController().signal,
    tell: (word) => words.push(word),
  });
  return words.at(-1) ?? { say: 'nothing' };
}

/** A work folder with what a job was sent with, and the diff that it left. */
function sent(diff: (repo: string) => string) {
  const base = folders.make();
  const repo = makeRepo(join(base, 'repo'), { 'a.txt': 'one\n', '.gitignore': '*.log\n' });
  const dir = join(base, 'work');
  mkdirSync(join(dir, 'run'), { recursive: true });
  bundleOf(repo.dir, join(dir, 'run/bundle'));
  writeFileSync(join(dir, 'run/job-diff'), diff(repo.dir));
  const order: TreeOrder = {
    ...{ kind: 'prepare', jobId: JOB, credential: null, diff: true },
    repo: { url: null, ref: null, commit: repo.commit, bundle: true, patch: false, allowLocal: false },
  };
  return { base, repo, dir, order };
}
const changed = (repo: string) => {
  writeFileSync(join(repo, 'a.txt'), 'two\n');
  writeFileSync(join(repo, 'kept.log'), 'kept\n');
  git(repo, 'add', '--force', '--all');
  git(repo, 'update-index', '--add', '--cacheinfo', `160000,${'b'.repeat(40)},module`);
  return `${git(repo, 'diff', '--cached', '--binary', '--full-index')}\n`;
};
const diffOf = (more: Partial<Extract<TreeOrder, { kind: 'diff' }>>): TreeOrder => ({
  ...{ kind: 'diff', id: 'd1', path: '/', prepared: null, base: null, maxBytes: 1 << 20 },
  ...more,
});

it('lays out what a job left so that its diff is the same again, ignored files and commits of submodules too', async () => {
  const { dir, order } = sent(changed);
  const wanted = readFileSync(join(dir, 'run/job-diff'), 'utf8');
  const word = await carriedOut(order, dir);
  if (!('prepared' in word)) throw new Error(JSON.stringify(word));
  const { path, commit, tree } = word.prepared;
  expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('two\n');
  const made = await carriedOut(diffOf({ path, prepared: { folder: dir, commit, tree } }), dir);
  if (!('made' in made)) throw new Error(JSON.stringify(made));
  expect(readFileSync(made.made.file, 'utf8')).toBe(wanted);
  // Nothing of what it was made from stays.
  expect(() => readFileSync(join(dir, 'run/bundle'))).toThrow('ENOENT');
  // Again, as after a crash that nobody heard the end of, it begins anew.
  expect(await carriedOut(order, dir)).toMatchObject({ failure: { code: 'bundle_invalid' } });
});

it('says why it cannot, with a code', async () => {
  const { dir, order } = sent(() => 'diff --git a/none b/none\n--- a/none\n+++ b/none\n@@ -1 +1 @@\n-x\n+y\n');
  expect(await carriedOut(order, dir)).toMatchObject({ failure: { code: 'tree_not_prepared' } });
});

it('runs nothing that a repository configures when it compares one with its HEAD, and leaves nothing in it', async () => {
  const base = folders.make();
  const { dir } = makeRepo(join(base, 'repo'), { 'a.txt': 'one\n' });
  const touch = `touch ${join(base, 'pwned')}`;
  for (const name of ['core.fsmonitor', 'diff.external', 'filter.x.clean', 'filter.x.smudge', 'core.sshCommand'])
    git(dir, 'config', name, touch);
  writeFileSync(join(dir, '.gitattributes'), '* filter=x\n');
  writeFileSync(join(dir, 'new'), 'new\n');
  const before = git(dir, 'for-each-ref');
  const made = await carriedOut(diffOf({ path: dir }), join(base, 'work'));
  if (!('made' in made)) throw new Error(JSON.stringify(made));
  expect(made.made).toMatchObject({ path: dir, filesChanged: 2 });
  expect(readFileSync(made.made.file, 'utf8')).toContain('+new');
  expect(() => readFileSync(join(base, 'pwned'))).toThrow('ENOENT');
  expect(git(dir, 'for-each-ref')).toBe(before);
  expect(await carriedOut(diffOf({ path: dir, maxBytes: 10 }), join(base, 'work'))).toMatchObject({
    failure: { code: 'quota_artifacts' },
  });
  expect(await carriedOut(diffOf({ path: join(base, 'nowhere') }), base)).toMatchObject({
    failure: { code: 'git_tree_missing' },
  });
  expect(await carriedOut(diffOf({ path: dir, base: '--output=x' }), base)).toMatchObject({
    failure: { code: 'ref_not_found' },
  });
});

it('takes its order out of the environment', () => {
  const env = { HANGAR_TREE_ORDER: JSON.stringify(diffOf({})), PATH: '/bin' };
  expect(takeTreeOrder(env)).toMatchObject({ kind: 'diff' });
  expect(env).toEqual({ PATH: '/bin' });
  expect(takeTreeOrder(env)).toBeNull();
});
