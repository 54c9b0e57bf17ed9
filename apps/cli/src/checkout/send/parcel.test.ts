import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DeskAtServer, deskAtServer } from '../../testing/desk-at-server.ts';

import { cloneable, repoName } from '../checkout.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let at: DeskAtServer;
let server: DeskAtServer['server'];
let desk: DeskAtServer['desk'];
beforeEach(async () => {
  at = await deskAtServer({ 'spec.md': '# Do it\n\n```sh\ntrue\n```\n' });
  ({ server, desk } = at);
});
afterEach(() => at.leave());

const send = async (folder: string, ...more: string[]) => {
  const { id } = await desk.json(['run', '--cloud', '--spec', desk.path('spec.md'), ...more], { cwd: folder });
  return server.job(id).input.repo;
};

/** Does what a worker does with what was sent, and answers the tree it would start from. */
function unpack(
  repo: { bundle?: string | undefined; patch?: string | undefined; commit?: string | undefined },
  folder = 'unpacked',
): string {
  const bundle = server.uploads.get(repo.bundle ?? '');
  if (bundle === undefined) throw new Error('there is no bundle');
  mkdirSync(desk.path(folder));
  desk.git(folder, 'init', '--quiet');
  desk.git(folder, 'bundle', 'unbundle', desk.write(`${folder}.bundle`, bundle));
  desk.git(folder, 'reset', '--hard', '--quiet', repo.commit ?? '');
  const patch = server.uploads.get(repo.patch ?? '');
  if (patch !== undefined) desk.git(folder, 'apply', '--index', desk.write(`${folder}.patch`, patch));
  return desk.path(folder);
}

describe('what run --cloud sends', () => {
  it('is only a name and a commit when the remote has everything', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    desk.git('app', 'remote', 'add', 'origin', 'https://ada:secret@git.example.org/team/app.git');
    desk.git('app', 'update-ref', 'refs/remotes/origin/main', 'HEAD');
    const head = desk.git('app', 'rev-parse', 'HEAD').trim();
    expect(await send('app')).toEqual({
      url: 'https://git.example.org/team/app.git',
      commit: head,
      ref: 'main',
      name: 'team/app',
    });
    expect(server.uploads.size).toBe(0);
    expect(await send('app', '--bundle')).toMatchObject({ commit: head, name: 'team/app' });
    expect(server.uploads.size).toBe(1);
  });

  it('is the checkout itself when something is not pushed: history of HEAD alone, everything uncommitted, nothing ignored', async () => {
    desk.repo('app', {
      'a.txt': 'a\n',
      'gone.txt': 'x\n',
      'bin.dat': Buffer.from([0, 1, 2, 255]),
      '.gitignore': 'secret.env\n',
    });
    desk.git('app', 'branch', 'other');
    desk.git('app', 'switch', '--quiet', 'other');
    desk.git('app', 'commit', '--quiet', '--allow-empty', '-m', 'elsewhere');
    const elsewhere = desk.git('app', 'rev-parse', 'HEAD').trim();
    desk.git('app', 'switch', '--quiet', 'main');
    desk.write('app/a.txt', 'staged\n');
    desk.git('app', 'add', 'a.txt');
    desk.write('app/a.txt', 'staged and more\n');
    rmSync(desk.path('app/gone.txt'));
    desk.write('app/bin.dat', Buffer.from([9, 0, 9]));
    desk.write('app/new dir/ünïcode "q".txt', 'new\n');
    desk.write('app/secret.env', 'TOKEN=1\n');
    symlinkSync('a.txt', desk.path('app/link'));
    const index = readFileSync(desk.path('app/.git/index'));
    const status = desk.git('app', 'status', '--porcelain');

    const repo = await send('app/new dir');
    expect(readFileSync(desk.path('app/.git/index'))).toEqual(index);
    expect(desk.git('app', 'status', '--porcelain')).toBe(status);
    expect(repo.commit).toBe(desk.git('app', 'rev-parse', 'HEAD').trim());
    const there = unpack(repo);
    expect(readdirSync(there).sort()).toEqual(['.git', '.gitignore', 'a.txt', 'bin.dat', 'link', 'new dir']);
    expect(readFileSync(join(there, 'a.txt'), 'utf8')).toBe('staged and more\n');
    expect(readFileSync(join(there, 'bin.dat'))).toEqual(Buffer.from([9, 0, 9]));
    expect(readFileSync(join(there, 'new dir/ünïcode "q".txt'), 'utf8')).toBe('new\n');
    expect(() => desk.git('unpacked', 'cat-file', '-e', elsewhere)).toThrow();
  });

  it('leaves repositories inside the work tree behind and says so', async () => {
    desk.repo('app');
    desk.repo('app/inner', { 'x.txt': 'x\n' });
    const ended = await desk.run(['run', '--cloud', '--spec', desk.path('spec.md')], { cwd: 'app' });
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(/inner\/? is a repository of its own and stays behind/);
  });

  it('works from a shallow clone, without its history', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    desk.write('app/a.txt', 'two\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'second');
    execFileSync('git', ['clone', '--quiet', '--depth=1', `file://${desk.path('app')}`, desk.path('shallow')], {
      env: desk.env,
    });
    desk.write('shallow/a.txt', 'three\n');
    const there = unpack(await send('shallow'));
    expect(readFileSync(join(there, 'a.txt'), 'utf8')).toBe('three\n');
  });

  it('travels from a linked work tree and with a detached HEAD', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    desk.git('app', 'worktree', 'add', '--quiet', '--detach', '../side');
    desk.write('side/b.txt', 'b\n');
    const repo = await send('side');
    expect(repo.ref).toBeUndefined();
    expect(readFileSync(join(unpack(repo), 'b.txt'), 'utf8')).toBe('b\n');
  });

  it('does not depend on settings that change how git prints a diff', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    for (const [key, value] of [
      ['diff.noprefix', 'true'],
      ['diff.external', 'false'],
      ['diff.context', '0'],
      ['color.ui', 'always'],
    ] as const)
      desk.git('app', 'config', key, value);
    writeFileSync(desk.path('app/.git/info/attributes'), '*.txt diff=up\n');
    desk.git('app', 'config', 'diff.up.textconv', 'tr a-z A-Z');
    desk.write('app/a.txt', 'two\n');
    expect(readFileSync(join(unpack(await send('app')), 'a.txt'), 'utf8')).toBe('two\n');
  });

  it('refuses what cannot be sent', async () => {
    mkdirSync(desk.path('empty'));
    const spec = ['--spec', desk.path('spec.md'), '--json'];
    const code = async (cwd: string, ...more: string[]) =>
      JSON.parse((await desk.run(['run', '--cloud', ...spec, ...more], { cwd })).stdout).error?.code;
    expect(await code('empty')).toBe('not_a_checkout');
    desk.git('empty', 'init', '--quiet');
    expect(await code('empty')).toBe('no_commits');
    expect(await code('empty', '--repo', 'ftp://example.org/x.git')).toBe('repo_url_invalid');
    expect(await code('empty', '--repo', 'ext::sh -c evil')).toBe('not_a_checkout');
    expect(await code('empty', '--env', 'HANGAR_X=1')).toBe('env_invalid');
    expect(await code('empty', '--env', 'NOT_SET_ANYWHERE')).toBe('env_invalid');
  });
});

describe('names and addresses', () => {
  it.each([
    ['https://github.com/team/app.git', 'team/app'],
    ['git@github.com:team/app.git', 'team/app'],
    ['ssh://git@host:2222/deep/team/app', 'team/app'],
    ['https://host/app/', 'app'],
  ])('%s is called %s', (url, name) => expect(repoName(url, '/x/folder')).toBe(name));

  it('takes passwords out, and gives no address only this machine knows', () => {
    expect(cloneable('https://u:p@host/x.git')).toEqual({ url: 'https://host/x.git', hadPassword: true });
    expect(cloneable('https://token@host/x.git')).toEqual({ url: 'https://host/x.git', hadPassword: true });
    expect(cloneable('ssh://git@host/x.git')).toEqual({ url: 'ssh://git@host/x.git', hadPassword: false });
    for (const text of ['/srv/x.git', 'file:///srv/x.git', '../x', 'ext::sh']) expect(cloneable(text).url).toBeNull();
  });
});
