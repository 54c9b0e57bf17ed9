import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DeskAtServer, deskAtServer } from '../testing/desk-at-server.ts';
import type { Ended } from '../testing/hangar.ts';
import { GitFailed } from './refusal.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let at: DeskAtServer;
let server: DeskAtServer['server'];
let desk: DeskAtServer['desk'];
beforeEach(async () => {
  at = await deskAtServer({ 'spec.md': '# Do it\n\n```sh\nls -A\n```\n' });
  ({ server, desk } = at);
});
afterEach(() => at.leave());

const send = (cwd: string, env: Record<string, string> = {}): Promise<Ended> =>
  desk.run(['run', '--cloud', '--json', '--spec', desk.path('spec.md')], { cwd, env });

/** Names of the files the job would start from: what the patch adds to a clone of HEAD. */
function sentFiles(ended: Ended): string[] {
  expect(ended.code, ended.stdout + ended.stderr).toBe(0);
  const { repo } = server.job(JSON.parse(ended.stdout).id).input;
  const patch = server.uploads.get(repo.patch ?? '')?.toString('latin1') ?? '';
  return [...patch.matchAll(/^\+\+\+ b\/(.*)$/gm)].map(([, name = '']) => name);
}

const errorOf = (ended: Ended) => JSON.parse(ended.stdout).error;

/** Root reads everything: then it goes without that privilege. */
const unprivileged = (cwd: string, ...args: string[]): Promise<Ended> =>
  desk.run(args, {
    cwd,
    through: process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : [],
  });

describe('what git does not take', () => {
  it('is left behind aloud, and the rest goes: a repository without a commit, one inside a new folder', async () => {
    desk.repo('app', { 'a.txt': 'a\n' });
    desk.write('app/new.txt', 'new\n');
    mkdirSync(desk.path('app/e'));
    desk.git('app/e', 'init', '--quiet');
    mkdirSync(desk.path('app/deep/er'), { recursive: true });
    desk.git('app/deep/er', 'init', '--quiet');
    desk.repo('app/inner', { 'x.txt': 'x\n' });
    const ended = await send('app');
    expect(sentFiles(ended)).toEqual(['new.txt']);
    for (const name of ['e', 'deep/er', 'inner'])
      expect(ended.stderr).toContain(`${name} is a repository of its own and stays behind.`);
    server.finish(JSON.parse(ended.stdout).id, '');
    const local = await desk.run(['run', '--spec', desk.path('spec.md')], { cwd: 'app' });
    expect(local).toMatchObject({ code: 0, stdout: expect.stringContaining('new.txt') });
    expect(local.stderr).toContain('deep/er is a repository of its own and stays behind.');
  });

  it('and only warns of does not stand in the way of a pull: attributes that cannot be read', async ({ skip }) => {
    if (process.getuid?.() === 0 && !hasSetpriv()) return skip('setpriv is not installed');
    desk.repo('app', { 'a.txt': 'a\n' });
    desk.write('app/.git/info/exclude', '.gitattributes\n');
    chmodSync(desk.write('app/.gitattributes', '*.txt text\n'), 0o000);
    desk.write('app/a.txt', 'b\n');
    const diff = desk.git('app', 'diff');
    desk.write('app/a.txt', 'a\n');
    const id = server.addJob();
    server.finish(id, diff);
    for (const args of [['--check'], []]) {
      const ended = await unprivileged('app', 'pull', id, '--anyway', '--json', ...args);
      expect(ended, ended.stderr).toMatchObject({ code: 0 });
    }
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('b\n');
  });

  it('is left behind aloud: files and folders that cannot be read, more than fifty of them', async ({ skip }) => {
    if (process.getuid?.() === 0 && !hasSetpriv()) return skip('setpriv is not installed');
    desk.repo('app', { 'a.txt': 'a\n', 'tracked.txt': 't\n' });
    desk.write('app/new.txt', 'new\n');
    for (let n = 0; n < 60; n++) chmodSync(desk.write(`app/closed/${n}.txt`, 'x\n'), 0o000);
    chmodSync(desk.write('app/tracked.txt', 'changed\n'), 0o000);
    desk.write('app/a-listed/x.txt', 'x\n');
    chmodSync(desk.path('app/a-listed'), 0o444);
    desk.write('app/shut/y.txt', 'y\n');
    chmodSync(desk.path('app/shut'), 0o000);
    const ended = await unprivileged('app', 'run', '--cloud', '--json', '--spec', desk.path('spec.md'));
    chmodSync(desk.path('app/a-listed'), 0o755);
    chmodSync(desk.path('app/shut'), 0o755);
    expect(sentFiles(ended)).toEqual(['new.txt']);
    expect(ended.stderr).toContain('tracked.txt cannot be read and stays behind.');
    expect(ended.stderr).toContain('closed/0.txt cannot be read and stays behind.');
    expect(ended.stderr).toMatch(/a-listed.* stays behind/);
    expect(ended.stderr).toMatch(/shut cannot be looked into; what is in it stays behind/);
    expect(ended.stderr).toMatch(/And \d+ more like it/);
  });

  it('goes along from outside of a sparse cone', async () => {
    desk.repo('app', { 'in/a.txt': 'a\n', 'out/b.txt': 'b\n' });
    desk.git('app', 'sparse-checkout', 'set', '--cone', 'in');
    desk.write('app/out/new.txt', 'new\n');
    desk.write('app/in/a.txt', 'changed\n');
    expect(sentFiles(await send('app'))).toEqual(['in/a.txt', 'out/new.txt']);
    expect(desk.git('app', 'status', '--porcelain')).toContain('?? out/');
  });

  it('goes along from a folder with a line end in its name', async () => {
    const folder = 'a\nb "c';
    desk.repo(folder, { 'a.txt': 'a\n' });
    desk.write(join(folder, 'new.txt'), 'new\n');
    expect(sentFiles(await send(folder))).toEqual(['new.txt']);
    const local = await desk.run(['run', '--spec', desk.path('spec.md'), '--apply'], { cwd: folder });
    expect(local).toMatchObject({ code: 0, stdout: expect.stringContaining('new.txt') });
  });
});

describe('variables of git', () => {
  it.each([
    { GIT_GLOB_PATHSPECS: '1' },
    { GIT_NOGLOB_PATHSPECS: '1' },
    { GIT_ICASE_PATHSPECS: '1' },
    { GIT_LITERAL_PATHSPECS: '0' },
    { GIT_CONFIG: '/nowhere', GIT_DEFAULT_HASH: 'sha256', GIT_DIFF_OPTS: '--unified=0', GIT_EXTERNAL_DIFF: 'false' },
    { GIT_DIR: '/nowhere', GIT_WORK_TREE: '/', GIT_INDEX_FILE: '/nowhere', GIT_ATTR_SOURCE: 'nothing' },
    { GIT_TRACE: '1', GIT_TRACE_SETUP: '1', GIT_NO_REPLACE_OBJECTS: '0', GIT_INDEX_VERSION: '4' },
    { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'add.ignoreErrors', GIT_CONFIG_VALUE_0: 'true' },
  ] as Record<string, string>[])('%o change nothing', async (env) => {
    desk.repo('app', { 'a.txt': 'a\n' });
    desk.write('app/A*.txt', 'new\n');
    desk.git('app', 'remote', 'add', 'origin', '/nowhere');
    expect(sentFiles(await send('app', env))).toEqual(['A*.txt']);
  });
});

describe('a refusal of git', () => {
  it('of a checkout of somebody else names it and the setting', async () => {
    desk.repo('app');
    desk.repo('app/sub');
    const env = { GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
    for (const args of [
      ['run', '--cloud', '--spec', desk.path('spec.md')],
      ['run', '--cloud', '--spec', desk.path('spec.md'), '--repo', desk.path('app')],
      ['run', '--spec', desk.path('spec.md')],
      ['pull', '--check', 'j_000000000000'],
      ['pull', '--undo'],
    ]) {
      if (args.includes('j_000000000000')) {
        const id = server.addJob();
        server.finish(id, 'x');
        args[2] = id;
      }
      const ended = await desk.run([...args, '--json'], { cwd: args.includes('--repo') ? 'home' : 'app', env });
      expect(errorOf(ended)).toMatchObject({ code: 'checkout_not_trusted' });
      expect(errorOf(ended).wayOut).toContain(`safe.directory ${desk.path('app')}`);
    }
    desk.git('app', 'config', '--global', '--add', 'safe.directory', desk.path('app'));
    expect((await send('app', env)).code).toBe(0);
  });

  it('has a code and a way out, whatever is wrong with the repository', async () => {
    const wrong: [name: string, damage: (folder: string) => void, says: RegExp, env?: Record<string, string>][] = [
      ['config', (f) => writeFileSync(desk.path(f, '.git/config'), '[core\n'), /git config --list/],
      ['variables', () => {}, /git config --list/, { GIT_CONFIG_COUNT: 'many' }],
      ['index', (f) => writeFileSync(desk.path(f, '.git/index'), 'junk'), /git reset/],
      ['object', (f) => truncateObjects(desk.path(f)), /git fsck/],
      [
        'filter',
        (f) => {
          desk.git(f, 'config', 'filter.locked.clean', 'false');
          desk.git(f, 'config', 'filter.locked.required', 'true');
          desk.write(join(f, '.gitattributes'), '*.lock filter=locked\n');
          desk.write(join(f, 'new.lock'), 'x\n');
        },
        /filter/,
      ],
      ['extension', (f) => desk.git(f, 'config', 'extensions.fromTheFuture', 'true'), /newer git/],
    ];
    for (const [name, damage, says, env] of wrong) {
      desk.repo(name, { 'a.txt': 'a\n' });
      if (name === 'extension') desk.git(name, 'config', 'core.repositoryFormatVersion', '1');
      desk.write(`${name}/a.txt`, 'b\n');
      damage(name);
      const error = errorOf(await send(name, env));
      expect(error, name).toMatchObject({ code: 'git_refused', wayOut: expect.stringMatching(says) });
    }
  });

  it.each([
    [
      "fatal: Unable to create '/r/.git/index.lock': File exists.\n\nAnother git process seems to be running",
      'git_busy',
      '/r/.git/index.lock',
    ],
    [
      "error: cannot lock ref 'refs/heads/x': Unable to create '/r/.git/refs/heads/x.lock': File exists.",
      'git_busy',
      'x.lock',
    ],
    [
      'error: insufficient permission for adding an object to repository database .git/objects\nfatal: x',
      'file_unreadable',
      '.git/objects',
    ],
    ['fatal: write error: No space left on device', 'disk_full', 'space'],
    [
      'error: open("a b"): Permission denied\nerror: unable to index file \'a b\'\nfatal: adding files failed',
      'file_unreadable',
      'a b',
    ],
    ["fatal: could not open 'x\ny' for writing: Permission denied", 'file_unreadable', 'x\ny'],
    ['', 'git_refused', 'gave no reason'],
  ])('%j is %s and names %j', (stderr, code, named) => {
    const error = new GitFailed(['add'], { code: 128, stderr }, '/r');
    expect(error.code).toBe(code);
    expect(`${error.message} ${error.wayOut}`).toContain(named);
  });
});

function truncateObjects(root: string): void {
  const blob = execFileSync('git', ['rev-parse', 'HEAD^{tree}'], { cwd: root, env: desk.env, encoding: 'utf8' }).trim();
  const file = join(root, '.git/objects', blob.slice(0, 2), blob.slice(2));
  chmodSync(file, 0o644);
  writeFileSync(file, readFileSync(file).subarray(0, 0));
}

function hasSetpriv(): boolean {
  try {
    execFileSync('setpriv', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
