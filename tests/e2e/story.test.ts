import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerForTests } from '../../packages/sandbox/src/drivers/docker/testing/index.ts';
import { makeRepo, ServerProcess } from './server-process.ts';

const SPEC = '# Add a file\n\n```sh\necho hello > hello.txt; echo out; echo err >&2\n```\n';

let server: ServerProcess;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  await server.signIn();
});
afterAll(() => server?.remove());

async function story(profile: string | null): Promise<void> {
  const repo = await makeRepo(join(server.dir, `repo-${profile ?? 'default'}`));
  const spec = join(server.dir, 'spec.md');
  writeFileSync(spec, SPEC);
  const on = profile === null ? [] : ['--on', profile];
  const submitted = await server.hangar(['run', '--cloud', '--agent', 'shell', '--spec', spec, '--json', ...on], {
    cwd: repo,
  });
  expect(submitted.stderr + submitted.stdout).toContain('j_');
  expect(submitted.exitCode).toBe(0);
  const { id } = JSON.parse(submitted.stdout) as { id: string };

  const followed = await server.hangar(['logs', id, '--follow'], { cwd: repo });
  const status = await server.hangar(['status', id, '--json'], { cwd: repo });
  const job = JSON.parse(status.stdout) as {
    state: string;
    reason: string;
    diff: { filesChanged: number; insertions: number };
    phases: { name: string }[];
  };
  expect(`${job.state}: ${job.reason}`).toMatch(/^succeeded/);
  expect(followed.exitCode).toBe(0);
  expect(followed.stdout.split('\n')).toEqual(
    expect.arrayContaining([expect.stringContaining('out'), expect.stringContaining('err')]),
  );

  expect(job.diff).toMatchObject({ filesChanged: 1, insertions: 1 });
  expect(job.phases.map(({ name }) => name)).toEqual(['queued', 'starting', 'cloning', 'running', 'collecting']);

  const pulled = await server.hangar(['pull', id], { cwd: repo });
  expect(pulled.stderr).not.toMatch(/error/i);
  expect(pulled.exitCode).toBe(0);
  expect(readFileSync(join(repo, 'hello.txt'), 'utf8')).toBe('hello\n');
  const undone = await server.hangar(['pull', '--undo'], { cwd: repo });
  expect(undone.exitCode).toBe(0);
  expect(existsSync(join(repo, 'hello.txt'))).toBe(false);
  expect((await execa('git', ['status', '--porcelain'], { cwd: repo })).stdout).toBe('');
}

describe('the story: send, watch, pull', () => {
  it('says who is signed in', async () => {
    const { stdout } = await server.hangar(['cloud', 'whoami', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ user: { role: 'admin' }, plan: { id: 'standard' } });
  });

  it('works on the default profile', () => story(null), 120_000);

  it('works on a docker profile', async ({ skip }) => {
    const docker = await dockerForTests();
    if ('skipped' in docker) return skip(docker.skipped);
    const created = await server.hangar([
      'profiles',
      'create',
      'boxes',
      '--driver',
      'docker',
      '--set',
      `host=${docker.host}`,
      '--set',
      `image=${docker.image}`,
      '--set',
      'pull=never',
      '--set',
      'network=none',
    ]);
    expect(created.stderr).not.toMatch(/error/i);
    expect(created.exitCode).toBe(0);
    await story('boxes');
  }, 300_000);
});
