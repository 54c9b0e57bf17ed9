import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../../testing/fake-server.ts';
import { Desk } from '../../testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let server: FakeServer;
let desk: Desk;
beforeEach(async () => {
  server = await new FakeServer().start();
  desk = new Desk({
    HANGAR_SERVER: server.url,
    HANGAR_TOKEN: server.apiKey,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'protocol.file.allow',
    GIT_CONFIG_VALUE_0: 'always',
  });
  desk.write('spec.md', '# Do it\n\n```sh\ntrue\n```\n');
  desk.repo('lib', { 'lib.txt': 'lib\n' });
  desk.repo('app', { 'a.txt': 'a\n' });
  desk.git('app', 'submodule', '--quiet', 'add', desk.path('lib'), 'vendor/lib');
  desk.git('app', 'commit', '--quiet', '-m', 'with a submodule');
});
afterEach(async () => {
  await server.stop();
  desk.dispose();
});

/** What run says of submodules, on a server and on this machine; both say the same. */
async function said(): Promise<string> {
  const words = ({ code, stderr }: { code: number | null; stderr: string }) => {
    expect(code, stderr).toBe(0);
    return stderr
      .split('\n')
      .filter((line) => line.startsWith('Note: vendor'))
      .map((line) => line.replace('Note: ', ''))
      .join('\n');
  };
  const spec = ['--spec', desk.path('spec.md')];
  const cloud = words(await desk.run(['run', '--cloud', ...spec], { cwd: 'app' }));
  expect(words(await desk.run(['run', ...spec], { cwd: 'app' }))).toBe(cloud);
  return cloud;
}

describe('of a submodule run says what does not go along', () => {
  it('nothing while it is as the commit says, and where its configuration hides changes all the same', async () => {
    expect(await said()).toBe('');
    desk.git('app', 'config', 'submodule.vendor/lib.ignore', 'all');
    desk.write('app/vendor/lib/lib.txt', 'mine\n');
    desk.write('app/vendor/lib/one.txt', '1\n');
    desk.write('app/vendor/lib/two.txt', '2\n');
    expect(await said()).toBe('vendor/lib is a submodule; work in it stays behind: 1 changed file and 2 new files.');
  });

  it('a commit that only this checkout has, and one that HEAD does not name', async () => {
    desk.write('app/vendor/lib/lib.txt', 'mine\n');
    desk.git('app/vendor/lib', 'commit', '--quiet', '--all', '-m', 'mine');
    const commit = desk.git('app/vendor/lib', 'rev-parse', 'HEAD').slice(0, 12);
    const alone = `vendor/lib is a submodule at commit ${commit}, which is on none of its remotes: the commit stays behind.`;
    expect(await said()).toBe(alone);
    // Also once the pointer to it is committed, and with nothing else to send.
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'pointer');
    expect(await said()).toBe(alone);
    desk.git('app/vendor/lib', 'push', '--quiet', 'origin', 'HEAD:refs/heads/pushed');
    expect(await said()).toBe('');
    desk.git('app', 'reset', '--quiet', '--soft', 'HEAD~1');
    desk.git('app', 'reset', '--quiet');
    expect(await said()).toBe(
      `vendor/lib is a submodule at commit ${commit}, which HEAD does not name: only the pointer goes along.`,
    );
  });

  it('when everything of the repository itself is pushed', async () => {
    desk.git('app', 'remote', 'add', 'origin', 'https://git.example.org/team/app.git');
    desk.git('app', 'update-ref', 'refs/remotes/origin/main', 'HEAD');
    desk.write('app/vendor/lib/one.txt', '1\n');
    expect(await said()).toBe('vendor/lib is a submodule; work in it stays behind: 1 new file.');
    expect(server.uploads.size).toBe(0);
  });

  it('of one inside another', async () => {
    desk.repo('deep', { 'deep.txt': 'deep\n' });
    desk.git('app/vendor/lib', 'submodule', '--quiet', 'add', desk.path('deep'), 'deep');
    desk.git('app/vendor/lib', 'commit', '--quiet', '-m', 'deeper');
    desk.git('app/vendor/lib', 'push', '--quiet', 'origin', 'HEAD:refs/heads/pushed');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'pointer');
    desk.write('app/vendor/lib/deep/deep.txt', 'mine\n');
    expect(await said()).toBe('vendor/lib/deep is a submodule; work in it stays behind: 1 changed file.');
  });
});

describe('what the agent made and the diff does not hold', () => {
  it('is said by pull and status', async () => {
    const { id } = await desk.json(['run', '--cloud', '--spec', desk.path('spec.md')], { cwd: 'app' });
    const diff =
      'diff --git a/made.txt b/made.txt\nnew file mode 100644\n--- /dev/null\n+++ b/made.txt\n@@ -0,0 +1 @@\n+x\n';
    server.finish(id, diff);
    const leftOut = ['vendor/lib: commit 0123456789 is nowhere else', 'big.bin is larger than the limit'];
    const counted = server.job(id).detail.diff;
    if (counted === null) throw new Error('there is no diff');
    server.setState(id, 'succeeded', { diff: { ...counted, leftOut } });
    const status = await desk.run(['status', id], { cwd: 'app' });
    const pulled = await desk.run(['pull', id], { cwd: 'app' });
    for (const line of leftOut) {
      expect(status.stdout).toContain(line);
      expect(pulled.stderr).toContain(line);
    }
    expect(await desk.json(['pull', id, '--stat'], { cwd: 'app' })).toMatchObject({ leftOut });
  });
});
