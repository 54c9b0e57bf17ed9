import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { git, tempFolders } from '../testing/fixtures.ts';
import { type Ground, ground } from '../testing/ground.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

const FILES = { 'a.txt': 'one\n', 'dir/b.txt': 'bee\n', 'dir/c.txt': 'sea\n', '.gitignore': 'lib/\n*.log\n' };
const BASE = Object.keys(FILES).concat('lib/core.py').sort();

let g: Ground;
beforeEach(async () => {
  // Tracked though ignored, as after `git add --force`.
  g = await ground(temp.make(), FILES, 1 << 30, (repo) => {
    mkdirSync(join(repo, 'lib'));
    writeFileSync(join(repo, 'lib/core.py'), 'core\n');
    git(repo, 'add', '-f', 'lib/core.py');
    git(repo, 'commit', '-q', '-m', 'core');
  });
});

/** Files that a checkout of the base has once the diff is applied. */
async function afterwards(): Promise<Record<string, string>> {
  const clone = await g.applied();
  const names = git(clone, 'ls-files', '-z').split('\0').filter(Boolean);
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(clone, name), 'utf8')]));
}

const write = (name: string, text: string) => {
  mkdirSync(join(g.tree, name, '..'), { recursive: true });
  writeFileSync(join(g.tree, name), text);
};

describe('what the agent committed or staged counts, ignored or not', () => {
  test('nothing done in a repository with a tracked file that is ignored changes nothing', async () => {
    expect((await g.collect())?.stat.filesChanged).toBe(0);
    expect(Object.keys(await afterwards())).toEqual(BASE);
  });

  test.each([false, true])('git mv below an ignored folder (committed: %s)', async (isCommitted) => {
    git(g.tree, 'mv', 'lib/core.py', 'lib/engine.py');
    if (isCommitted) git(g.tree, 'commit', '-q', '-m', 'moved');
    const files = await afterwards();
    expect(files['lib/engine.py']).toBe('core\n');
    expect(files).not.toHaveProperty(['lib/core.py']);
  });

  test.each(['staged', 'committed', 'intended', 'committed, index lost', 'staged before a checkpoint'])(
    'git add --force: %s; the bytes are those of the work tree',
    async (how) => {
      write('lib/new.py', 'first\n');
      write('lib/not.py', 'ignored\n');
      git(g.tree, 'add', '-f', ...(how === 'intended' ? ['-N'] : []), 'lib/new.py');
      if (how.startsWith('committed')) git(g.tree, 'commit', '-q', '-m', 'new');
      if (how.endsWith('lost')) rmSync(join(g.tree, '.git/index'));
      if (how.endsWith('checkpoint')) await g.collect();
      write('lib/new.py', 'second\n');
      const files = await afterwards();
      expect(files['lib/new.py']).toBe('second\n');
      expect(files).not.toHaveProperty(['lib/not.py']);
    },
  );

  test('added with force and taken back is ignored again, at every save', async () => {
    write('lib/new.py', 'x\n');
    git(g.tree, 'add', '-f', 'lib/new.py');
    expect((await g.collect())?.stat.filesChanged).toBe(1);
    git(g.tree, 'reset', '-q');
    expect((await g.collect())?.stat.filesChanged).toBe(0);
  });

  test('a file that is ignored from some moment on does not stay by the chance of a checkpoint', async () => {
    write('cache/x', 'x\n');
    expect((await g.collect())?.stat.filesChanged).toBe(1);
    write('.gitignore', `${FILES['.gitignore']}cache/\n`);
    expect(await afterwards()).not.toHaveProperty(['cache/x']);
  });

  test.each([false, true])('git rm --cached of a file that becomes ignored (committed: %s)', async (isCommitted) => {
    git(g.tree, 'rm', '-q', '--cached', 'a.txt');
    write('.gitignore', `${FILES['.gitignore']}a.txt\n`);
    if (isCommitted) git(g.tree, 'commit', '-q', '-am', 'untracked');
    expect(await afterwards()).not.toHaveProperty(['a.txt']);
    git(g.tree, 'add', '-f', 'a.txt');
    expect(await afterwards()).toHaveProperty(['a.txt']);
  });

  test('git rm --cached of what is not ignored: the file is still there', async () => {
    git(g.tree, 'rm', '-q', '--cached', 'a.txt');
    expect(Object.keys(await afterwards())).toEqual(BASE);
  });

  test('committed or staged and then removed from the work tree is gone', async () => {
    write('lib/one.py', '1\n');
    write('two.txt', '2\n');
    git(g.tree, 'add', '-f', 'lib/one.py', 'two.txt');
    git(g.tree, 'commit', '-q', '-m', 'both');
    rmSync(join(g.tree, 'lib'), { recursive: true });
    rmSync(join(g.tree, 'two.txt'));
    expect(Object.keys(await afterwards())).toEqual(BASE.filter((name) => name !== 'lib/core.py'));
  });

  test('another branch, a detached HEAD, an orphan branch: what is checked out counts', async () => {
    git(g.tree, 'checkout', '-q', '-b', 'other');
    write('lib/new.py', 'x\n');
    git(g.tree, 'add', '-f', 'lib/new.py');
    git(g.tree, 'commit', '-q', '-m', 'x');
    expect(await afterwards()).toHaveProperty(['lib/new.py']);
    git(g.tree, 'checkout', '-q', '--detach');
    git(g.tree, 'pack-refs', '--all');
    expect(await afterwards()).toHaveProperty(['lib/new.py']);
    git(g.tree, 'checkout', '-q', '--orphan', 'fresh');
    expect(await afterwards()).toHaveProperty(['lib/new.py']);
  });

  test('a conflict that was not resolved: the file as it is', async () => {
    git(g.tree, 'checkout', '-q', '-b', 'other');
    write('a.txt', 'theirs\n');
    git(g.tree, 'commit', '-q', '-am', 'theirs');
    git(g.tree, 'checkout', '-q', '-');
    write('a.txt', 'ours\n');
    git(g.tree, 'commit', '-q', '-am', 'ours');
    expect(() => git(g.tree, 'merge', '-q', 'other')).toThrow();
    expect((await afterwards())['a.txt']).toContain('<<<<<<<');
  });

  test('names that are no text, and a change of case', async () => {
    const name = Buffer.concat([Buffer.from(`${g.tree}/lib/caf`), Buffer.from([0xe9]), Buffer.from('.py')]);
    writeFileSync(name, 'x\n');
    git(g.tree, 'add', '-f', 'lib');
    git(g.tree, 'mv', 'a.txt', 'A.txt');
    const clone = await g.applied();
    const names = execFileSync('git', ['ls-files', '-z'], { cwd: clone, encoding: 'latin1' }).split('\0');
    expect(names).toEqual(expect.arrayContaining(['lib/caf\xe9.py', 'A.txt']));
    expect(names).not.toContain('a.txt');
  });
});

describe('left out of the work tree on purpose is not deleted', () => {
  test('skip-worktree and assume-unchanged', async () => {
    write('dir/c.txt', 'staged\n');
    git(g.tree, 'add', 'dir/c.txt');
    git(g.tree, 'update-index', '--skip-worktree', 'a.txt', 'dir/c.txt');
    git(g.tree, 'update-index', '--assume-unchanged', 'dir/b.txt');
    rmSync(join(g.tree, 'a.txt'));
    rmSync(join(g.tree, 'dir/c.txt'));
    write('dir/b.txt', 'changed\n');
    expect(await afterwards()).toMatchObject({ 'a.txt': 'one\n', 'dir/b.txt': 'changed\n', 'dir/c.txt': 'staged\n' });
    write('a.txt', 'there again\n');
    expect((await afterwards())['a.txt']).toBe('there again\n');
  });

  test.each([false, true])('a sparse checkout, with commits outside it (sparse index: %s)', async (isSparseIndex) => {
    write('far/deep/x.txt', 'far\n');
    git(g.tree, 'add', '-A');
    git(g.tree, 'commit', '-q', '-m', 'far');
    git(g.tree, 'sparse-checkout', 'set', '--cone', ...(isSparseIndex ? ['--sparse-index'] : []), 'lib');
    write('lib/core.py', 'changed\n');
    const files = await afterwards();
    expect(Object.keys(files)).toEqual([...BASE, 'far/deep/x.txt'].sort());
    expect(files).toMatchObject({ 'far/deep/x.txt': 'far\n', 'dir/b.txt': 'bee\n', 'lib/core.py': 'changed\n' });
  });
});

describe('an index that is unusual, or none', () => {
  test('a split index', async () => {
    git(g.tree, 'update-index', '--split-index');
    write('lib/new.py', 'x\n');
    git(g.tree, 'add', '-f', 'lib/new.py');
    expect(await afterwards()).toHaveProperty(['lib/new.py']);
  });

  test.each(['garbage', 'cut', 'a pipe'])(
    '%s in place of the index: the commit counts, and it is said',
    async (what) => {
      write('lib/new.py', 'x\n');
      git(g.tree, 'add', '-f', 'lib/new.py');
      git(g.tree, 'commit', '-q', '-m', 'x');
      const index = join(g.tree, '.git/index');
      if (what === 'garbage') writeFileSync(index, 'DIRC garbage');
      else if (what === 'cut') writeFileSync(index, readFileSync(index).subarray(0, 100));
      else {
        rmSync(index);
        execFileSync('mkfifo', [index]);
      }
      expect(await afterwards()).toHaveProperty(['lib/new.py']);
      expect(g.said.join('\n')).toContain('The index of .git cannot be read');
    },
  );

  test('HEAD and refs that lead nowhere, to pipes or in circles', async () => {
    write('new.txt', 'x\n');
    for (const head of ['ref: refs/heads/circle\n', `${'a'.repeat(40)}\n`, 'ref: ../../etc/passwd\n', 'junk']) {
      writeFileSync(join(g.tree, '.git/HEAD'), head);
      writeFileSync(join(g.tree, '.git/refs/heads/circle'), 'ref: refs/heads/circle\n');
      expect((await g.collect())?.stat.filesChanged).toBe(1);
    }
    rmSync(join(g.tree, '.git/HEAD'));
    execFileSync('mkfifo', [join(g.tree, '.git/HEAD')]);
    expect((await g.collect())?.stat.filesChanged).toBe(1);
  });

  test('a repository that the agent made afresh knows nothing of the base', async () => {
    rmSync(join(g.tree, '.git'), { recursive: true });
    git(g.tree, 'init', '-q');
    write('lib/new.py', 'x\n');
    git(g.tree, 'add', '-A');
    git(g.tree, 'add', '-f', 'lib/new.py');
    git(g.tree, 'commit', '-q', '-m', 'all');
    expect(Object.keys(await afterwards())).toEqual([...BASE, 'lib/new.py'].sort());
  });

  test('the repository elsewhere, told by a file', async () => {
    write('lib/new.py', 'x\n');
    git(g.tree, 'add', '-f', 'lib/new.py');
    const moved = join(g.base, 'moved.git');
    renameSync(join(g.tree, '.git'), moved);
    writeFileSync(join(g.tree, '.git'), `gitdir: ${moved}\n`);
    expect(await afterwards()).toHaveProperty(['lib/new.py']);
  });
});

describe('what is neither in the work tree nor checked out is said', () => {
  test('other branches and stashes', async () => {
    git(g.tree, 'checkout', '-q', '-b', 'side');
    write('side.txt', 'x\n');
    git(g.tree, 'add', '-A');
    git(g.tree, 'commit', '-q', '-m', 'side');
    git(g.tree, 'checkout', '-q', '-');
    write('a.txt', 'stashed\n');
    git(g.tree, 'stash', '-q');
    const { stat } = (await g.collect()) ?? expect.unreachable();
    expect(stat.filesChanged).toBe(0);
    expect(stat.leftOut?.join('\n')).toContain('side (1 commit)');
    expect(stat.leftOut?.join('\n')).toContain('stashed');
    git(g.tree, 'stash', 'drop', '-q');
    git(g.tree, 'merge', '-q', 'side');
    expect((await g.collect())?.stat).toMatchObject({ filesChanged: 1 });
    expect((await g.collect())?.stat).not.toHaveProperty(['leftOut']);
  });

  test('a second work tree is no copy of all files in the diff', async () => {
    git(g.tree, 'worktree', 'add', '-q', 'wt', '-b', 'side');
    git(g.tree, 'worktree', 'add', '-q', join(g.base, 'outside'), '-b', 'far');
    expect((await g.collect())?.stat).toEqual({ filesChanged: 0, insertions: 0, deletions: 0, sizeBytes: 0 });
    write('wt/a.txt', 'changed there\n');
    writeFileSync(join(g.base, 'outside/new.txt'), 'x\n');
    const said = ((await g.collect())?.stat.leftOut ?? []).join('\n');
    expect(said).toContain('work tree wt is not in the diff: a.txt');
    expect(said).toContain('outside is not in the diff: new.txt');
  });
});
