import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf, diffOfJob, openCheckout, pictureOf } from '../../testing/checkouts.ts';
import { Desk } from '../../testing/hangar.ts';
import type { Checkout } from '../checkout.ts';
import { checkPull, type Incoming, pullIntoTree } from './pull.ts';
import { undoPull } from './undo.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.dispose());

const open = (folder = 'app'): Promise<Checkout> => openCheckout(desk, folder);

/** Asks first, then pulls: both must say the same, the question must leave no trace, and undo must give all of it back. */
async function pull(incoming: Incoming, folder = 'app'): Promise<unknown> {
  const before = pictureOf(desk, folder);
  const asked = await codeOf(checkPull(await open(folder), incoming));
  expect(pictureOf(desk, folder)).toBe(before);
  const done = await codeOf(pullIntoTree(await open(folder), incoming, { stash: false }));
  expect(asked).toBe(done);
  if (done !== null) expect(pictureOf(desk, folder)).toBe(before);
  return done;
}

async function undo(before: string): Promise<void> {
  await undoPull(await open());
  expect(pictureOf(desk, 'app')).toBe(before);
}

const changing = (...names: string[]): Incoming =>
  diffOfJob(desk, 'app', (root) => {
    for (const name of names) {
      mkdirSync(join(root, name, '..'), { recursive: true });
      writeFileSync(join(root, name), 'theirs\n');
    }
  });

describe('asking whether a diff applies', () => {
  it('writes nothing into the work tree, and says what the pull then does', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const incoming = changing('a.txt', 'new.txt');
    rmSync(desk.path('app/a.txt'));
    expect(await pull(incoming)).toBe('tree_dirty');
    expect(existsSync(desk.path('app/a.txt'))).toBe(false);
  });

  it('is not misled by dates, by what is there already, or by a diff that was taken before', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const incoming = changing('a.txt', 'new.txt');
    utimesSync(desk.path('app/a.txt'), 1, 1);
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    await undo(before);
    desk.write('app/new.txt', 'theirs\n');
    desk.git('app', 'add', 'new.txt');
    desk.git('app', 'commit', '--quiet', '-m', 'the same file');
    expect(await pull(incoming)).toBeNull();
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'took it');
    expect(await pull(incoming)).toBeNull();
    expect(desk.git('app', 'status', '--porcelain')).toBe('');
    const moved = diffOfJob(desk, 'app', (root) => {
      renameSync(join(root, 'a.txt'), join(root, 'moved.txt'));
      rmSync(join(root, 'b.txt'));
    });
    expect(await pull(moved)).toBeNull();
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'took it');
    expect(await pull(moved)).toBeNull();
    expect(await checkPull(await open(), moved)).toMatchObject({ alreadyHere: true });
    expect(desk.git('app', 'status', '--porcelain')).toBe('');
  });

  it('sees ignored files, repositories and folders that are in the way', async () => {
    desk.repo('app', { 'a.txt': 'a\n', '.gitignore': '*.local\n' });
    const forced = diffOfJob(desk, 'app', (root) => {
      writeFileSync(join(root, '.gitignore'), '');
      writeFileSync(join(root, 'x.local'), 'theirs\n');
    });
    desk.write('app/x.local', 'precious\n');
    expect(await pull(forced)).toBe('diff_does_not_apply');
    expect(readFileSync(desk.path('app/x.local'), 'utf8')).toBe('precious\n');

    const inside = changing('inner/file.txt');
    desk.repo('app/inner', { 'mine.txt': 'mine\n' });
    expect(await pull(inside)).toBe('diff_does_not_apply');
    rmSync(desk.path('app/inner'), { recursive: true });

    const folder = changing('out');
    desk.write('app/out/kept.local', 'precious\n');
    expect(await pull(folder)).toBe('diff_does_not_apply');
    rmSync(desk.path('app/out'), { recursive: true });

    const below = changing('cache/deep.txt');
    desk.write('app/.git/info/exclude', 'cache\n');
    desk.write('app/cache', 'precious\n');
    expect(await pull(below)).toBe('diff_does_not_apply');
  });

  it('sees changes that git was told not to look for, and keeps the marks of what is unchanged', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'b.txt': 'b\n', 'c.txt': 'c\n' });
    const incoming = changing('a.txt', 'b.txt');
    for (const [file, mark] of [
      ['a.txt', 'assume-unchanged'],
      ['b.txt', 'skip-worktree'],
    ] as const) {
      desk.git('app', 'update-index', `--${mark}`, file);
      desk.write(`app/${file}`, 'my own settings\n');
      expect(await pull(incoming), mark).toBe('tree_dirty');
      expect(readFileSync(desk.path('app', file), 'utf8')).toBe('my own settings\n');
      desk.write(`app/${file}`, `${file[0]}\n`);
    }
    desk.git('app', 'update-index', '--skip-worktree', 'c.txt');
    desk.write('app/c.txt', 'my own settings\n');
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    expect(desk.git('app', 'ls-files', '-v')).toBe('h a.txt\nS b.txt\nS c.txt\n');
    expect(readFileSync(desk.path('app/c.txt'), 'utf8')).toBe('my own settings\n');
    await undo(before);
  });

  it.each(['--cone', '--no-cone'])('stays inside a sparse checkout (%s)', async (cone) => {
    desk.repo('app', { 'in/a.txt': 'a\n', 'out/b.txt': 'b\n', 'out/c.txt': 'c\n', 'far/d.txt': 'd\n' });
    const incoming = diffOfJob(desk, 'app', (root) => {
      writeFileSync(join(root, 'in/a.txt'), 'A\n');
      writeFileSync(join(root, 'out/b.txt'), 'B\n');
      rmSync(join(root, 'out/c.txt'));
    });
    desk.git('app', 'sparse-checkout', 'set', cone, 'in');
    const before = pictureOf(desk, 'app');
    expect(existsSync(desk.path('app/out'))).toBe(false);
    expect(await pull(incoming)).toBeNull();
    expect(existsSync(desk.path('app/out'))).toBe(false);
    expect(desk.git('app', 'status', '--porcelain')).toBe('M  in/a.txt\nM  out/b.txt\nD  out/c.txt\n');
    expect(desk.git('app', 'show', ':out/b.txt')).toBe('B\n');
    await undo(before);
  });

  it('tells a conflict as it will be', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    const incoming = changing('a.txt');
    desk.write('app/a.txt', 'mine\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'mine');
    const { conflicts } = await checkPull(await open(), incoming);
    expect(conflicts).toEqual(['a.txt']);
    expect((await pullIntoTree(await open(), incoming, { stash: false })).conflicts).toEqual(conflicts);
    expect(await codeOf(checkPull(await open(), incoming))).toBe('tree_dirty');
  });
});

describe('a binary file in conflict', () => {
  it('stays ours, is named and unmerged, and is given back', async () => {
    desk.repo('app', { 'b.bin': Buffer.from([0, 1, 2]) });
    const incoming = diffOfJob(desk, 'app', (root) => writeFileSync(join(root, 'b.bin'), Buffer.from([0, 7, 7])));
    desk.write('app/b.bin', Buffer.from([0, 9, 9]));
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'mine');
    const before = pictureOf(desk, 'app');
    expect(await checkPull(await open(), incoming)).toEqual({ conflicts: ['b.bin'], alreadyHere: false });
    expect((await pullIntoTree(await open(), incoming, { stash: false })).conflicts).toEqual(['b.bin']);
    expect(desk.git('app', 'status', '--porcelain')).toBe('UU b.bin\n');
    expect(readFileSync(desk.path('app/b.bin'))).toEqual(Buffer.from([0, 9, 9]));
    await undo(before);
  });
});

describe('uncommitted changes', () => {
  it('stand in the way only where the diff meets them, and undo leaves them alone', async () => {
    const files = { 'a.txt': 'a\n', 'mine.txt': 'm\n', 'staged.txt': 's\n', 'gone.txt': 'g\n', 'mode.sh': 'x\n' };
    desk.repo('app', files);
    const incoming = diffOfJob(desk, 'app', (root) => {
      writeFileSync(join(root, 'a.txt'), 'A\n');
      writeFileSync(join(root, 'new.txt'), 'new\n');
    });
    desk.write('app/mine.txt', 'changed\n');
    desk.write('app/staged.txt', 'staged\n');
    desk.git('app', 'add', 'staged.txt');
    desk.write('app/staged.txt', 'staged and more\n');
    rmSync(desk.path('app/gone.txt'));
    chmodSync(desk.path('app/mode.sh'), 0o755);
    desk.git('app', 'rm', '--quiet', '--cached', 'mode.sh');
    desk.write('app/intent.txt', 'soon\n');
    desk.git('app', 'add', '--intent-to-add', 'intent.txt');
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    expect(readFileSync(desk.path('app/mine.txt'), 'utf8')).toBe('changed\n');
    expect(desk.git('app', 'show', ':staged.txt')).toBe('staged\n');
    await undo(before);
    expect(await pull(incoming)).toBeNull();
    desk.write('app/mine.txt', 'changed again\n');
    await undoPull(await open());
    expect(readFileSync(desk.path('app/mine.txt'), 'utf8')).toBe('changed again\n');
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('a\n');
  });

  it.each([
    ['the same file', 'dir/a.txt', (root: string) => writeFileSync(join(root, 'dir/a.txt'), 'mine\n')],
    ['a file where the diff has a folder', 'new/b.txt', (root: string) => writeFileSync(join(root, 'new'), 'mine\n')],
    ['a removed file', 'dir/a.txt', (root: string) => rmSync(join(root, 'dir/a.txt'))],
    ['a staged new file', 'c.txt', (root: string) => writeFileSync(join(root, 'c.txt'), 'mine\n')],
  ])('stand in the way: %s', async (_, theirs, mine) => {
    desk.repo('app', { 'dir/a.txt': 'a\n', 'other.txt': 'o\n' });
    const incoming = changing(theirs);
    mine(desk.path('app'));
    desk.git('app', 'add', '--all');
    expect(await pull(incoming)).toBe('tree_dirty');
  });

  it('staged just as the diff makes them do not stand in its way', async () => {
    desk.repo('app', { 'dir/a.txt': 'a\n', 'other.txt': 'o\n' });
    const incoming = changing('dir/a.txt', 'new.txt', 'other.txt');
    for (const name of ['dir/a.txt', 'new.txt']) desk.write(`app/${name}`, 'theirs\n');
    desk.git('app', 'add', '--all');
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    expect(readFileSync(desk.path('app/other.txt'), 'utf8')).toBe('theirs\n');
    await undo(before);
    expect((await pullIntoTree(await open(), incoming, { stash: true })).stash).not.toBeNull();
    await undo(before);
    desk.write('app/new.txt', 'mine after all\n');
    expect(await pull(incoming)).toBe('tree_dirty');
  });

  it('that were put aside and taken back by hand are no reason not to undo', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'mine.txt': 'm\n' });
    const incoming = changing('a.txt');
    desk.write('app/mine.txt', 'changed\n');
    await pullIntoTree(await open(), incoming, { stash: true });
    desk.git('app', 'stash', 'pop', '--quiet');
    desk.write('app/mine.txt', 'changed again\n');
    expect(await undoPull(await open())).toMatchObject({ files: ['a.txt'], unstashed: false });
    expect(desk.git('app', 'status', '--porcelain')).toBe(' M mine.txt\n');
    expect(readFileSync(desk.path('app/mine.txt'), 'utf8')).toBe('changed again\n');
  });

  it('of a submodule that git does not stash stay, unless the diff meets them', async () => {
    desk.repo('lib', { 'l.txt': 'l\n' });
    desk.repo('app', { 'a.txt': 'a\n', 'mine.txt': 'm\n' });
    desk.git('app', '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', desk.path('lib'), 'lib');
    desk.git('app', 'commit', '--quiet', '-m', 'lib');
    const incoming = changing('a.txt');
    desk.git('app/lib', 'commit', '--quiet', '--allow-empty', '-m', 'moved');
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    await undo(before);
    expect((await pullIntoTree(await open(), incoming, { stash: true })).stash).toBeNull();
    await undo(before);
    const older = desk.git('app', 'rev-parse', 'HEAD:lib').trim();
    desk.git('app', 'add', 'lib');
    desk.git('app', 'commit', '--quiet', '-m', 'moved');
    const newer = desk.git('app', 'rev-parse', 'HEAD:lib').trim();
    const pointer = {
      ...incoming,
      file: desk.write('pointer.diff', desk.git('app', 'diff', '-R', '--full-index', 'HEAD~')),
    };
    const committed = pictureOf(desk, 'app');
    expect(await pull(pointer)).toBeNull();
    expect(desk.git('app', 'rev-parse', ':lib').trim()).toBe(older);
    expect(older).not.toBe(newer);
    await undo(committed);
    // As .gitmodules can ask for, too: nobody wants to see it in git status.
    desk.git('app', 'config', 'submodule.lib.ignore', 'all');
    expect(await pullIntoTree(await open(), pointer, { stash: false })).toMatchObject({ alreadyHere: false });
    expect(desk.git('app', 'rev-parse', ':lib').trim()).toBe(older);
    desk.write('app/other.txt', 'other\n');
    desk.git('app', 'add', 'other.txt');
    await undoPull(await open());
    expect(desk.git('app', 'rev-parse', ':lib').trim()).toBe(newer);
    desk.git('app', 'rm', '--quiet', '-f', 'other.txt');
    desk.git('app', 'config', '--unset', 'submodule.lib.ignore');
    desk.git('app/lib', 'commit', '--quiet', '--allow-empty', '-m', 'moved again');
    for (const stash of [false, true])
      await expect(pullIntoTree(await open(), pointer, { stash })).rejects.toMatchObject({
        code: 'tree_dirty',
        details: { files: ['lib'] },
      });
  });
});
