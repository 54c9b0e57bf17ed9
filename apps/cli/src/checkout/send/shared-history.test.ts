import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type GitServer, startGitServer } from '../../../../../packages/worker/src/testing/git-server.ts';
import { FakeServer } from '../../testing/fake-server.ts';
import { Desk } from '../../testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

const KIB = 1024;

let server: FakeServer;
let remote: GitServer;
let desk: Desk;
beforeAll(async () => {
  server = await new FakeServer().start();
  desk = new Desk({ HANGAR_SERVER: server.url, HANGAR_TOKEN: server.apiKey });
  desk.write('spec.md', '# Do it\n\n```sh\ntrue\n```\n');
  desk.repo('app', { 'big.bin': randomBytes(500 * KIB), 'a.txt': 'a\n' });
  desk.git('.', 'clone', '--quiet', '--bare', 'app', 'app.git');
  remote = await startGitServer(desk.dir, null);
  desk.git('app', 'remote', 'add', 'origin', `${remote.url}/app.git`);
  desk.git('app', 'update-ref', 'refs/remotes/origin/main', 'HEAD');
  appendFileSync(desk.path('app/a.txt'), 'mine\n');
});
afterAll(async () => {
  await remote.close();
  await server.stop();
  desk.dispose();
});

async function send(...more: string[]) {
  const ended = await desk.run(['run', '--cloud', '--json', '--spec', desk.path('spec.md'), ...more], { cwd: 'app' });
  expect(ended.code, ended.stderr).toBe(0);
  const { repo } = server.job(JSON.parse(ended.stdout).id).input;
  return { repo, bytes: server.uploads.get(repo.bundle ?? '')?.length ?? 0, stderr: ended.stderr };
}

describe('what a bundle builds on', () => {
  it('is the remote as it is written, whatever this machine makes of it', async () => {
    const url = `${remote.url}/app.git`;
    for (const instead of ['git@nowhere.example:', desk.path('no/such/')]) {
      desk.git('app', 'config', `url.${instead}.insteadOf`, `${remote.url}/`);
      const { repo, bytes } = await send();
      expect(repo.url).toBe(url);
      expect(bytes).toBeLessThan(10 * KIB);
      desk.git('app', 'config', '--remove-section', `url.${instead}`);
    }
    // A short form that only this machine understands is spelled out.
    desk.git('app', 'config', `url.${remote.url}/.insteadOf`, 'here:');
    desk.git('app', 'remote', 'set-url', 'origin', 'here:app.git');
    expect((await send()).repo.url).toBe(url);
    desk.git('app', 'remote', 'set-url', 'origin', url);
  });

  it('is nothing with --bundle, and where the server would not clone from there', async () => {
    const whole = await send('--bundle');
    expect(whole.repo.url).toBeUndefined();
    expect(whole.bytes).toBeGreaterThan(500 * KIB);
    server.refuseLocalRepos = true;
    const refused = await send();
    server.refuseLocalRepos = false;
    expect(refused.repo.url).toBeUndefined();
    expect(refused.bytes).toBeGreaterThan(500 * KIB);
    expect(refused.stderr).toContain('all of the history travels');
  });

  it('is nothing where the remote does not answer: the job needs no credential', async () => {
    for (const url of ['http://127.0.0.1:9/app.git', 'git@git.example.org:team/app.git', `${remote.url}/none.git`]) {
      desk.git('app', 'remote', 'set-url', 'origin', url);
      const { repo, bytes, stderr } = await send();
      expect(repo.url, url).toBeUndefined();
      expect(bytes).toBeGreaterThan(500 * KIB);
      expect(stderr).toContain('--credential NAME');
    }
    desk.git('app', 'remote', 'set-url', 'origin', `${remote.url}/app.git`);
    // Where one is named the worker has a way in that is not tried here.
    desk.git('app', 'remote', 'set-url', 'origin', 'git@git.example.org:team/app.git');
    const named = await send('--credential', 'deploy');
    expect(named.repo.url).toBe('git@git.example.org:team/app.git');
    expect(named.bytes).toBeLessThan(10 * KIB);
  });
});
