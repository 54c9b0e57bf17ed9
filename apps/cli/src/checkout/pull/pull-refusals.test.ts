import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf, diffOfJob, openCheckout, pictureOf } from '../../testing/checkouts.ts';
import { Desk } from '../../testing/hangar.ts';
import type { Checkout } from '../checkout.ts';
import { inTurn } from '../turn.ts';
import { checkPull, type Incoming, pullIntoBranch, pullIntoTree } from './pull.ts';
import { undoPull } from './undo.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.dispose());

const open = (folder = 'app'): Promise<Checkout> => openCheckout(desk, folder);
const diffOf = (change: (root: string) => void): Incoming => diffOfJob(desk, 'app', change);
const A = (root: string) => writeFileSync(join(root, 'a.txt'), 'A\n');

describe('what git refuses', () => {
  it.each([{ stash: false }, { stash: true }])('names the lock of another git (%j)', async (how) => {
    desk.repo('app', { 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const incoming = diffOf(A);
    desk.write('app/b.txt', 'mine\n');
    const lock = desk.write('app/.git/index.lock', '');
    const before = pictureOf(desk, 'app');
    for (const work of [
      async () => pullIntoTree(await open(), incoming, how),
      async () => checkPull(await open(), incoming),
    ])
      await expect(work()).rejects.toMatchObject({
        code: 'diff_does_not_apply',
        message: expect.stringContaining(lock),
        wayOut: expect.stringContaining(lock),
      });
    rmSync(lock);
    expect(pictureOf(desk, 'app')).toBe(before);
    expect(await codeOf(undoPull(await open()))).toBe('nothing_to_undo');
  });

  it.each(['HEAD', '-x', 'foo/bar', 'foo/bar/baz', 'deep', '@{-1}', 'a..b', 'a b', 'x.lock', '', 'two\nlines'])(
    'a branch of the name %j',
    async (name) => {
      desk.repo('app', { 'a.txt': 'a\n' });
      const incoming = diffOf(A);
      desk.git('app', 'branch', 'foo');
      desk.git('app', 'branch', 'deep/er');
      desk.git('app', 'switch', '--quiet', 'foo');
      const branches = desk.git('app', 'for-each-ref');
      await expect(pullIntoBranch(await open(), incoming, name)).rejects.toMatchObject({ code: 'usage' });
      expect(desk.git('app', 'for-each-ref')).toBe(branches);
    },
  );

  it('names the file that does not apply, not one that does', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const incoming = diffOf((root) => {
      A(root);
      writeFileSync(join(root, 'b.txt'), 'B\n');
    });
    desk.git('app', 'rm', '--quiet', 'a.txt');
    desk.git('app', 'commit', '--quiet', '-m', 'gone');
    await expect(pullIntoTree(await open(), incoming, { stash: false })).rejects.toMatchObject({
      code: 'diff_does_not_apply',
      details: { reason: expect.stringContaining('a.txt') },
    });
  });

  it('leaves markers where a resolution is remembered', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    const incoming = diffOf(A);
    desk.git('app', 'config', 'rerere.enabled', 'true');
    desk.git('app', 'config', 'rerere.autoupdate', 'true');
    desk.write('app/a.txt', 'mine\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'mine');
    const before = pictureOf(desk, 'app');
    for (let round = 0; round < 2; round++) {
      await pullIntoTree(await open(), incoming, { stash: false });
      expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toContain('<<<<<<<');
      desk.git('app', 'rerere');
      if (round === 0) {
        desk.write('app/a.txt', 'both\n');
        desk.git('app', 'rerere');
        desk.git('app', 'checkout', '--quiet', '--merge', '--', 'a.txt');
        desk.git('app', 'reset', '--quiet', '--hard');
        rmSync(desk.path('app/.git/hangar/pulls'), { recursive: true });
        expect(pictureOf(desk, 'app')).toBe(before);
      }
    }
  });

  it('is not what the environment makes of it', async () => {
    desk.repo('app', { 'a.txt': 'a\n', '[x].txt': 'x\n' });
    const incoming = diffOf((root) => writeFileSync(join(root, '[x].txt'), 'X\n'));
    const before = pictureOf(desk, 'app');
    const odd = {
      ...{ GIT_GLOB_PATHSPECS: '1', GIT_NOGLOB_PATHSPECS: '1', GIT_ICASE_PATHSPECS: '1', GIT_TRACE: '1' },
      ...{ GIT_ATTR_SOURCE: 'HEAD', GIT_DEFAULT_HASH: 'sha256', GIT_INDEX_VERSION: '4', GIT_FLUSH: '1' },
      ...{ GIT_REFLOG_ACTION: 'x', GIT_MERGE_VERBOSITY: '5', GIT_EXTERNAL_DIFF: 'false', GIT_PAGER: 'false' },
    };
    const checkout = () => openCheckout(desk, 'app', { ...desk.env, ...odd });
    await checkPull(await checkout(), incoming);
    await pullIntoTree(await checkout(), incoming, { stash: false });
    expect(readFileSync(desk.path('app/[x].txt'), 'utf8')).toBe('X\n');
    await undoPull(await checkout());
    expect(pictureOf(desk, 'app')).toBe(before);
  });

  it('a repository without a commit in the work tree is no hindrance', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    const incoming = diffOf(A);
    mkdirSync(desk.path('app/e'));
    desk.git('app/e', 'init', '--quiet');
    const head = desk.git('app', 'rev-parse', 'HEAD').trim();
    const sent = { commit: head, baseTree: desk.git('app', 'rev-parse', 'HEAD^{tree}').trim() };
    await checkPull(await open(), { ...incoming, sent });
    await pullIntoTree(await open(), { ...incoming, sent }, { stash: false });
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('A\n');
  });

  it.runIf(existsSync('/proc/self'))('a file or folder it may not read or write is named', async () => {
    desk.repo('app', { 'a.txt': 'a\n', 'dir/b.txt': 'b\n' });
    const incoming = diffOf((root) => {
      A(root);
      writeFileSync(join(root, 'dir/b.txt'), 'B\n');
    });
    // Root may read and write everything: then somebody else asks.
    const nobody = process.getuid?.() === 0 ? 65_534 : undefined;
    if (nobody !== undefined) execFileSync('chown', ['-R', `${nobody}:${nobody}`, desk.dir]);
    chmodSync(desk.dir, 0o755);
    const from = new URL('../', import.meta.url).pathname;
    const program = `
      import { findCheckout } from ${JSON.stringify(`${from}checkout.ts`)};
      import { checkPull, pullIntoTree } from ${JSON.stringify(`${from}pull/pull.ts`)};
      const open = () => findCheckout(${JSON.stringify(desk.path('app'))}, { signal: new AbortController().signal, env: process.env });
      const incoming = ${JSON.stringify(incoming)};
      for (const work of [checkPull, (c) => pullIntoTree(c, incoming, { stash: true })])
        await work(await open(), incoming).catch((error) => console.log(error.code, error.details?.files?.join()));`;
    const ask = () =>
      execFileSync(process.execPath, ['--input-type=module', '-e', program], {
        env: desk.env,
        encoding: 'utf8',
        ...(nobody === undefined ? {} : { uid: nobody, gid: nobody }),
      });
    for (const [path, mode, good] of [
      ['a.txt', 0, 0o644],
      ['dir', 0o555, 0o755],
    ] as const) {
      chmodSync(desk.path('app', path), mode);
      expect(ask()).toBe(`file_unreadable ${path}\n`.repeat(2));
      chmodSync(desk.path('app', path), good);
    }
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('a\n');
  });
});

describe('several commands at once', () => {
  it('pull one after the other: one changes the files, the others find it done, and undo takes back that one', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    const incoming = diffOf((root) => {
      A(root);
      for (let n = 0; n < 50; n++) writeFileSync(join(root, `new-${n}.txt`), `${n}\n`);
    });
    const before = pictureOf(desk, 'app');
    const pulled = await Promise.all(
      Array.from({ length: 3 }, async () => pullIntoTree(await open(), incoming, { stash: false })),
    );
    expect(pulled.map(({ alreadyHere }) => alreadyHere).sort()).toEqual([false, true, true]);
    expect(readdirSync(desk.path('app')).filter((name) => name.startsWith('new-'))).toHaveLength(50);
    await undoPull(await open());
    expect(pictureOf(desk, 'app')).toBe(before);
    expect(await codeOf(undoPull(await open()))).toBe('nothing_to_undo');
  });

  it('wait for each other, but not for one that was killed, and not in another work tree', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    desk.git('app', 'worktree', 'add', '--quiet', '-b', 'side', '../side');
    const incoming = diffOf(A);
    const lock = new URL('../turn.ts', import.meta.url).pathname;
    const program = `
      import { inTurn } from ${JSON.stringify(lock)};
      import { findCheckout } from ${JSON.stringify(lock.replace('turn.ts', 'checkout.ts'))};
      const checkout = await findCheckout(${JSON.stringify(desk.path('app'))}, { signal: new AbortController().signal, env: process.env });
      await inTurn(checkout, async () => { console.log('held'); await new Promise((end) => setTimeout(end, 600_000)); });`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', program], { env: { ...desk.env } });
    const gone = new Promise((end) => holder.on('close', end));
    try {
      await new Promise<void>((resolve, reject) => {
        holder.stdout.on('data', () => resolve());
        holder.stderr.on('data', (text) => reject(new Error(String(text))));
      });
      // Another work tree of the same repository has its own turn.
      await pullIntoTree(await open('side'), incoming, { stash: false });
      let pulled = false;
      const pulling = pullIntoTree(await open(), incoming, { stash: false }).then(() => {
        pulled = true;
      });
      await new Promise((end) => setTimeout(end, 500));
      expect(pulled).toBe(false);
      holder.kill('SIGKILL');
      await gone;
      await pulling;
      expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('A\n');
    } finally {
      holder.kill('SIGKILL');
    }
    expect(existsSync(desk.path('app/.git/hangar/turn.lock'))).toBe(false);
    await inTurn(await open(), async () => {});
  });
});
