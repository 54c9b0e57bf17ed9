import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { HangarError } from '@hangar/contract';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf, diffOfJob, openCheckout, pictureOf } from '../../testing/checkouts.ts';
import { Desk } from '../../testing/hangar.ts';
import { type Checkout, findCheckout, needCheckout } from '../checkout.ts';
import { packChanges } from '../send/parcel.ts';
import { type Incoming, pullIntoBranch, pullIntoTree } from './pull.ts';
import { putBackIndex } from './snapshot.ts';
import { undoPull } from './undo.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

const { signal } = new AbortController();
let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.dispose());

const open = (folder: string): Promise<Checkout> => openCheckout(desk, folder);
const picture = (folder: string): string => pictureOf(desk, folder);
const diffOf = (folder: string, change: (root: string) => void): Incoming => diffOfJob(desk, folder, change);

describe('pull and undo', () => {
  it('gives back files, index and status exactly, whatever was changed (property)', async () => {
    const names = fc.constantFrom('a.txt', 'b.txt', 'dir/c.txt', 'dir/deep/d.bin', 'läng "q".txt', 'e', '-f', 'link');
    const content = fc.oneof(
      fc.string({ maxLength: 40 }).map((text) => Buffer.from(text)),
      fc
        .array(fc.constantFrom('one', 'two', 'three', 'four', ''), { maxLength: 30 })
        .map((lines) => Buffer.from(lines.join('\n'))),
      fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    );
    const entry = fc.record({ content, executable: fc.boolean(), link: fc.boolean() });
    const tree = fc.dictionary(names, fc.option(entry, { nil: null }), { maxKeys: 6 });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        tree,
        tree,
        tree,
        fc.subarray(['stage', 'untracked'] as const),
        async (first, theirs, mine, how) => {
          const folder = `p${run++}`;
          desk.repo(folder, { 'README.md': 'hello\n' });
          write(desk.path(folder), first);
          desk.git(folder, 'add', '--all');
          desk.git(folder, 'commit', '--quiet', '--allow-empty', '-m', 'base');
          const incoming = diffOf(folder, (root) => write(root, theirs));
          // Uncommitted work of the person: tracked files changed, partly staged, and new ones.
          write(
            desk.path(folder),
            Object.fromEntries(Object.entries(mine).filter(([name]) => how.includes('untracked') || name in first)),
          );
          if (how.includes('stage')) desk.git(folder, 'add', '--update');
          const before = picture(folder);
          const checkout = await open(folder);
          try {
            const { alreadyHere } = await pullIntoTree(checkout, incoming, { stash: true });
            if (alreadyHere) {
              expect(picture(folder)).toBe(before);
              return;
            }
          } catch (error) {
            if (!(error instanceof HangarError)) throw error;
            // Refused: then nothing has changed at all.
            expect(picture(folder)).toBe(before);
            return;
          }
          await undoPull(await open(folder));
          expect(picture(folder)).toBe(before);
        },
      ),
      { numRuns: 40 },
    );
  }, 180_000);

  it('applies to files and index, in a subfolder and in a linked work tree as well', async () => {
    desk.repo('app', { 'sub/a.txt': 'a\n', 'b.txt': 'b\n' });
    const incoming = diffOf('app', (root) => {
      writeFileSync(join(root, 'sub/a.txt'), 'A\n');
      writeFileSync(join(root, 'new.txt'), 'new\n');
      rmSync(join(root, 'b.txt'));
    });
    desk.git('app', 'worktree', 'add', '--quiet', '-b', 'side', '../side');
    for (const [folder, from] of [
      ['app', 'app/sub'],
      ['side', 'side/sub'],
    ] as const) {
      const before = picture(folder);
      await pullIntoTree(await open(from), incoming, { stash: false });
      expect(desk.git(folder, 'status', '--porcelain')).toBe('D  b.txt\nA  new.txt\nM  sub/a.txt\n');
      await undoPull(await open(from));
      expect(picture(folder)).toBe(before);
    }
  });

  it('refuses changed tracked files that the diff meets and names them; files git does not track are no hindrance', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    const incoming = diffOf('app', (root) => {
      writeFileSync(join(root, 'a.txt'), 'A\n');
      writeFileSync(join(root, 'b.txt'), 'b\n');
    });
    desk.write('app/note.txt', 'mine\n');
    await pullIntoTree(await open('app'), incoming, { stash: false });
    await undoPull(await open('app'));
    desk.write('app/a.txt', 'changed\n');
    const before = picture('app');
    await expect(pullIntoTree(await open('app'), incoming, { stash: false })).rejects.toMatchObject({
      code: 'tree_dirty',
      details: { files: ['a.txt'] },
    });
    expect(picture('app')).toBe(before);
  });

  it('does not overwrite a file git does not track or ignores', async () => {
    desk.repo('app', { '.gitignore': 'ignored\n' });
    const made = diffOf('app', (root) => writeFileSync(join(root, 'b.txt'), 'theirs\n'));
    desk.write('app/b.txt', 'mine\n');
    expect(await codeOf(pullIntoTree(await open('app'), made, { stash: true }))).toBe('diff_does_not_apply');
    expect(readFileSync(desk.path('app/b.txt'), 'utf8')).toBe('mine\n');
    const forced = diffOf('app', (root) => {
      writeFileSync(join(root, 'ignored'), 'theirs\n');
      execFileSync('git', ['add', '-f', 'ignored'], { cwd: root, env: desk.env });
    });
    desk.write('app/ignored', 'precious\n');
    const before = picture('app');
    expect(await codeOf(pullIntoTree(await open('app'), forced, { stash: false }))).toBe('diff_does_not_apply');
    expect(picture('app')).toBe(before);
  });

  it('leaves markers where it conflicts, names the files, and can still be taken back', async () => {
    desk.repo('app', { 'a.txt': 'one\ntwo\nthree\n' });
    const incoming = diffOf('app', (root) => {
      writeFileSync(join(root, 'a.txt'), 'one\nTHEIRS\nthree\n');
      writeFileSync(join(root, 'new.txt'), 'new\n');
    });
    desk.write('app/a.txt', 'one\nMINE\nthree\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'mine');
    const before = picture('app');
    const pulled = await pullIntoTree(await open('app'), incoming, { stash: false });
    expect(pulled.conflicts).toEqual(['a.txt']);
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toMatch(/<<<<<<< ours\nMINE\n=======\nTHEIRS\n>>>>>>> theirs/);
    expect(desk.git('app', 'status', '--porcelain')).toContain('UU a.txt');
    await undoPull(await open('app'));
    expect(picture('app')).toBe(before);
  });

  it('says so when the diff does not fit at all, and changes nothing', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    desk.repo('other', { 'zzz.txt': 'x\n' });
    const incoming = diffOf('other', (root) => writeFileSync(join(root, 'zzz.txt'), 'y\n'));
    const before = picture('app');
    expect(await codeOf(pullIntoTree(await open('app'), incoming, { stash: false }))).toBe('diff_does_not_apply');
    expect(picture('app')).toBe(before);
    expect(await codeOf(undoPull(await open('app')))).toBe('nothing_to_undo');
  });

  it('refuses a diff that leads out of the checkout', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    symlinkSync(desk.path('home'), desk.path('app/out'));
    const evil = (path: string): Incoming => ({
      ...{ jobId: 'j_evil00', title: 'Evil', baseCommit: null, sent: null },
      file: desk.write(
        'evil.diff',
        `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+evil\n`,
      ),
    });
    for (const path of ['../evil.txt', '.git/hooks/pre-commit', 'sub/../../evil.txt', 'out/evil.txt', '.GIT/config'])
      expect(await codeOf(pullIntoTree(await open('app'), evil(path), { stash: false })), path).toBe(
        'diff_does_not_apply',
      );
    // A link made by the diff itself, then a file behind it.
    const two = evil('x');
    writeFileSync(
      two.file,
      `diff --git a/link b/link\nnew file mode 120000\n--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+${desk.path('home')}\n\\ No newline at end of file\ndiff --git a/link/evil.txt b/link/evil.txt\nnew file mode 100644\n--- /dev/null\n+++ b/link/evil.txt\n@@ -0,0 +1 @@\n+evil\n`,
    );
    expect(await codeOf(pullIntoTree(await open('app'), two, { stash: false }))).toBe('diff_does_not_apply');
    expect(readdirSync(desk.path('home'))).toEqual([]);
  });

  it('refuses a diff of some bytes that unpacks to gigabytes', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    const bomb: Incoming = {
      ...{ jobId: 'j_bomb00', title: 'Bomb', baseCommit: null, sent: null },
      file: desk.write(
        'bomb.diff',
        `diff --git a/big b/big\nnew file mode 100644\nindex ${'0'.repeat(40)}..${'1'.repeat(40)}\nGIT binary patch\nliteral 5368709120\nzcmV\n\nliteral 0\nHcmV?d00001\n\n`,
      ),
    };
    const before = picture('app');
    expect(await codeOf(pullIntoTree(await open('app'), bomb, { stash: false }))).toBe('diff_does_not_apply');
    expect(picture('app')).toBe(before);
  });

  it('runs nothing for a folder of the work tree that looks like a repository', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    const trap = desk.path('app/vendor/trap');
    const proof = desk.path('pwned');
    desk.git('app', 'clone', '--quiet', '--bare', '.', 'vendor/trap');
    const evil = desk.write('evil.sh', `#!/bin/sh\ntouch ${proof}\ncat\n`);
    chmodSync(evil, 0o755);
    const core = `bare = false\n\tworktree = ${desk.path('app')}\n\tfsmonitor = ${evil}`;
    writeFileSync(join(trap, 'config'), `[core]\n\t${core}\n[filter "x"]\n\tclean = ${evil}\n`);
    desk.write('app/.gitattributes', '* filter=x\n');
    desk.write('app/a.txt', 'two\n');
    const found = await findCheckout(trap, { signal, env: desk.env }).catch(() => null);
    if (found !== null) await packChanges(found, 'HEAD', desk.path('home'));
    expect(existsSync(proof)).toBe(false);
    expect(found).toBeNull();
  });

  it('runs no hook that the diff brings, where hooks are kept in the repository', async () => {
    desk.repo('app', { 'a.txt': 'a\n', '.githooks/README': 'hooks\n' });
    desk.git('app', 'config', 'core.hooksPath', '.githooks');
    const proof = desk.path('pwned');
    const incoming = diffOf('app', (root) => {
      for (const name of ['post-index-change', 'reference-transaction', 'post-checkout'])
        writeFileSync(join(root, '.githooks', name), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
      writeFileSync(join(root, 'a.txt'), 'A\n');
    });
    await pullIntoTree(await open('app'), incoming, { stash: false });
    expect(readFileSync(desk.path('app/.githooks/post-index-change'), 'utf8')).toContain('touch');
    await pullIntoBranch(await open('app'), incoming, 'job');
    await undoPull(await open('app'));
    await undoPull(await open('app'));
    expect(existsSync(proof)).toBe(false);
  });

  it('means the repository of the folder, whatever the environment of a hook says', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    desk.repo('other', { 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const incoming = diffOf('app', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    const before = picture('other');
    const env = {
      ...desk.env,
      GIT_DIR: desk.path('other/.git'),
      GIT_WORK_TREE: desk.path('other'),
      GIT_INDEX_FILE: desk.path('other/.git/index'),
      GIT_OBJECT_DIRECTORY: desk.path('other/.git/objects'),
      GIT_PREFIX: 'sub/',
      GIT_NAMESPACE: 'x',
    };
    const checkout = needCheckout(await findCheckout(desk.path('app'), { signal, env }));
    expect(checkout.root).toBe(desk.path('app'));
    await pullIntoTree(checkout, incoming, { stash: false });
    expect(desk.git('app', 'status', '--porcelain')).toBe('M  a.txt\n');
    expect(picture('other')).toBe(before);
  });

  it('leaves nothing to undo when git refuses before it writes', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    const incoming = diffOf('app', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    desk.write('app/.git/index.lock', '');
    expect(await codeOf(pullIntoTree(await open('app'), incoming, { stash: false }))).toBe('diff_does_not_apply');
    rmSync(desk.path('app/.git/index.lock'));
    desk.write('app/a.txt', 'worked on since\n');
    desk.git('app', 'add', 'a.txt');
    const before = picture('app');
    expect(await codeOf(undoPull(await open('app')))).toBe('nothing_to_undo');
    expect(picture('app')).toBe(before);
  });

  it('finds the pull before one that was killed before it changed anything', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    const incoming = diffOf('app', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    const before = picture('app');
    await pullIntoTree(await open('app'), incoming, { stash: false });
    mkdirSync(desk.path('app/.git/hangar/pulls/00000002/files'), { recursive: true });
    await undoPull(await open('app'));
    expect(picture('app')).toBe(before);
  });

  /** As a pull leaves it that is killed after git has written. */
  function cutOff(number: string): void {
    const file = desk.path('app/.git/hangar/pulls', number, 'record.json');
    const record = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...record, after: null, indexAfter: null }));
  }

  it('takes back a pull that was cut off, and keeps aside what was in its files until then', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'b.txt': 'b\n', 'other.txt': 'o\n' });
    const incoming = diffOf('app', (root) => {
      writeFileSync(join(root, 'a.txt'), 'A\n');
      writeFileSync(join(root, 'sub.txt'), 'new\n');
    });
    await pullIntoTree(await open('app'), incoming, { stash: false });
    cutOff('00000001');
    desk.write('app/a.txt', 'worked on since\n');
    desk.write('app/other.txt', 'staged since\n');
    desk.git('app', 'add', 'other.txt');
    const { aside } = await undoPull(await open('app'));
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('a\n');
    expect(desk.git('app', 'status', '--porcelain')).toBe('M  other.txt\n');
    expect(readFileSync(join(aside ?? '', 'files/a.txt'), 'utf8')).toBe('worked on since\n');
    expect(readFileSync(join(aside ?? '', 'files/sub.txt'), 'utf8')).toBe('new\n');
    expect(await codeOf(undoPull(await open('app')))).toBe('nothing_to_undo');
  });

  it('does not take back a pull that was cut off once HEAD has moved', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    const incoming = diffOf('app', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    await pullIntoTree(await open('app'), incoming, { stash: false });
    cutOff('00000001');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'took it');
    desk.write('app/a.txt', 'worked on since\n');
    const before = picture('app');
    await expect(undoPull(await open('app'))).rejects.toMatchObject({
      code: 'undo_blocked',
      details: { files: ['a.txt'] },
    });
    expect(picture('app')).toBe(before);
  });

  it('leaves no lock of its own when an index cannot be put back', async () => {
    desk.repo('app');
    await expect(putBackIndex(desk.path('app/.git'), desk.path('nowhere'))).rejects.toThrow('ENOENT');
    expect(existsSync(desk.path('app/.git/index.lock'))).toBe(false);
  });

  it('refuses to undo what was changed since, or committed', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'other.txt': 'o\n' });
    const incoming = diffOf('app', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    await pullIntoTree(await open('app'), incoming, { stash: false });
    desk.write('app/a.txt', 'edited\n');
    await expect(undoPull(await open('app'))).rejects.toMatchObject({
      code: 'undo_blocked',
      details: { files: ['a.txt'] },
    });
    desk.write('app/a.txt', 'A\n');
    desk.git('app', 'commit', '--quiet', '-m', 'took it');
    await expect(undoPull(await open('app'))).rejects.toMatchObject({
      code: 'undo_blocked',
      message: 'The pull was committed since.',
    });
  });

  it('keeps what was staged or committed elsewhere since the pull', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'other.txt': 'o\n' });
    const incoming = diffOf('app', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    await pullIntoTree(await open('app'), incoming, { stash: false });
    desk.write('app/other.txt', 'O\n');
    desk.git('app', 'add', 'other.txt');
    desk.git('app', 'commit', '--quiet', '-m', 'other', '--', 'other.txt');
    desk.write('app/third.txt', 'three\n');
    desk.git('app', 'add', 'third.txt');
    await undoPull(await open('app'));
    expect(desk.git('app', 'status', '--porcelain')).toBe('A  third.txt\n');
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('a\n');
  });

  it('goes on top of the uncommitted work the job had started from', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    desk.write('app/a.txt', 'a\nmine\n');
    desk.write('app/untracked.txt', 'u\n');
    const checkout = await open('app');
    mkdirSync(desk.path('pack'));
    const { baseTree } = await packChanges(checkout, checkout.head ?? '', desk.path('pack'));
    const file = desk.write(
      'on-top.diff',
      'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,3 @@\n a\n mine\n+theirs\ndiff --git a/untracked.txt b/untracked.txt\n--- a/untracked.txt\n+++ b/untracked.txt\n@@ -1 +1 @@\n-u\n+U\n',
    );
    const incoming: Incoming = {
      jobId: 'j_ontop0',
      title: 'On top',
      file,
      baseCommit: null,
      sent: { commit: checkout.head ?? '', baseTree },
    };
    const before = picture('app');
    expect(await pullIntoTree(checkout, incoming, { stash: false })).toMatchObject({ onTop: true, stash: null });
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('a\nmine\ntheirs\n');
    expect(readFileSync(desk.path('app/untracked.txt'), 'utf8')).toBe('U\n');
    await undoPull(await open('app'));
    expect(picture('app')).toBe(before);
    const { commit } = await pullIntoBranch(await open('app'), incoming, 'theirs');
    expect(picture('app')).toBe(before);
    expect(desk.git('app', 'show', `${commit}:a.txt`)).toBe('a\nmine\ntheirs\n');
    expect(desk.git('app', 'log', '--format=%s', 'theirs')).toBe(
      'On top\nUncommitted work sent with j_ontop0\nfirst\n',
    );
  });

  it('makes a branch without touching the files, and undo removes it', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    const incoming = diffOf('app', (root) => writeFileSync(join(root, 'a.txt'), 'A\n'));
    desk.write('app/a.txt', 'dirty\n');
    const before = picture('app');
    await pullIntoBranch(await open('app'), incoming, 'job');
    expect(picture('app')).toBe(before);
    expect(desk.git('app', 'show', 'job:a.txt')).toBe('A\n');
    expect(desk.git('app', 'log', '-1', '--format=%B', 'job')).toContain('Hangar-Job: j_test00');
    expect(await codeOf(pullIntoBranch(await open('app'), incoming, 'job'))).toBe('usage');
    expect(await codeOf(pullIntoBranch(await open('app'), incoming, '-x'))).toBe('usage');
    expect((await undoPull(await open('app'))).branch).toBe('job');
    expect(desk.git('app', 'branch', '--list', 'job')).toBe('');
  });
});

function write(
  root: string,
  tree: Readonly<Record<string, { content: Buffer; executable: boolean; link: boolean } | null>>,
): void {
  for (const [name, entry] of Object.entries(tree)) {
    const path = join(root, name);
    rmSync(path, { recursive: true, force: true });
    if (entry === null) continue;
    mkdirSync(dirname(path), { recursive: true });
    if (entry.link) symlinkSync(entry.content.toString('hex').slice(0, 60) || 'nowhere', path);
    else writeFileSync(path, entry.content, { mode: entry.executable ? 0o755 : 0o644 });
  }
}
