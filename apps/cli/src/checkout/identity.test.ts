import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DeskAtServer, deskAtServer } from '../testing/desk-at-server.ts';

import { isSameRemote } from './identity.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

const DIFF = `diff --git a/made.txt b/made.txt
new file mode 100644
index 0000000000000000000000000000000000000000..ce013625030ba8dba906f756967f9e9ca394464a
--- /dev/null
+++ b/made.txt
@@ -0,0 +1 @@
+hello
`;

let at: DeskAtServer;
let server: DeskAtServer['server'];
let desk: DeskAtServer['desk'];
beforeEach(async () => {
  at = await deskAtServer({ 'spec.md': '# Do it\n\n```sh\ntrue\n```\n' });
  ({ server, desk } = at);
});
afterEach(() => at.leave());

async function sendFrom(cwd: string): Promise<string> {
  const { id } = await desk.json(['run', '--cloud', '--spec', desk.path('spec.md')], { cwd });
  server.finish(id, DIFF);
  return id;
}

const pull = async (cwd: string, ...args: string[]) => {
  const ended = await desk.run(['pull', '--json', ...args], { cwd });
  return JSON.parse(ended.stdout);
};

describe('a job and the checkout it is pulled into', () => {
  it('belong together: another checkout of the same name takes it neither as the newest nor by its id', async () => {
    desk.repo('one/app', { 'a.txt': 'one\n' });
    desk.repo('two/app', { 'b.txt': 'two\n' });
    const id = await sendFrom('one/app');
    expect((await pull('two/app')).error.code).toBe('job_not_found');
    expect((await desk.run(['status'], { cwd: 'two/app' })).code).not.toBe(0);
    for (const how of [[], ['--check'], ['--branch', 'x'], ['--stash']]) {
      const { error } = await pull('two/app', id, ...how);
      expect(error).toMatchObject({ code: 'job_of_other_repository', exitCode: 2 });
      expect(error.wayOut).toContain(`hangar pull ${id} --anyway`);
    }
    expect(existsSync(desk.path('two/app/made.txt'))).toBe(false);
    // To be looked at it needs no checkout.
    expect(await pull('two/app', id, '--stat')).toMatchObject({ filesChanged: 1 });
    expect((await desk.run(['pull', id, '--output', '-'], { cwd: 'two/app' })).stdout).toBe(DIFF);
    expect(await pull('two/app', id, '--anyway')).toMatchObject({ applied: true });
    expect(readFileSync(desk.path('two/app/made.txt'), 'utf8')).toBe('hello\n');

    // The newest of all is of the other one: each finds its own.
    const other = await sendFrom('two/app');
    expect(await pull('one/app')).toMatchObject({ job: id, applied: true });
    expect(await pull('two/app', '--stat')).toMatchObject({ job: other });
  });

  it('find each other in a work tree and in another clone, whatever the folder is called', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    desk.git('app', 'worktree', 'add', '--quiet', '-b', 'side', '../app-wt');
    execFileSync('git', ['clone', '--quiet', desk.path('app'), desk.path('elsewhere')], { env: desk.env });
    // A commit that the other clone does not have.
    desk.write('app/a.txt', 'two\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'second');
    const id = await sendFrom('app');
    expect(server.job(id).input.repo.name).toBe('app');
    expect(await pull('app-wt', '--check')).toMatchObject({ job: id, applies: true });
    expect(await pull('elsewhere', '--check')).toMatchObject({ job: id, applies: true });
    expect(await pull('elsewhere', id)).toMatchObject({ job: id, applied: true });
    const side = await sendFrom('app-wt');
    expect(server.job(side).input.repo.name).toBe('app');
    expect(await pull('app')).toMatchObject({ job: side, applied: true });
  });

  it('are listed by the same rule, a page at a time, whatever they are called', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    desk.repo('other/app', { 'b.txt': 'two\n' });
    execFileSync('git', ['clone', '--quiet', desk.path('app'), desk.path('elsewhere')], { env: desk.env });
    const sent = [await sendFrom('app')];
    await sendFrom('other/app');
    for (let n = 0; n < 250; n++) server.addJob({ repo: { url: 'https://git.example.org/team/noise.git' } });
    sent.unshift(await sendFrom('elsewhere'));
    await sendFrom('other/app');
    sent.unshift(await sendFrom('app'));
    const list = async (cwd: string, ...args: string[]) => desk.json(['jobs', '--here', ...args], { cwd });
    const ids = ({ items }: { items: { id: string }[] }) => items.map(({ id }) => id);
    for (const cwd of ['app', 'elsewhere']) {
      const all = await list(cwd);
      expect(ids(all)).toEqual(sent);
      expect(all.nextCursor).toBeNull();
      const first = await list(cwd, '--limit', '2');
      expect(ids(first)).toEqual(sent.slice(0, 2));
      expect(ids(await list(cwd, '--limit', '2', '--cursor', first.nextCursor))).toEqual(sent.slice(2));
    }
  });

  it('are neither skipped nor shown twice when jobs come or go between two pages', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    const commit = desk.git('app', 'rev-parse', 'HEAD').trim();
    const repo = { bundle: undefined, commit, name: 'x', url: 'https://old.example.org/x.git' };
    const add = () => server.addJob({ repo });
    const noise = (n: number) => {
      for (let i = 0; i < n; i++) server.addJob({ repo: { url: 'https://git.example.org/team/noise.git' } });
    };
    const sent: string[] = [];
    for (let n = 0; n < 6; n++) {
      sent.unshift(add());
      noise(90);
    }
    const list = async (...args: string[]) => desk.json(['jobs', '--here', '--limit', '2', ...args], { cwd: 'app' });
    const ids = ({ items }: { items: { id: string }[] }) => items.map(({ id }) => id);
    // Whenever the list is asked for, another job of this repository comes a moment later.
    const jobs = server.jobs.values.bind(server.jobs);
    let isAdding = false;
    server.jobs.values = () => {
      const seen = [...jobs()];
      if (!isAdding) {
        isAdding = true;
        add();
        isAdding = false;
      }
      return seen.values();
    };
    const first = await list();
    expect(ids(first)).toEqual(sent.slice(0, 2));
    noise(250);
    const second = await list('--cursor', first.nextCursor);
    expect(ids(second)).toEqual(sent.slice(2, 4));
    const last = server.job(sent[3] ?? '').detail.createdAt;
    server.jobs.delete(sent[3] ?? '');
    for (const id of sent.slice(4)) server.job(id).detail.createdAt = new Date(Date.parse(last) - 1000).toISOString();
    expect(ids(await list('--cursor', second.nextCursor))).toEqual(sent.slice(4));
    expect((await desk.run(['jobs', '--here', '--cursor', 'here.x'], { cwd: 'app' })).code).toBe(2);
  });

  it('lead to the next page with all that was asked for, also when none was found so far', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    const asked = ['--search', "it's login", '--agent', 'shell', '--on', 'local', '--repo', 'team/app'];
    for (let n = 0; n < 3; n++) server.addJob({ repo: { name: 'team/app' }, group: 'g' });
    const page = await desk.run(
      ['jobs', '--all', '--state', 'queued', '--state', 'running', '--group', 'g', '--limit', '2', ...asked],
      { cwd: 'app' },
    );
    expect(page.stderr + page.stdout).toContain(
      "hangar jobs --state queued --state running --all --search 'it'\\''s login' --agent shell --on local --repo team/app --group g --limit 2 --cursor ",
    );
    for (let n = 0; n < 10_000; n++) server.addJob({ repo: { url: 'https://git.example.org/team/noise.git' } });
    const none = await desk.run(['jobs', '--here', '--state', 'queued'], { cwd: 'app' });
    expect(none.stderr + none.stdout).toContain('hangar jobs --here --state queued --cursor ');
  });

  it('still do after the commit it started from was taken back and removed', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    desk.write('app/a.txt', 'two\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'second');
    const id = await sendFrom('app');
    desk.git('app', 'reset', '--quiet', '--hard', 'HEAD~1');
    desk.git('app', 'reflog', 'expire', '--expire=now', '--all');
    desk.git('app', 'gc', '--quiet', '--prune=now');
    rmSync(desk.path('app/.git/hangar'), { recursive: true });
    expect(await pull('app', id)).toMatchObject({ applied: true });
  });

  it('are known by the remote where the job names no commit, and by the commit where it is an older one', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    desk.git('app', 'remote', 'add', 'upstream', 'git@git.example.org:team/app.git');
    desk.repo('other', { 'b.txt': 'two\n' });
    const byUrl = server.addJob({ repo: { url: 'https://git.example.org/team/app' } });
    server.finish(byUrl, DIFF);
    expect(await pull('app', '--check')).toMatchObject({ job: byUrl });
    expect((await pull('other', byUrl)).error.code).toBe('job_of_other_repository');
    const commit = desk.git('other', 'rev-parse', 'HEAD').trim();
    const old = server.addJob({ repo: { bundle: undefined, commit, name: 'x', url: 'https://old.example.org/x.git' } });
    server.finish(old, DIFF);
    expect(await pull('other', '--check')).toMatchObject({ job: old });
    expect((await pull('app', old)).error.code).toBe('job_of_other_repository');
  });

  it('find each other behind hundreds of newer jobs of other repositories', async () => {
    desk.repo('app', { 'a.txt': 'one\n' });
    const id = await sendFrom('app');
    for (let n = 0; n < 600; n++) server.addJob({ repo: { url: 'https://git.example.org/team/noise.git' } });
    expect(await desk.json(['status'], { cwd: 'app' })).toMatchObject({ id });
  });
});

describe('two ways to write a remote', () => {
  it.each([
    ['https://github.com/Team/app.git', 'git@github.com:team/app', true],
    ['ssh://git@github.com:22/team/app.git', 'https://user@GitHub.com/team/app/', true],
    ['https://host/a%20b', 'https://host/a b.git', true],
    ['/srv/git/app.git', '/srv/git/app.git', true],
    ['https://host:8443/team/app', 'https://host:9443/team/app', false],
    ['https://host/team/app', 'https://other/team/app', false],
    ['https://host/team/app', 'https://host/team/app2', false],
    ['git@host:team/app.git', 'git@host:mate/app.git', false],
    ['/srv/git/app.git', '/home/app.git', false],
  ])('%s and %s: %s', (one, other, same) => {
    expect(isSameRemote(one, other)).toBe(same);
    expect(isSameRemote(other, one)).toBe(same);
  });
});
