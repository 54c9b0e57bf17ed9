import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf, diffOfJob, openCheckout, pictureOf } from '../../testing/checkouts.ts';
import { Desk } from '../../testing/hangar.ts';
import { checkPull, pullIntoTree } from './pull.ts';
import { undoPull } from './undo.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.dispose());

/** A name in a folder, byte for byte. */
const at = (folder: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, 'latin1')]);

describe('paths that are no text', () => {
  const CAFE = 'caf\xe9.txt';
  const open = () => openCheckout(desk, 'app');

  function repo(): void {
    desk.repo('app', { 'a.txt': 'a\n' });
    writeFileSync(at(desk.path('app'), CAFE), 'cafe\n');
    desk.git('app', 'add', '--all');
    desk.git('app', 'commit', '--quiet', '-m', 'cafe');
  }

  it('are put aside and given back, byte for byte', async () => {
    repo();
    const incoming = diffOfJob(desk, 'app', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    writeFileSync(at(desk.path('app'), CAFE), 'MINE\n');
    const before = pictureOf(desk, 'app');
    const { stash } = await pullIntoTree(await open(), incoming, { stash: true });
    expect(stash).not.toBeNull();
    expect(readFileSync(at(desk.path('app'), CAFE), 'utf8')).toBe('cafe\n');
    expect(await undoPull(await open())).toMatchObject({ unstashed: true });
    expect(readFileSync(at(desk.path('app'), CAFE), 'utf8')).toBe('MINE\n');
    expect(pictureOf(desk, 'app')).toBe(before);
  });

  it('are changed, made, removed, linked and taken back, also when they are in conflict', async () => {
    repo();
    const incoming = diffOfJob(desk, 'app', (root) => {
      writeFileSync(at(root, CAFE), 'theirs\n');
      writeFileSync(at(root, 'new \xff\n\t".txt'), 'new\n');
      symlinkSync(at('', 'to \xfe').subarray(1), at(root, 'link \xe9'));
      rmSync(join(root, 'a.txt'));
    });
    const before = pictureOf(desk, 'app');
    await checkPull(await open(), incoming);
    expect(pictureOf(desk, 'app')).toBe(before);
    await pullIntoTree(await open(), incoming, { stash: false });
    expect(readFileSync(at(desk.path('app'), CAFE), 'utf8')).toBe('theirs\n');
    expect(readFileSync(at(desk.path('app'), 'new \xff\n\t".txt'), 'utf8')).toBe('new\n');
    await expect(undoPull(await open())).resolves.toMatchObject({
      files: expect.arrayContaining(['caf\\351.txt', 'link \\351']),
    });
    expect(pictureOf(desk, 'app')).toBe(before);

    writeFileSync(at(desk.path('app'), CAFE), 'mine\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'mine');
    const committed = pictureOf(desk, 'app');
    const { conflicts } = await pullIntoTree(await open(), incoming, { stash: false });
    expect(conflicts).toEqual(['caf\udce9.txt']);
    expect(readFileSync(at(desk.path('app'), CAFE), 'utf8')).toContain('<<<<<<<');
    await undoPull(await open());
    expect(pictureOf(desk, 'app')).toBe(committed);
  });

  it('are named as git names them when they are in the way', async () => {
    repo();
    const incoming = diffOfJob(desk, 'app', (root) => writeFileSync(at(root, CAFE), 'theirs\n'));
    writeFileSync(at(desk.path('app'), CAFE), 'MINE\n');
    await expect(pullIntoTree(await open(), incoming, { stash: false })).rejects.toMatchObject({
      code: 'tree_dirty',
      details: { files: ['caf\\351.txt'] },
    });
  });

  it('do not hide a checkout whose folder has a line end in its name', async () => {
    desk.repo('two\nlines', { 'a.txt': 'a\n' });
    const incoming = diffOfJob(desk, 'two\nlines', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    const before = pictureOf(desk, 'two\nlines');
    await pullIntoTree(await openCheckout(desk, 'two\nlines'), incoming, { stash: false });
    expect(readFileSync(desk.path('two\nlines/a.txt'), 'utf8')).toBe('A\n');
    await undoPull(await openCheckout(desk, 'two\nlines'));
    expect(pictureOf(desk, 'two\nlines')).toBe(before);
    expect(existsSync(desk.path('two'))).toBe(false);
    expect(await codeOf(undoPull(await openCheckout(desk, 'two\nlines')))).toBe('nothing_to_undo');
  });
});
