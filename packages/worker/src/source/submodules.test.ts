import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { commitFiles, git, makeRepo, tempFolders } from '../testing/fixtures.ts';
import { type Ground, ground } from '../testing/ground.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

let g: Ground;
let library: string;
let first: string;
beforeEach(async () => {
  const base = temp.make();
  ({ dir: library, commit: first } = makeRepo(join(base, 'library'), { 'lib.c': 'int a;\n', '.gitignore': '*.o\n' }));
  g = await ground(base, { 'a.txt': 'a\n' }, 1 << 30, (repo) => {
    git(repo, 'submodule', '--quiet', 'add', library, 'sub');
    git(repo, 'commit', '-q', '-m', 'with a submodule');
  });
});

const inSub = (...args: string[]) => git(join(g.tree, 'sub'), ...args);
const fetchSub = () => git(g.tree, 'submodule', '--quiet', 'update', '--init');
const collected = async () => (await g.collect()) ?? expect.unreachable();
const said = async () => ((await collected()).stat.leftOut ?? []).join('\n');
const diff = async () => readFileSync((await collected()).file, 'utf8');

describe('a submodule', () => {
  test('left alone, fetched, or with ignored files in it: nothing to say, nothing in the diff', async () => {
    expect((await collected()).stat).toEqual({ filesChanged: 0, insertions: 0, deletions: 0, sizeBytes: 0 });
    fetchSub();
    writeFileSync(join(g.tree, 'sub/x.o'), 'x');
    expect((await collected()).stat).toEqual({ filesChanged: 0, insertions: 0, deletions: 0, sizeBytes: 0 });
  });

  test.each([
    ['a changed file', () => writeFileSync(join(g.tree, 'sub/lib.c'), 'int b;\n'), 'lib.c'],
    ['a new file', () => writeFileSync(join(g.tree, 'sub/new.c'), 'int b;\n'), 'new.c'],
    ['a commit', () => commitFiles(join(g.tree, 'sub'), { 'new.c': 'int b;\n' }, 'mine'), 'new.c'],
    [
      'a commit that is staged in the repository around it',
      () => {
        commitFiles(join(g.tree, 'sub'), { 'new.c': 'int b;\n' }, 'mine');
        git(g.tree, 'commit', '-q', '-am', 'bump');
      },
      'new.c',
    ],
  ])('%s inside does not travel and is said, with its name', async (_, change, name) => {
    fetchSub();
    change();
    writeFileSync(join(g.tree, 'a.txt'), 'changed\n');
    expect((await collected()).stat.filesChanged).toBe(1);
    expect(await diff()).not.toContain('Subproject');
    expect(await said()).toContain('in the submodule sub is not in the diff');
    expect(await said()).toContain(name);
    expect(g.said.join('\n')).toContain(name);
  });

  test('another commit that its remote has is taken over', async () => {
    const second = commitFiles(library, { 'lib.c': 'int c;\n' }, 'second');
    fetchSub();
    inSub('pull', '-q', 'origin', 'main');
    expect(await diff()).toContain(`-Subproject commit ${first}\n+Subproject commit ${second}`);
    expect(await said()).toBe('');
    inSub('checkout', '-q', first);
    inSub('fetch', '-q', '--depth=1', 'origin', second);
    inSub('checkout', '-q', 'FETCH_HEAD');
    expect(await diff()).toContain(`+Subproject commit ${second}`);
  });

  test('that .gitmodules says not to look at counts like any other', async () => {
    git(g.tree, 'config', '--file', '.gitmodules', 'submodule.sub.ignore', 'all');
    rmSync(join(g.tree, 'sub'), { recursive: true });
    expect(await diff()).toContain(`-Subproject commit ${first}`);
    mkdirSync(join(g.tree, 'sub'));
    expect(await diff()).not.toContain('Subproject');
  });

  test('files put into the folder of one that was not fetched are said', async () => {
    mkdirSync(join(g.tree, 'sub/deep'), { recursive: true });
    writeFileSync(join(g.tree, 'sub/deep/x'), 'x\n');
    expect(await said()).toMatch(/submodule sub, which was not fetched, are not in the diff: deep\/x/);
  });

  test('removed, or turned into plain files', async () => {
    git(g.tree, 'rm', '-q', 'sub');
    expect(await diff()).toContain(`-Subproject commit ${first}`);
    mkdirSync(join(g.tree, 'sub'));
    writeFileSync(join(g.tree, 'sub/lib.c'), 'int v;\n');
    const text = await diff();
    expect(text).toContain('+++ b/sub/lib.c');
    expect(text).toContain(`-Subproject commit ${first}`);
    expect(await said()).toBe('');
  });

  test('gone at one save and back at the next', async () => {
    rmSync(join(g.tree, 'sub'), { recursive: true });
    expect(await diff()).toContain('-Subproject');
    fetchSub();
    expect((await collected()).stat.filesChanged).toBe(0);
  });

  test('a new one refers to a commit of its remote; one nobody else has is taken as files', async () => {
    const other = makeRepo(join(temp.make(), 'other'), { x: 'x\n' });
    git(g.tree, 'submodule', '--quiet', 'add', other.dir, 'more');
    expect(await diff()).toContain(`+Subproject commit ${other.commit}`);
    expect(await said()).toBe('');
    commitFiles(join(g.tree, 'more'), { y: 'y\n' }, 'mine');
    git(g.tree, 'add', 'more');
    const text = await diff();
    expect(text).not.toContain('Subproject');
    expect(text).toContain('+++ b/more/y');
    expect(await said()).toContain('more is a repository of its own');
  });
});

test('a clone inside: its files, ignored ones added with force too, and that its history stays behind', async () => {
  git(g.tree, 'clone', '-q', library, 'copy');
  writeFileSync(join(g.tree, 'copy/kept.o'), 'x\n');
  writeFileSync(join(g.tree, 'copy/left.o'), 'x\n');
  git(join(g.tree, 'copy'), 'add', '-f', 'kept.o');
  git(g.tree, 'add', 'copy');
  for (const _ of ['at the first save', 'at the second']) {
    const text = await diff();
    expect(text).toContain('b/copy/lib.c');
    expect(text).toContain('b/copy/kept.o');
    expect(text).not.toContain('left.o');
    expect(text).not.toContain('Subproject');
    expect(await said()).toContain('copy is a repository of its own');
  }
});

test('a clone inside a folder whose name is no text', async () => {
  const name = Buffer.concat([Buffer.from(`${g.tree}/caf`), Buffer.from([0xe9])]);
  git(g.tree, 'clone', '-q', library, 'copy');
  const { renameSync } = await import('node:fs');
  renameSync(join(g.tree, 'copy'), name);
  expect(await diff()).toContain('b/caf\\351/lib.c');
  expect(await said()).toContain('caf\\351 is a repository of its own');
});

test('a hostile submodule runs nothing, and pipes in it hold nobody up', async () => {
  fetchSub();
  const { execFileSync } = await import('node:child_process');
  const { chmodSync, existsSync } = await import('node:fs');
  const proof = join(g.base, 'pwned');
  const evil = join(g.base, 'evil.sh');
  writeFileSync(evil, `#!/bin/sh\ntouch ${proof}\n`);
  chmodSync(evil, 0o755);
  for (const name of ['core.fsmonitor', 'core.sshCommand', 'filter.evil.clean', 'core.alternateRefsCommand'])
    inSub('config', name, evil);
  writeFileSync(join(g.tree, 'sub/.gitattributes'), '* filter=evil\n');
  rmSync(join(g.tree, '.git/modules/sub/packed-refs'), { force: true });
  execFileSync('mkfifo', [join(g.tree, '.git/modules/sub/packed-refs')]);
  expect(await said()).toContain('.gitattributes');
  expect(existsSync(proof)).toBe(false);
});
