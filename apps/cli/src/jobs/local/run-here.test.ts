import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Desk, type Ended } from '../../testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk({ HANGAR_SERVER: 'http://127.0.0.1:1' });
  desk.repo('app', { 'a.txt': 'a\n' });
});
afterEach(() => desk.dispose());

const spec = (...lines: string[]) => `# Do it\n\n\`\`\`sh\n${lines.join('\n')}\n\`\`\`\n`;
const leftovers = () => readdirSync(desk.path('home')).filter((name) => name.startsWith('hangar-'));

describe('run without --cloud', () => {
  it('runs on a copy, shows the log, keeps the diff for pull; no server is asked', async () => {
    desk.write('app/a.txt', 'a\nmine\n');
    const run = await desk.run(['run'], {
      cwd: 'app',
      input: spec('cat a.txt', 'echo oops >&2', 'echo theirs >> a.txt', 'echo new > new.txt'),
    });
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('a\nmine\n');
    expect(run.stdout).toContain('oops\n');
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('a\nmine\n');
    const id = /l_[0-9a-z]+/.exec(run.stderr)?.[0] ?? '';
    expect(run.stderr).toContain(`Next: hangar pull ${id}`);
    expect(leftovers()).toEqual([]);

    expect((await desk.run(['status', id], { cwd: 'app' })).stdout).toContain('✓ succeeded on this machine');
    expect((await desk.run(['logs', id, '--grep', 'OOPS'], { cwd: 'app' })).stdout).toBe('oops\n');
    const pulled = await desk.json(['pull', '--local'], { cwd: 'app' });
    expect(pulled).toMatchObject({ job: id, applied: true, onTop: true, filesChanged: 2, insertions: 2, deletions: 0 });
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('a\nmine\ntheirs\n');
    expect((await desk.run(['pull', '--undo'], { cwd: 'app' })).code).toBe(0);
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('a\nmine\n');
    expect(existsSync(desk.path('app/new.txt'))).toBe(false);
  });

  it.each(['blob:none', 'tree:0'])(
    'runs in a partial, sparse clone (%s) with all files of the commit',
    async (filter) => {
      desk.write('app/far/b.txt', 'bee\n');
      desk.git('app', 'add', '-A');
      desk.git('app', 'commit', '-qm', 'far');
      for (const name of ['allowFilter', 'allowAnySHA1InWant']) desk.git('app', 'config', `uploadpack.${name}`, 'true');
      desk.git('.', 'clone', '-q', `--filter=${filter}`, '--no-checkout', `file://${desk.path('app')}`, 'partial');
      desk.git('partial', 'sparse-checkout', 'set', '--cone', 'near');
      desk.git('partial', 'checkout', '-q');
      desk.write('partial/a.txt', 'a\nmine\n');
      const run = await desk.run(['run'], { cwd: 'partial', input: spec('cat a.txt far/b.txt', 'echo new > new.txt') });
      expect(run.stderr).toContain('files that this partial clone lacks');
      expect(run.code).toBe(0);
      expect(run.stdout).toContain('mine\nbee\n');
      expect((await desk.run(['pull', '--local'], { cwd: 'partial' })).code).toBe(0);
      expect(readFileSync(desk.path('partial/new.txt'), 'utf8')).toBe('new\n');
      desk.git('partial', 'remote', 'set-url', 'origin', `file://${desk.path('nowhere')}`);
      desk.git('partial', 'commit', '-qam', 'mine');
      expect((await desk.run(['run'], { cwd: 'partial', input: spec('true') })).code).toBe(0);
    },
  );

  it('applies at once when asked', async () => {
    const run = await desk.run(['run', '--apply'], { cwd: 'app', input: spec('echo new > new.txt') });
    expect(run.code).toBe(0);
    expect(desk.git('app', 'status', '--porcelain')).toBe('A  new.txt\n');
  });

  it('gives the agent its environment, and any command is an agent', async () => {
    const run = await desk.run(
      ['run', '--agent', 'cat > spec.txt; echo "$COLOR" > color.txt', '--env', 'COLOR', '--apply'],
      {
        cwd: 'app',
        input: '# The spec\n',
        env: { COLOR: 'green-as-grass' },
      },
    );
    expect(run.code).toBe(0);
    expect(readFileSync(desk.path('app/spec.txt'), 'utf8')).toBe('# The spec\n');
    expect(readFileSync(desk.path('app/color.txt'), 'utf8')).toBe('green-as-grass\n');
  });

  it('ends with 5 when the agent fails, and keeps what it did', async () => {
    const run = await desk.run(['run', '--json'], { cwd: 'app', input: spec('echo part > part.txt', 'exit 3') });
    expect(run.code).toBe(5);
    const ended = JSON.parse(run.stdout);
    expect(ended).toMatchObject({
      state: 'failed',
      exitCode: 3,
      failure: { code: 'agent_failed' },
      diff: { filesChanged: 1, partial: true },
    });
    const pulled = await desk.run(['pull', ended.id], { cwd: 'app' });
    expect(pulled.stderr).toContain('The job did not succeed');
    expect(readFileSync(desk.path('app/part.txt'), 'utf8')).toBe('part\n');
  });

  it('stops the agent on Ctrl-C and keeps what it did', async () => {
    const run = desk.start(['run'], { cwd: 'app', input: spec('echo part > part.txt', 'echo begun', 'sleep 60') });
    await run.saw('begun');
    run.child.kill('SIGINT');
    const ended = await run.ended;
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain('hangar pull l_');
    expect(leftovers()).toEqual([]);
  });

  const isAlive = (pid: number) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  const agentOf = ({ stdout }: Ended) => Number(/pid=(\d+)/.exec(stdout)?.[1]);
  const idOf = ({ stderr }: Ended) => /l_[0-9a-z]+/.exec(stderr)?.[0] ?? '';

  it('ends the agent at once when Ctrl-C is pressed again, and the log is still there', async () => {
    const stubborn = ["trap '' TERM", 'echo "pid=$$"', 'while :; do sleep 0.2; done'];
    const run = desk.start(['run'], { cwd: 'app', input: spec(...stubborn) });
    await run.saw('pid=');
    run.child.kill('SIGINT');
    await run.saw('Stopping the agent');
    run.child.kill('SIGINT');
    const ended = await run.ended;
    expect(ended.code).toBe(130);
    await expect.poll(() => isAlive(agentOf(ended)), { timeout: 10_000 }).toBe(false);
    const id = idOf(ended);
    expect((await desk.run(['logs', id, '--stream', 'stdout'], { cwd: 'app' })).stdout).toContain('pid=');
    expect((await desk.run(['status', id], { cwd: 'app' })).stdout).toContain('✗ lost on this machine, begun');
    const pull = JSON.parse((await desk.run(['pull', id, '--json'], { cwd: 'app' })).stdout);
    expect(pull.error).toMatchObject({ code: 'diff_not_found' });
    expect(pull.error.message).toContain('killed before the run had ended');
  });

  it('stops the agent when the terminal is closed, and keeps what it did', async () => {
    const run = desk.start(['run'], { cwd: 'app', input: spec('echo part > part.txt', 'echo begun', 'sleep 60') });
    await run.saw('begun');
    run.child.kill('SIGHUP');
    run.child.kill('SIGHUP');
    const ended = await run.ended;
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain('hangar pull l_');
    expect(leftovers()).toEqual([]);
  });

  it('stops the agent when nobody reads any more', async () => {
    const run = desk.start(['run'], {
      cwd: 'app',
      input: spec('echo part > part.txt', 'echo "pid=$$"', 'while :; do echo on; sleep 0.2; done'),
    });
    await run.saw('on\n');
    run.child.stdout?.destroy();
    const ended = await run.ended;
    expect(ended.stderr).toContain('Stopping the agent');
    expect(isAlive(agentOf(ended))).toBe(false);
    await desk.run(['pull', idOf(ended)], { cwd: 'app' });
    expect(readFileSync(desk.path('app/part.txt'), 'utf8')).toBe('part\n');
  });

  it('has the log and the last checkpoint of a command that was killed', async () => {
    const run = desk.start(['run'], { cwd: 'app', input: spec('echo begun', 'sleep 3') });
    await run.saw('begun');
    run.child.kill('SIGKILL');
    const id = idOf(await run.ended);
    const folder = desk.path('app/.git/hangar/runs', id);
    appendFileSync(join(folder, 'log'), '{"n":');
    expect((await desk.run(['logs', id, '--stream', 'stdout'], { cwd: 'app' })).stdout).toBe('begun\n');
    // As the worker saves one while the agent works.
    const diff = 'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+A\n';
    writeFileSync(join(folder, 'diff'), diff);
    const saved = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
    const counts = { filesChanged: 1, insertions: 1, deletions: 1, sizeBytes: diff.length, partial: true };
    writeFileSync(join(folder, 'run.json'), JSON.stringify({ ...saved, diff: counts }));
    const pulled = await desk.run(['pull', '--local'], { cwd: 'app' });
    expect(pulled.stderr).toContain('The job did not succeed');
    expect(readFileSync(desk.path('app/a.txt'), 'utf8')).toBe('A\n');
  });

  it('says what is wrong before anything runs', async () => {
    for (const [args, input, code] of [
      [['--on', 'docker'], spec('true'), 'usage'],
      [[], '# No block\n', 'spec_no_commands'],
      [['--repo', 'https://example.org/x.git'], spec('true'), 'not_a_checkout'],
      [['--ref', 'nowhere'], spec('true'), 'ref_not_found'],
    ] as const)
      expect(JSON.parse((await desk.run(['run', ...args, '--json'], { cwd: 'app', input })).stdout).error.code).toBe(
        code,
      );
  });
});
