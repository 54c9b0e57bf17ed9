import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf, diffOfJob, openCheckout, pictureOf } from '../../testing/checkouts.ts';
import { Desk } from '../../testing/hangar.ts';
import type { Checkout } from '../checkout.ts';
import { checkPull, type Incoming, pullIntoBranch, pullIntoTree } from './pull.ts';
import { undoPull } from './undo.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.dispose());

const open = (): Promise<Checkout> => openCheckout(desk, 'app');
const diffOf = (change: (root: string) => void): Incoming => diffOfJob(desk, 'app', change);
const stored = (rev: string): string => desk.git('app', 'show', rev);

/** Pulls, and answers the code of a refusal; asking first must say the same, and git must find nothing to do after it. */
async function pull(incoming: Incoming): Promise<unknown> {
  const before = pictureOf(desk, 'app');
  const asked = await codeOf(checkPull(await open(), incoming));
  expect(pictureOf(desk, 'app')).toBe(before);
  const done = await codeOf(pullIntoTree(await open(), incoming, { stash: false }));
  expect(done).toBe(asked);
  if (done !== null) expect(pictureOf(desk, 'app')).toBe(before);
  // As if every file had been checked out and added by git itself.
  desk.git('app', 'add', '--renormalize', '--all');
  expect(desk.git('app', 'diff', '--name-only')).toBe('');
  return done;
}

/** A filter that turns letters by 13: like a cipher without a header, what it made can be mistaken for what it was given. */
function cipher(): void {
  desk.repo('app', { '.gitattributes': 'secrets/** filter=crypt\n', 'a.txt': 'a\n' });
  const turn = "tr 'a-zA-Z' 'n-za-mN-ZA-M'";
  desk.git('app', 'config', 'filter.crypt.clean', turn);
  desk.git('app', 'config', 'filter.crypt.smudge', turn);
  desk.git('app', 'config', 'filter.crypt.required', 'true');
  desk.write('app/secrets/old.txt', 'attack at dawn\n');
  desk.git('app', 'add', '--all');
  desk.git('app', 'commit', '--quiet', '-m', 'secret');
  expect(stored('HEAD:secrets/old.txt')).toBe('nggnpx ng qnja\n');
}

describe('what a filter encrypts', () => {
  it('is encrypted in index and commit when a job has made it', async () => {
    cipher();
    const incoming = diffOf((root) => writeFileSync(join(root, 'secrets/new.txt'), 'attack at noon\n'));
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    expect(stored(':secrets/new.txt')).toBe('nggnpx ng abba\n');
    expect(readFileSync(desk.path('app/secrets/new.txt'), 'utf8')).toBe('attack at noon\n');
    await undoPull(await open());
    expect(pictureOf(desk, 'app')).toBe(before);
    const { commit } = await pullIntoBranch(await open(), incoming, 'job');
    expect(stored(`${commit}:secrets/new.txt`)).toBe('nggnpx ng abba\n');
  });

  it('is neither guessed nor stored as text when a job has changed it', async () => {
    cipher();
    const incoming = diffOf((root) => writeFileSync(join(root, 'secrets/old.txt'), 'attack at noon\n'));
    expect(await pull(incoming)).toBe('filter_blocks');
    expect(await codeOf(pullIntoBranch(await open(), incoming, 'job'))).toBe('filter_blocks');
    expect(desk.git('app', 'branch', '--list', 'job')).toBe('');
    desk.write('app/secrets/old.txt', 'attack at dusk\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'mine');
    expect(await pull(incoming)).toBe('filter_blocks');
  });

  it('stays as it is stored when a job only moves it', async () => {
    cipher();
    const incoming = diffOf((root) => {
      renameSync(join(root, 'secrets/old.txt'), join(root, 'secrets/moved.txt'));
      writeFileSync(join(root, 'a.txt'), 'A\n');
    });
    expect(await pull(incoming)).toBeNull();
    expect(stored(':secrets/moved.txt')).toBe('nggnpx ng qnja\n');
    expect(readFileSync(desk.path('app/secrets/moved.txt'), 'utf8')).toBe('attack at dawn\n');
  });

  it('is refused where the filter is not set up, fails, or would be a program of the job', async () => {
    cipher();
    const incoming = diffOf((root) => writeFileSync(join(root, 'secrets/new.txt'), 'attack at noon\n'));
    desk.git('app', 'config', '--unset', 'filter.crypt.required');
    desk.git('app', 'config', 'filter.crypt.clean', 'false');
    expect(await codeOf(checkPull(await open(), incoming))).toBe('filter_blocks');
    expect(await codeOf(pullIntoTree(await open(), incoming, { stash: false }))).toBe('filter_blocks');
    desk.git('app', 'config', '--remove-section', 'filter.crypt');
    await expect(pullIntoTree(await open(), incoming, { stash: false })).rejects.toMatchObject({
      code: 'filter_blocks',
      details: { files: ['secrets/new.txt'] },
    });
    expect(existsSync(desk.path('app/secrets/new.txt'))).toBe(false);

    const proof = desk.path('pwned');
    desk.write('app/tools/crypt.sh', '#!/bin/sh\ncat\n');
    chmodSync(desk.path('app/tools/crypt.sh'), 0o755);
    desk.git('app', 'add', 'tools');
    desk.git('app', 'commit', '--quiet', '-m', 'tool');
    for (const kind of ['clean', 'smudge']) desk.git('app', 'config', `filter.crypt.${kind}`, './tools/crypt.sh %f');
    const evil = diffOf((root) => {
      writeFileSync(join(root, 'tools/crypt.sh'), `#!/bin/sh\ntouch ${proof}\ncat\n`);
      writeFileSync(join(root, 'secrets/new.txt'), 'x\n');
    });
    expect(await codeOf(pullIntoTree(await open(), evil, { stash: false }))).toBe('filter_blocks');
    expect(await codeOf(pullIntoBranch(await open(), evil, 'job'))).toBe('filter_blocks');
    expect(existsSync(proof)).toBe(false);
    await pullIntoTree(await open(), incoming, { stash: false });
  });
});

describe('what a filter normalises', () => {
  it('is normalised, also by attributes that the diff brings, and in conflicts', async () => {
    desk.repo('app', { '.gitattributes': '*.up filter=up\n', 'a.up': 'ONE\nTWO\n' });
    desk.git('app', 'config', 'filter.up.clean', 'tr a-z A-Z');
    const incoming = diffOf((root) => {
      writeFileSync(join(root, '.gitattributes'), '*.up filter=up\n*.loud filter=up\n');
      writeFileSync(join(root, 'a.up'), 'ONE\ntheirs\n');
      writeFileSync(join(root, 'b.loud'), 'new\n');
    });
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    expect(stored(':a.up')).toBe('ONE\nTHEIRS\n');
    expect(stored(':b.loud')).toBe('NEW\n');
    await undoPull(await open());
    expect(pictureOf(desk, 'app')).toBe(before);
    desk.write('app/a.up', 'ONE\nMINE\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'mine');
    const { conflicts } = await pullIntoTree(await open(), incoming, { stash: false });
    expect(conflicts).toEqual(['a.up']);
    expect(stored(':3:a.up')).toBe('ONE\nTHEIRS\n');
    expect(readFileSync(desk.path('app/a.up'), 'utf8')).toContain('<<<<<<<');
  });

  it.each([
    ['eol', '*.txt text eol=crlf\n', 'one\n', 'one\r\ntwo\r\n', 'one\ntwo\n', 'one\r\ntwo\r\n'],
    ['ident', '*.txt ident\n', '$Id$\n', '$Id$\ntwo\n', '$Id$\ntwo\n', null],
    ['encoding', '*.txt working-tree-encoding=UTF-16LE\n', null, null, 'one\nzwei ü\n', null],
  ])('%s', async (name, attributes, first, theirs, inIndex, inTree) => {
    const utf16 = name === 'encoding';
    const content = (text: string) => (utf16 ? Buffer.from(text, 'utf16le') : Buffer.from(text));
    desk.repo('app', { '.gitattributes': attributes, 'a.txt': content(first ?? 'one\n') });
    const incoming = diffOf((root) => {
      writeFileSync(join(root, 'a.txt'), content(theirs ?? inIndex));
      writeFileSync(join(root, 'new.txt'), content(theirs ?? inIndex));
    });
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    for (const file of ['a.txt', 'new.txt']) {
      expect(stored(`:${file}`)).toBe(inIndex);
      const found = readFileSync(desk.path('app', file));
      if (utf16) expect(found).toEqual(content(inIndex));
      else if (inTree !== null) expect(found.toString()).toBe(inTree);
      else expect(found.toString()).toMatch(/^\$Id: [0-9a-f]{40} \$\ntwo\n$/);
    }
    await undoPull(await open());
    expect(pictureOf(desk, 'app')).toBe(before);
  });

  it('and cannot be written by it: asking says so, too', async () => {
    desk.repo('app', { '.gitattributes': '*.up filter=up\n', 'a.up': 'ONE\n' });
    desk.git('app', 'config', 'filter.up.clean', 'tr a-z A-Z');
    desk.git('app', 'config', 'filter.up.smudge', 'gone-program');
    const incoming = diffOf((root) => writeFileSync(join(root, 'new.up'), 'new\n'));
    expect(await codeOf(checkPull(await open(), incoming))).toBe('filter_blocks');
    expect(await pull(incoming)).toBe('filter_blocks');
    expect(await codeOf(pullIntoBranch(await open(), incoming, 'job'))).toBeNull();
    desk.git('app', 'config', 'filter.up.clean', 'gone-program');
    const refused: unknown = await pullIntoTree(await open(), incoming, { stash: false }).catch((error) => error);
    expect(JSON.stringify(refused)).toContain('gone-program');
    // How it is started is no business of the person.
    expect(JSON.stringify(refused)).not.toContain('GIT_DIR');
  });

  // A driver that only fails, one that is required, one that works one way, one that takes some files and not others.
  it.each([
    ['clean', { clean: 'gone-program' }],
    ['smudge', { smudge: 'gone-program' }],
    ['smudge, required', { smudge: 'gone-program', required: 'true' }],
    ['both', { clean: 'cat', smudge: 'false', required: 'true' }],
    ['the way in of one file', { clean: 'cat', smudge: 'grep -v pick' }],
    ['process', { process: 'gone-program' }],
    ['required and nothing else', { required: 'true' }],
    ['beside others, both', { clean: 'cat', smudge: 'false', required: 'true' }],
    ['beside others, smudge', { smudge: 'gone-program' }],
    ['nothing', { clean: 'cat', smudge: 'cat' }],
  ])('and fails by attributes that the diff brings (%s): asking says what the pull then does', async (_, driver) => {
    desk.repo('app', {
      'a.x': 'one\n',
      'a.up': 'ONE\n',
      'sub/b.x': 'two\n',
      ...(_.startsWith('beside') && { '.gitattributes': '*.y text\n', 'sub/.gitattributes': '' }),
    });
    // Of files as young as the index git asks the filter again whenever it likes.
    for (const file of ['a.x', 'a.up', 'sub/b.x']) utimesSync(desk.path('app', file), 1e9, 1e9);
    desk.git('app', 'update-index', '--refresh');
    for (const [key, value] of Object.entries(driver)) desk.git('app', 'config', `filter.foo.${key}`, value);
    const attributes = '*.x filter=foo\n';
    const diffs = {
      'with a file of it': (root: string) => writeFileSync(join(root, 'new.x'), 'pick\n'),
      'with a file that was here': (root: string) => writeFileSync(join(root, 'a.x'), 'pick\n'),
      'with one that is moved to it': (root: string) => renameSync(join(root, 'a.up'), join(root, 'up.x')),
      'with one that changes its mode': (root: string) => chmodSync(join(root, 'a.x'), 0o755),
      alone: () => {},
    };
    for (const [name, change] of Object.entries(diffs))
      for (const where of ['.gitattributes', 'sub/.gitattributes']) {
        const incoming = diffOf((root) => {
          writeFileSync(join(root, where), attributes);
          change(root);
        });
        const before = pictureOf(desk, 'app');
        const asked = await codeOf(checkPull(await open(), incoming));
        const done = await codeOf(pullIntoTree(await open(), incoming, { stash: false }));
        expect(`${name} ${where} ${done}`).toBe(`${name} ${where} ${asked}`);
        expect([null, 'filter_blocks']).toContain(done);
        if (done === null) await undoPull(await open());
        expect(pictureOf(desk, 'app')).toBe(before);
      }
  });

  it('and fails by attributes that git does not know of: asking says so, too', async () => {
    desk.repo('app', { 'a.x': 'one\n', 'sub/b.x': 'two\n' });
    desk.write('app/.git/info/exclude', '.gitattributes\n');
    desk.git('app', 'config', 'filter.foo.smudge', 'grep -v pick');
    for (const where of ['.gitattributes', 'sub/.gitattributes']) {
      desk.write(join('app', where), '*.x filter=foo\n');
      const incoming = diffOf((root) => writeFileSync(join(root, 'sub/b.x'), 'pick\n'));
      expect(await pull(incoming), where).toBe('filter_blocks');
      rmSync(desk.path('app', where));
    }
  });

  it('and cannot be written: each file is named whole, and where it was tried is not', async () => {
    desk.repo('app', { '.gitattributes': '*.x filter=foo\n' });
    desk.git('app', 'config', 'filter.foo.required', 'true');
    desk.git('app', 'config', 'filter.foo.clean', 'cat');
    desk.git('app', 'config', 'filter.foo.smudge', 'false');
    const incoming = diffOf((root) => writeFileSync(join(root, 'one\nother.x'), 'pick\n'));
    const said = async () => JSON.stringify(await checkPull(await open(), incoming).catch((error) => error.details));
    const smudge = await said();
    expect(smudge).toContain('one\\\\nother.x: smudge filter foo failed');
    expect(smudge).not.toMatch(/GIT_DIR|filtered/);
    desk.git('app', 'config', 'filter.foo.clean', 'false');
    expect(await said()).toContain("one\\\\nother.x: clean filter 'foo' failed");
  });

  it('is written by a program that is found from the top of the checkout', async () => {
    desk.repo('app', { '.gitattributes': '*.x filter=foo\n', 'tools/up.sh': '#!/bin/sh\ntr a-z A-Z\n' });
    chmodSync(desk.path('app/tools/up.sh'), 0o755);
    desk.git('app', 'config', 'filter.foo.smudge', 'tools/up.sh %f');
    desk.git('app', 'config', 'filter.foo.clean', 'tr A-Z a-z');
    await pullIntoTree(
      await open(),
      diffOf((root) => writeFileSync(join(root, 'new.x'), 'one\n')),
      { stash: false },
    );
    expect(readFileSync(desk.path('app/new.x'), 'utf8')).toBe('ONE\n');
  });

  it('line ends by attributes and settings of this checkout alone', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    desk.git('app', 'config', 'core.autocrlf', 'input');
    desk.write('app/.git/info/attributes', '*.dat text\n');
    const incoming = diffOf((root) => {
      writeFileSync(join(root, 'new.txt'), 'one\r\ntwo\r\n');
      writeFileSync(join(root, 'new.dat'), 'one\r\ntwo\r\n');
    });
    await pullIntoTree(await open(), incoming, { stash: false });
    for (const file of ['new.txt', 'new.dat']) expect(stored(`:${file}`)).toBe('one\ntwo\n');
  });
});

describe('git-lfs', () => {
  it('has pointers in index and commit, and contents in the work tree', async ({ skip }) => {
    try {
      execFileSync('git', ['lfs', 'version'], { stdio: 'ignore' });
    } catch {
      return skip('there is no git-lfs here');
    }
    desk.repo('app', { 'a.txt': 'a\n' });
    desk.git('app', 'lfs', 'install', '--local', '--skip-repo');
    desk.write('app/.gitattributes', '*.bin filter=lfs diff=lfs merge=lfs -text\n');
    desk.write('app/old.bin', Buffer.alloc(100, 1));
    desk.git('app', 'add', '--all');
    desk.git('app', 'commit', '--quiet', '-m', 'lfs');
    const incoming = diffOf((root) => {
      writeFileSync(join(root, 'old.bin'), Buffer.alloc(100, 2));
      writeFileSync(join(root, 'new.bin'), Buffer.alloc(100, 3));
    });
    const before = pictureOf(desk, 'app');
    expect(await pull(incoming)).toBeNull();
    for (const file of ['old.bin', 'new.bin']) expect(stored(`:${file}`)).toMatch(/^version https:\/\/git-lfs/);
    expect(readFileSync(desk.path('app/new.bin'))).toEqual(Buffer.alloc(100, 3));
    await undoPull(await open());
    expect(pictureOf(desk, 'app')).toBe(before);
    const { commit } = await pullIntoBranch(await open(), incoming, 'job');
    desk.git('app', 'lfs', 'fsck', commit);
    // A clone without git-lfs sees pointers only: it takes pointers, and nothing else.
    desk.git('app', 'config', '--remove-section', 'filter.lfs');
    expect(await codeOf(pullIntoTree(await open(), incoming, { stash: false }))).toBe('filter_blocks');
  });
});
