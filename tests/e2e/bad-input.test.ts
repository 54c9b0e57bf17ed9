import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRepo, ServerProcess } from './server-process.ts';

interface Job {
  id: string;
  state: string;
  reason: string;
  exitCode: number | null;
  failure: { code: string; wayOut: string } | null;
  diff: { filesChanged: number; partial: boolean } | null;
}

let server: ServerProcess;
let repo: string;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  await server.signIn();
  repo = await makeRepo(join(server.dir, 'repo'), { 'README.md': '# A repository\n', 'src/a.txt': 'a\n' });
});
afterAll(() => server?.remove());

let count = 0;
async function run(script: string, options: readonly string[] = []): Promise<Job> {
  const file = join(server.dir, `spec-${count++}.md`);
  writeFileSync(file, `# Try\n\n\`\`\`sh\n${script}\n\`\`\`\n`);
  const sent = await server.hangar(['run', '--cloud', '--spec', file, '--wait', '--json', ...options], { cwd: repo });
  const { id } = JSON.parse(sent.stdout) as Job;
  return job(id);
}
async function job(id: string): Promise<Job> {
  return JSON.parse((await server.hangar(['status', id, '--json'])).stdout) as Job;
}
async function refused(args: readonly string[], o: { input?: string; cwd?: string } = {}) {
  const answer = await server.hangar([...args, '--json'], { cwd: repo, ...o });
  const { error } = JSON.parse(answer.stdout) as { error: { code: string; message: string; wayOut: string } };
  expect(error.wayOut).not.toBe('');
  return { code: error.code, exitCode: answer.exitCode };
}

describe('what is asked wrongly is refused with a way out', () => {
  it.each([
    ['an empty spec', '  \n', 'spec_empty'],
    ['a spec over 1 MiB', `# Big\n${'x'.repeat(1024 * 1024)}`, 'spec_too_large'],
    ['broken front matter', '---\nagent: [\n---\n# X\n', 'spec_front_matter'],
    ['front matter with a word nobody knows', '---\nagnet: shell\n---\n# X\n', 'spec_front_matter'],
    ['a shell spec without commands', '# Nothing to run\n', 'spec_no_commands'],
  ])('%s', async (_name, input, code) => {
    expect(await refused(['run', '--cloud', '--spec', '-'], { input })).toEqual({ code, exitCode: 2 });
  });
  it.each([
    ['an unknown agent', ['--agent', 'cluade'], 'agent_unknown'],
    ['an unknown profile', ['--on', 'nowhere'], 'profile_not_found'],
    ['an unknown credential', ['--credential', 'nothing'], 'credential_not_found'],
    ['a URL that is an option', ['--repo', '--upload-pack=touch /tmp/x'], 'usage'],
    ['a remote helper as URL', ['--repo', 'ext::sh -c id'], 'not_a_checkout'],
  ])('%s', async (_name, options, code) => {
    const answer = await refused(['run', '--cloud', '--spec', '-', ...options], { input: '# X\n```sh\ntrue\n```\n' });
    expect(answer).toEqual({ code, exitCode: 2 });
  });
  it('a job, artifact or diff that is not there', async () => {
    expect(await refused(['status', 'j_0000000000000000'])).toEqual({ code: 'job_not_found', exitCode: 2 });
    expect(await refused(['logs', 'j_0000000000000000'])).toEqual({ code: 'job_not_found', exitCode: 2 });
    expect(await refused(['pull', 'j_0000000000000000'])).toEqual({ code: 'job_not_found', exitCode: 2 });
  });
});

describe('an agent may do anything, and nothing is lost', () => {
  it('exit 137 is told, the partial work kept', async () => {
    const ended = await run('echo half > half.txt; exit 137');
    expect(ended).toMatchObject({
      state: 'failed',
      exitCode: 137,
      failure: { code: 'agent_failed' },
      diff: { filesChanged: 1, partial: true },
    });
  });
  it('a job that never ends is ended by its timeout, its work kept', async () => {
    const ended = await run('echo half > half.txt; sleep 1000', ['--timeout', '5s']);
    expect(ended).toMatchObject({ state: 'timed_out', failure: { code: 'job_timeout' }, diff: { filesChanged: 1 } });
  });
  it('a removed .git does not lose the diff', async () => {
    expect(await run('rm -rf .git; echo new > new.txt')).toMatchObject({
      state: 'succeeded',
      diff: { filesChanged: 1 },
    });
  });
  it('a removed work tree is told', async () => {
    const ended = await run('d=$PWD; cd /; rm -rf "$d" || rm -rf "$d"/* "$d"/.[a-z]*');
    expect(['worktree_gone', 'nothing']).toContain(ended.failure?.code ?? 'nothing');
    expect(ended.state === 'failed' || ended.diff !== null).toBe(true);
  });
  it('processes left behind do not hold the job, and are gone', async () => {
    const ended = await run('(setsid sleep 4711 &) ; nohup sleep 4712 >/dev/null 2>&1 & echo left');
    expect(ended.state).toBe('succeeded');
    const left = readdirSync('/proc').filter((pid) => {
      try {
        return /sleep\u0000471[12]/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
      } catch {
        return false;
      }
    });
    expect(left).toEqual([]);
  });
  it('binary output stays text, a flood stays whole', async () => {
    const binary = await run('head -c 100000 /dev/urandom; echo; echo end-of-it');
    expect(binary.state).toBe('succeeded');
    expect((await server.hangar(['logs', binary.id, '--tail', '5'])).stdout).toContain('end-of-it');
    const flood = await run('seq 1 300000');
    expect(flood.state).toBe('succeeded');
    const { stdout } = await server.hangar(['logs', flood.id, '--stream', 'stdout']);
    expect(stdout.trim().split('\n')).toHaveLength(300_000);
  }, 120_000);
  it('a cancelled job keeps its partial diff', async () => {
    const file = join(server.dir, 'cancel.md');
    writeFileSync(file, '# Wait\n\n```sh\necho half > half.txt; echo ready; sleep 1000\n```\n');
    const sent = await server.hangar(['run', '--cloud', '--spec', file, '--json'], { cwd: repo });
    const { id } = JSON.parse(sent.stdout) as Job;
    for (let turn = 0; turn < 200 && !(await server.hangar(['logs', id])).stdout.includes('ready'); turn++)
      await sleep(100);
    expect((await server.hangar(['cancel', id])).exitCode).toBe(0);
    for (let turn = 0; turn < 200 && !/cancelled/.test((await job(id)).state); turn++) await sleep(100);
    expect(await job(id)).toMatchObject({ state: 'cancelled', diff: { filesChanged: 1, partial: true } });
    const pulled = await server.hangar(['pull', id, '--stat'], { cwd: repo });
    expect(pulled.stdout).toContain('half.txt');
  }, 60_000);
  it('a repository that is not there, a ref that is not there', async () => {
    const gone = await run('true', ['--repo', 'http://127.0.0.1:9/none.git']);
    expect(gone).toMatchObject({ state: 'failed', failure: { code: 'repo_unreachable' } });
  });
});

describe('a server tells what is in its way', () => {
  it('a taken port', async () => {
    const second = new ServerProcess(join(server.dir, 'second'), server.port);
    const started = await second.hangar(['server', 'start'], { env: second.env });
    expect(started.stderr).toContain(`Port ${server.port}`);
    expect(started.exitCode).toBe(2);
  });
  it('a data directory in use', async () => {
    const started = await server.hangar(['server', 'start'], { env: { ...server.env, HANGAR_PORT: '0' } });
    expect(started.stderr).toContain('Another Hangar server uses this data directory');
    expect(started.exitCode).toBe(2);
    expect((await server.hangar(['jobs', '--json'])).exitCode).toBe(0);
  });
  it('a setting that is not right', async () => {
    const started = await server.hangar(['server', 'start'], { env: { ...server.env, HANGAR_PORT: 'http' } });
    expect(started.stderr).toContain('HANGAR_PORT');
    expect(started.exitCode).toBe(2);
  });
  it('a database that dies is started again, and nothing is lost', async () => {
    const before = await run('echo before > before.txt');
    const postmaster = Number(readFileSync(join(server.dir, 'data/postgres/postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(postmaster, 'SIGKILL');
    const deadline = Date.now() + 30_000;
    for (;;) {
      const answer = await server.hangar(['status', before.id, '--json']);
      if (answer.exitCode === 0) break;
      expect(answer.exitCode).toBe(4);
      if (Date.now() > deadline) throw new Error(`the database did not come back: ${answer.stderr}`);
      await sleep(250);
    }
    expect(await run('echo after > after.txt')).toMatchObject({ state: 'succeeded' });
  }, 90_000);
});
