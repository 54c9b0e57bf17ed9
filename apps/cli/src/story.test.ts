import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FakeServer } from './testing/fake-server.ts';
import { Desk } from './testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

const SPEC = '# Add a file\n\n```sh\necho hello > hello.txt\n```\n';
const DIFF = `diff --git a/hello.txt b/hello.txt
new file mode 100644
index 0000000000000000000000000000000000000000..ce013625030ba8dba906f756967f9e9ca394464a
--- /dev/null
+++ b/hello.txt
@@ -0,0 +1 @@
+hello
`;

describe('the story of a job', () => {
  const server = new FakeServer();
  let desk: Desk;
  beforeAll(async () => {
    await server.start();
    desk = new Desk({ HANGAR_SERVER: server.url });
    desk.write('spec.md', SPEC);
  });
  afterAll(async () => {
    await server.stop();
    desk.dispose();
  });

  it('signs in with an API key, which goes to a file only its owner can read, with a notice', async () => {
    const ended = await desk.run(['cloud', 'login', '--with-token'], { input: `${server.apiKey}\n` });
    expect(ended).toMatchObject({ code: 0, stdout: `Signed in to ${server.url} as Ada (ada@example.org).\n` });
    expect(ended.stderr).toContain('no system keychain here; the token is stored in plain text at');
    expect(statSync(desk.path('config/credentials.json')).mode & 0o777).toBe(0o600);
    expect(statSync(desk.path('config')).mode & 0o777).toBe(0o700);
    expect(readFileSync(desk.path('config/servers.json'), 'utf8')).not.toContain(server.apiKey);
    expect(await desk.json(['cloud', 'whoami'])).toMatchObject({
      user: { email: 'ada@example.org' },
      address: server.url,
      signedInBy: 'sign-in',
    });
    expect((await desk.run(['cloud', 'whoami'])).stdout).toContain('1 of 2 running, 0 of 50 waiting');
  });

  it('refuses a wrong API key and says how to get another', async () => {
    const ended = await desk.run(['cloud', 'login', '--with-token', '--json'], { input: 'hk_wrong' });
    expect(ended.code).toBe(3);
    expect(JSON.parse(ended.stdout).error).toMatchObject({ code: 'token_expired', exitCode: 3 });
    expect(ended.stderr).toContain('does not accept this API key');
  });

  it('runs, watches, pulls and takes it back', async () => {
    desk.repo('app');
    const job = await desk.json(['run', '--cloud', '--agent', 'shell', '--spec', desk.path('spec.md')], { cwd: 'app' });
    expect(job).toMatchObject({
      title: 'Add a file',
      agent: 'shell',
      state: 'queued',
      repo: { name: 'app', fromCheckout: true },
    });

    const status = await desk.run(['status', job.id], { cwd: 'app' });
    expect(status.stdout).toMatch(/^○ waiting since /m);
    expect(status.stdout).toContain('position 1; 2 of 2 of your places in use');
    expect(status.stderr).toContain(`Next: hangar logs ${job.id} --follow`);

    const early = await desk.run(['pull', job.id, '--json'], { cwd: 'app' });
    expect(early.code).toBe(2);
    expect(JSON.parse(early.stdout).error.code).toBe('job_not_ended');

    const logs = desk.start(['logs', job.id, '--follow'], { cwd: 'app' });
    server.setState(job.id, 'running');
    server.addLines(job.id, ['out', ['stderr', 'err'], ['system', 'Checked out']]);
    await logs.saw('err');
    server.addLines(job.id, ['last']);
    server.finish(job.id, DIFF);
    expect(await logs.ended).toMatchObject({ code: 0, stdout: 'out\nerr\n» Checked out\nlast\n' });

    const before = desk.git('app', 'status', '--porcelain');
    const pulled = await desk.run(['pull'], { cwd: 'app' });
    expect(pulled.code).toBe(0);
    expect(pulled.stderr).toContain(`${job.id}, your newest finished job of app: Add a file`);
    expect(pulled.stdout).toContain('1 file changed, 1 insertion(+)');
    expect(readFileSync(desk.path('app/hello.txt'), 'utf8')).toBe('hello\n');
    expect(desk.git('app', 'status', '--porcelain')).toBe('A  hello.txt\n');

    expect((await desk.run(['pull', '--undo'], { cwd: 'app' })).stdout).toContain(
      `Took back the pull of ${job.id}: 1 file as before.`,
    );
    expect(desk.git('app', 'status', '--porcelain')).toBe(before);
    const again = await desk.run(['pull', '--undo'], { cwd: 'app' });
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('nothing_to_undo');
  });

  it('waits when asked, ends with 5 when the job fails, and prints nothing but JSON on stdout', async () => {
    desk.repo('waiting');
    const run = desk.start(['run', '--cloud', '--wait', '--json', '--spec', '-'], { cwd: 'waiting', input: SPEC });
    await run.saw('travels along');
    await expect.poll(() => [...server.jobs.values()].at(-1)?.detail.repo.name, { timeout: 30_000 }).toBe('waiting');
    const id = [...server.jobs.keys()].at(-1) ?? '';
    server.addLines(id, ['working']);
    await run.saw('working');
    server.finish(id, null, 'failed');
    const ended = await run.ended;
    expect(ended.code).toBe(5);
    expect(JSON.parse(ended.stdout)).toMatchObject({ id, state: 'failed' });
    expect(ended.stderr).toContain('working');
  });

  it('sends a job once, although the first answer got lost', async () => {
    desk.repo('twice');
    server.loseAnswers = 1;
    const before = server.jobs.size;
    await desk.json(['run', '--cloud', '--spec', desk.path('spec.md')], { cwd: 'twice' });
    expect(server.jobs.size).toBe(before + 1);
  });

  it('stops waiting on Ctrl-C, not the job', async () => {
    const id = server.addJob();
    const logs = desk.start(['logs', id, '--follow']);
    server.addLines(id, ['one']);
    await logs.saw('one');
    logs.child.kill('SIGINT');
    const ended = await logs.ended;
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain(`Stopped waiting. The job goes on. Follow it with: hangar logs ${id} --follow`);
    expect(server.job(id).detail.state).toBe('queued');
  });

  it('says what is wrong with a spec before anything is sent', async () => {
    desk.repo('specs');
    const before = server.requests.length;
    for (const [input, code] of [
      ['', 'spec_empty'],
      ['---\nagent: [\n---\ntext\n', 'spec_front_matter'],
      ['x'.repeat(1024 * 1024 + 1), 'spec_too_large'],
    ] as const) {
      const ended = await desk.run(['run', '--cloud', '--json'], { cwd: 'specs', input });
      expect(JSON.parse(ended.stdout).error.code).toBe(code);
      expect(ended.code).toBe(2);
    }
    expect(server.requests.length).toBe(before);
  });

  it('keeps a credential from standard input and never shows it', async () => {
    const added = await desk.run(['cloud', 'credentials', 'add', 'github', '--host', 'github.com'], {
      input: 'ghp_secret\n',
    });
    expect(added).toMatchObject({ code: 0, stdout: 'Kept github (https-token).\n' });
    expect(server.credentials.get('github')?.value).toBe('ghp_secret');
    const listed = await desk.run(['cloud', 'credentials', '--json']);
    expect(JSON.parse(listed.stdout).items).toHaveLength(1);
    expect(listed.stdout + added.stdout + added.stderr).not.toContain('ghp_secret');
    expect((await desk.run(['cloud', 'credentials', 'remove', 'github'])).code).toBe(0);
    expect((await desk.run(['cloud', 'credentials', 'remove', 'github'])).code).toBe(2);
  });

  it('signs out, and then says how to sign in', async () => {
    expect((await desk.run(['cloud', 'logout'])).stdout).toBe(`Signed out of ${server.url}.\n`);
    const ended = await desk.run(['jobs', '--json']);
    expect(ended.code).toBe(3);
    expect(JSON.parse(ended.stdout).error.code).toBe('not_signed_in');
    expect(ended.stderr).toContain('hangar cloud login');
  });
});
