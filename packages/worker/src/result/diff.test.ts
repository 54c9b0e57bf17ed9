import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type Git, openGit } from '../git/git.ts';
import { git, makeRepo, tempFolders } from '../testing/fixtures.ts';
import { type Ground, ground, listing } from '../testing/ground.ts';
import { collectDiff } from './diff.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

let g: Ground;
beforeEach(async () => {
  g = await ground(temp.make());
});

describe('collectDiff', () => {
  test('nothing done is an empty diff; the same again is not written', async () => {
    const first = await g.collect();
    expect(first?.stat).toEqual({ filesChanged: 0, insertions: 0, deletions: 0, sizeBytes: 0 });
    expect(await g.collect(first?.tree)).toBeNull();
  });

  test('changed, new, deleted, renamed, binary, mode, link: applies to the base and gives the same files', async () => {
    const { tree } = g;
    writeFileSync(join(tree, 'a.txt'), 'one\n2\nthree\nfour\nfive\nsix\n');
    writeFileSync(join(tree, 'new.txt'), 'new\n');
    unlinkSync(join(tree, 'dir/b.txt'));
    renameSync(join(tree, 'dir/c.txt'), join(tree, 'dir/see.txt'));
    writeFileSync(join(tree, 'bin.dat'), Buffer.from([9, 0, 9, 255]));
    symlinkSync('a.txt', join(tree, 'link'));
    writeFileSync(join(tree, 'run.sh'), '#!/bin/sh\n');
    chmodSync(join(tree, 'run.sh'), 0o755);
    mkdirSync(join(tree, 'ignored'));
    writeFileSync(join(tree, 'ignored/x'), 'x');
    const collected = await g.collect();
    expect(collected?.stat).toMatchObject({ filesChanged: 7, insertions: 5, deletions: 2 });
    expect(readFileSync(collected?.file ?? '', 'utf8')).toContain('rename to dir/see.txt');
    const clone = await g.applied();
    rmSync(join(tree, 'ignored'), { recursive: true });
    expect(listing(clone)).toBe(listing(tree));
  });

  test('odd names: newline, tab, quotes, unicode, leading dash, spaces, glob and pathspec signs, not UTF-8', async () => {
    const names = [
      'a\nb',
      'tab\tx',
      '"q"',
      "it's",
      'ünï😀',
      '-rf',
      '--help',
      ' lead',
      'trail ',
      '*',
      '[x]',
      ':(top)y',
      '\\b',
      '!n',
      '#c',
    ];
    for (const name of names) writeFileSync(join(g.tree, name), `${name}\n`);
    writeFileSync(Buffer.concat([Buffer.from(`${g.tree}/`), Buffer.from([0x66, 0xff, 0xfe])]), 'latin\n');
    expect((await g.collect())?.stat.filesChanged).toBe(names.length + 1);
    expect(listing(await g.applied())).toBe(listing(g.tree));
  });

  test('files that are as they were are listed for nobody: a repository may have very many', async () => {
    const { tree } = g;
    git(tree, 'add', '-A');
    writeFileSync(join(tree, 'a.txt'), 'changed\n');
    writeFileSync(join(tree, 'new.txt'), 'new\n');
    unlinkSync(join(tree, 'dir/b.txt'));
    await g.collect();
    expect(g.printed.filter((out) => out.includes('dir/c.txt'))).toEqual([]);
    expect(g.printed.filter((out) => out.includes('a.txt')).length).toBeGreaterThan(0);
    git(tree, 'update-index', '--skip-worktree', 'dir/c.txt');
    unlinkSync(join(tree, 'dir/c.txt'));
    expect((await g.collect())?.stat).toMatchObject({ filesChanged: 3 });
    expect(g.printed.filter((out) => out.includes('dir/c.txt')).length).toBeGreaterThan(0);
  });

  test('file becomes folder, folder becomes file, folder becomes link', async () => {
    const { tree } = g;
    unlinkSync(join(tree, 'a.txt'));
    mkdirSync(join(tree, 'a.txt'));
    writeFileSync(join(tree, 'a.txt/in'), 'x\n');
    renameSync(join(tree, 'dir'), join(tree, 'moved'));
    symlinkSync('moved', join(tree, 'dir'));
    rmSync(join(tree, 'bin.dat'));
    expect(listing(await g.applied())).toBe(listing(tree));
    await g.collect();
    rmSync(join(tree, 'moved'), { recursive: true });
    writeFileSync(join(tree, 'moved'), 'now a file\n');
    expect(listing(await g.applied())).toBe(listing(tree));
  });

  test('commits, another branch, a reset index, its own configuration: the diff is what the files say', async () => {
    const { tree } = g;
    writeFileSync(join(tree, 'new.txt'), 'new\n');
    git(tree, 'add', '-A');
    git(tree, 'commit', '-q', '-m', 'agent');
    git(tree, 'checkout', '-q', '-b', 'other');
    git(tree, 'rm', '-q', '--cached', 'a.txt');
    git(tree, 'update-index', '--assume-unchanged', 'dir/b.txt');
    writeFileSync(join(tree, 'dir/b.txt'), 'changed\n');
    writeFileSync(join(tree, '.git/info/exclude'), 'new.txt\n');
    git(tree, 'config', 'core.worktree', '/');
    expect((await g.collect())?.stat).toMatchObject({ filesChanged: 2 });
    expect(listing(await g.applied())).toBe(listing(tree));
  });

  test.each(['deletes .git', 'makes .git a file', 'breaks .git'])(
    'the agent %s: the diff is still there',
    async (what) => {
      writeFileSync(join(g.tree, 'new.txt'), 'new\n');
      rmSync(join(g.tree, '.git'), { recursive: true });
      if (what === 'makes .git a file') writeFileSync(join(g.tree, '.git'), 'gitdir: /etc\n');
      if (what === 'breaks .git') {
        mkdirSync(join(g.tree, '.git'));
        writeFileSync(join(g.tree, '.git/config'), '[core\nbroken');
      }
      expect((await g.collect())?.stat).toMatchObject({ filesChanged: 1, insertions: 1 });
    },
  );

  test('the work tree gone, or a link or file in its place', async () => {
    rmSync(g.tree, { recursive: true });
    await expect(g.collect()).rejects.toMatchObject({ code: 'worktree_gone' });
    symlinkSync('/etc', g.tree);
    await expect(g.collect()).rejects.toMatchObject({ code: 'worktree_gone' });
    unlinkSync(g.tree);
    writeFileSync(g.tree, 'x');
    await expect(g.collect()).rejects.toMatchObject({ code: 'worktree_gone' });
  });

  test('a hostile repository runs nothing during the diff', async () => {
    const { tree, base } = g;
    const proof = join(base, 'pwned');
    const evil = join(base, 'evil.sh');
    writeFileSync(evil, `#!/bin/sh\ntouch ${proof}\ncat\n`);
    chmodSync(evil, 0o755);
    for (const [name, value] of [
      ['core.fsmonitor', evil],
      ['core.hooksPath', base],
      ['diff.external', evil],
      ['diff.evil.command', evil],
      ['diff.evil.textconv', evil],
      ['filter.evil.clean', evil],
      ['filter.evil.smudge', evil],
      ['filter.evil.process', evil],
      ['filter.evil.required', 'true'],
      ['core.pager', evil],
      ['core.sshCommand', evil],
      ['core.alternateRefsCommand', evil],
    ] as const)
      git(tree, 'config', name, value);
    writeFileSync(join(tree, '.gitattributes'), '* filter=evil diff=evil\n');
    for (const hook of ['post-index-change', 'pre-commit', 'post-checkout']) {
      mkdirSync(join(tree, '.git/hooks'), { recursive: true });
      writeFileSync(join(tree, '.git/hooks', hook), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
    }
    // A submodule whose own configuration would run something when git looks into it.
    makeRepo(join(tree, 'sub'), { x: 'x\n' });
    git(join(tree, 'sub'), 'config', 'core.fsmonitor', evil);
    writeFileSync(join(tree, 'sub/x'), 'dirty\n');
    writeFileSync(join(tree, 'a.txt'), 'changed\n');
    expect((await g.collect())?.stat.filesChanged).toBe(3);
    expect(existsSync(proof)).toBe(false);
  });

  test('a repository the agent made inside is taken as files, at every save', async () => {
    makeRepo(join(g.tree, 'app/ünder'), { 'x.txt': 'x\n', 'deep/y.txt': 'y\n' });
    mkdirSync(join(g.tree, 'empty'));
    git(join(g.tree, 'empty'), 'init', '-q');
    writeFileSync(join(g.tree, 'empty/z'), 'z\n');
    expect((await g.collect())?.stat.filesChanged).toBe(3);
    writeFileSync(join(g.tree, 'app/ünder/x.txt'), 'x2\n');
    expect(listing(await g.applied())).toBe(listing(g.tree));
  });

  test('pipes, sockets and files nobody may read do not cost the rest', async () => {
    execFileSync('mkfifo', [join(g.tree, 'pipe')]);
    writeFileSync(join(g.tree, 'new.txt'), 'new\n');
    if (process.getuid?.() !== 0) {
      writeFileSync(join(g.tree, 'locked'), 'x');
      chmodSync(join(g.tree, 'locked'), 0);
    }
    expect((await g.collect())?.stat.filesChanged).toBe(1);
  });

  test('files over the limit are left out and named', async () => {
    const small = await ground(temp.make(), { 'a.txt': 'a\n' }, 1000);
    writeFileSync(join(small.tree, 'big\nname'), Buffer.alloc(2000, 'x'));
    writeFileSync(join(small.tree, 'ok'), 'ok\n');
    expect((await small.collect())?.stat.filesChanged).toBe(1);
    expect(small.said.at(-1)).toContain('big\\nname');
  });

  test('a lock left by a killed git does not stop the next one', async () => {
    writeFileSync(join(g.places.run, 'index.lock'), '');
    writeFileSync(join(g.tree, 'new.txt'), 'new\n');
    expect((await g.collect())?.stat.filesChanged).toBe(1);
  });

  test('when it fails, none of its work goes on: the folders are cleared away then', async () => {
    const { places, tree } = g;
    const store = openGit({ home: places.gitHome, base: process.env });
    let atWork = 0;
    const run: Git['run'] = async (args, call) => {
      if (args[0] === 'diff-index') throw new Error('lost');
      atWork++;
      // What else is read then takes longer than the failure.
      await setTimeout(200);
      return store.run(args, call).finally(() => atWork--);
    };
    const collecting = collectDiff(
      {
        ...{ git: { ...store, run }, store: places.store, tree, index: join(places.run, 'index') },
        ...{ baseTree: git(tree, 'rev-parse', 'HEAD^{tree}'), excludesFile: join(places.run, 'excludes') },
        ...{ maxFileBytes: 1 << 30, signal: new AbortController().signal, say: () => undefined },
      },
      join(places.run, 'd'),
    );
    await expect(collecting).rejects.toThrow('lost');
    expect(atWork).toBe(0);
  });

  test('10,000 files', async () => {
    const many = await ground(
      temp.make(),
      Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`d${n % 100}/f${n}`, `${n}\n`])),
    );
    for (let n = 0; n < 10_000; n += 10) writeFileSync(join(many.tree, `d${n % 100}/f${n}`), `${n} changed\n`);
    expect((await many.collect())?.stat).toMatchObject({ filesChanged: 1000, insertions: 1000, deletions: 1000 });
  });
});
