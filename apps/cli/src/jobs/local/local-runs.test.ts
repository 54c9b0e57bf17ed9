import { cpSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../../testing/fake-server.ts';
import { Desk, type Running } from '../../testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
let runs: Running[];
beforeEach(() => {
  runs = [];
  desk = new Desk();
  desk.repo('app', { 'a.txt': 'a\n' });
});
afterEach(async () => {
  for (const run of runs) run.child.kill('SIGINT');
  await Promise.all(runs.map(({ ended }) => ended));
  desk.dispose();
});

const spec = (...lines: string[]) => `# Do it\n\n\`\`\`sh\n${lines.join('\n')}\n\`\`\`\n`;
const workFolders = () => readdirSync(desk.path('home')).filter((name) => name.startsWith('hangar-run-'));
const records = () => desk.path('app/.git/hangar/runs');
const idIn = (text: string) => /l_[0-9a-z]+/.exec(text)?.[0] ?? '';
const here = { cwd: 'app' };

/** A run that goes on until it is told to end. */
async function live(...lines: string[]): Promise<{ run: Running; id: string; end: () => void }> {
  const run = desk.start(['run'], {
    ...here,
    input: spec('echo begun', ...lines, `while [ ! -e ${desk.path('end')} ]; do sleep 0.1; done`, 'echo over'),
  });
  runs.push(run);
  await run.saw('begun');
  return { run, id: readdirSync(records())[0] ?? '', end: () => desk.write('end', '') };
}

/** What this test has started and is still there, found by a word in its environment or arguments. */
function left(word: string): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) return [];
    try {
      const [stat, args] = [
        readFileSync(`/proc/${entry}/stat`, 'latin1'),
        readFileSync(`/proc/${entry}/cmdline`, 'utf8'),
      ];
      const state = stat.slice(stat.lastIndexOf(')') + 2)[0];
      return state !== 'Z' && args.includes(word) ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
}

/** Records of runs that have ended, older than any real one. */
function endedRuns(count: number, from: string): void {
  const run = JSON.parse(readFileSync(join(records(), from, 'run.json'), 'utf8'));
  for (let n = 0; n < count; n++) {
    const id = `l_zz${n}`;
    cpSync(join(records(), from), join(records(), id), { recursive: true });
    const times = { startedAt: new Date(2e12 + n).toISOString(), finishedAt: new Date(2e12 + n).toISOString() };
    writeFileSync(join(records(), id, 'run.json'), JSON.stringify({ ...run, ...times, id, state: 'succeeded' }));
  }
}

describe('runs on this machine', () => {
  it('keeps the last thirty that have ended, and every one that still runs', async () => {
    const { run, id, end } = await live();
    endedRuns(32, id);
    expect((await desk.run(['run'], { ...here, input: spec('true') })).code).toBe(0);
    expect(readdirSync(records())).toContain(id);
    expect(readdirSync(records())).toHaveLength(31);
    expect((await desk.json(['status', id], here)).state).toBe('running');
    end();
    expect((await run.ended).code).toBe(0);
    expect((await desk.json(['status', id], here)).state).toBe('succeeded');
  });

  it('does not take another process with the same number for the command of a run', async () => {
    const { run, id, end } = await live();
    const file = join(records(), id, 'run.json');
    const record = JSON.parse(readFileSync(file, 'utf8'));
    end();
    await run.ended;
    const owner = { ...record.owner, pid: process.pid };
    writeFileSync(file, JSON.stringify({ ...record, owner }));
    expect((await desk.json(['status', id], here)).state).toBe('lost');
    // From a container that shares the checkout nobody can tell; what its command has written a moment ago counts.
    writeFileSync(file, JSON.stringify({ ...record, owner: { ...owner, place: 'somewhere else' } }));
    expect((await desk.json(['status', id], here)).state).toBe('running');
  });

  it('ends what a killed command has left behind, and says what is kept', async () => {
    const word = `${desk.dir}/hidden`;
    const hidden = `env -i setsid sh -c ': ${word}; while :; do sleep 0.2; done' </dev/null >/dev/null 2>&1 &`;
    const { run, id } = await live(hidden, `sh -c ': ${word}; trap "" TERM HUP PIPE; while :; do sleep 0.2; done'`);
    await expect.poll(() => left(word).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
    run.child.kill('SIGKILL');
    await run.ended;
    expect(workFolders()).toHaveLength(1);
    expect(left(word)).not.toEqual([]);

    const status = await desk.run(['status'], here);
    expect(status.stdout).toContain('✗ lost on this machine');
    expect(status.stderr).toContain(`${id} was killed before it had ended.`);
    expect(status.stderr).toContain(`hangar logs ${id}`);
    expect(workFolders()).toEqual([]);
    expect(left(word)).toEqual([]);
    expect((await desk.run(['logs', id, '--stream', 'stdout'], here)).stdout).toBe('begun\n');
    // Said once.
    expect((await desk.run(['status'], here)).stderr).not.toContain('was killed');
  });

  it('finds what was left behind from any checkout, also before the run had a record', async () => {
    const { run } = await live();
    run.child.kill('SIGKILL');
    await run.ended;
    desk.repo('other');
    expect((await desk.run(['run'], { cwd: 'other', input: spec('true') })).code).toBe(0);
    expect(workFolders()).toEqual([]);
  });

  it('leaves a folder of that name alone that is not its own', async () => {
    desk.write('home/hangar-run-notes1/mine.txt', 'mine');
    const { run, id } = await live();
    run.child.kill('SIGKILL');
    await run.ended;
    const file = join(records(), id, 'run.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), dir: desk.path('home') }));
    await desk.run(['status'], here);
    expect(existsSync(desk.path('home/hangar-run-notes1/mine.txt'))).toBe(true);
  });

  it('leaves no folder when Ctrl-C is pressed twice', async () => {
    const { run, id } = await live("trap '' TERM", 'chmod 500 .');
    run.child.kill('SIGINT');
    await run.saw('Stopping the agent');
    run.child.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    expect(workFolders()).toEqual([]);
    expect((await desk.json(['status', id], here)).state).toBe('lost');
  });

  it('follows a run from another terminal to its end, with its exit code', async () => {
    const { run, id, end } = await live();
    const logs = desk.start(['logs', id, '--follow', '--exit-code', '--stream', 'stdout'], here);
    const last = desk.start(['logs', '--follow', '--tail', '1', '--json'], here);
    await logs.saw('begun');
    end();
    expect(await logs.ended).toMatchObject({ code: 0, stdout: 'begun\nover\n' });
    expect((await last.ended).stdout).toContain('"over"');
    expect((await run.ended).code).toBe(0);

    const failed = await desk.run(['run'], { ...here, input: spec('echo no', 'exit 3') });
    const args = ['logs', idIn(failed.stderr), '--exit-code', '--stream', 'stdout'];
    expect(await desk.run(args, here)).toMatchObject({ code: 5, stdout: 'no\n' });
    expect(await desk.run([...args, '--follow'], here)).toMatchObject({ code: 5, stdout: 'no\n' });
  });

  it('reads a log that is larger than a string can be', async () => {
    const run = await desk.run(['run'], { ...here, input: spec('true') });
    const id = idIn(run.stderr);
    const log = openSync(join(records(), id, 'log'), 'w');
    const line = (n: number, text: string) =>
      `${JSON.stringify({ n, at: '2026-01-01T00:00:00.000Z', stream: 'stdout', text })}\n`;
    for (let n = 0; n < 136; n++) writeSync(log, line(n, 'x'.repeat(4 * 1024 * 1024)));
    writeSync(log, line(136, 'the last one'));
    expect((await desk.run(['logs', id, '--tail', '1'], here)).stdout).toBe('the last one\n');
  });

  it('is stopped by cancel, and refuses what only a server can do', async () => {
    const { run, id } = await live('echo part > part.txt');
    expect((await desk.run(['pull', id], here)).stderr).toContain(`hangar cancel ${id}`);
    expect((await desk.run(['cancel', id], here)).stdout).toBe(`${id} is being cancelled.\n`);
    await run.ended;
    expect((await desk.run(['cancel', id], here)).stdout).toBe(`${id} – cancelled\n`);
    expect((await desk.json(['status', id], here)).failure.wayOut).toBe('Start again with: hangar run --spec SPEC.md');
    expect((await desk.run(['pull', id], here)).code).toBe(0);
    const retry = await desk.run(['retry', id, '--json'], here);
    expect(JSON.parse(retry.stdout).error).toMatchObject({
      code: 'usage',
      message: `${id} ran on this machine; no server knows it.`,
      wayOut: 'Run it again: hangar run --spec SPEC.md',
    });
  });

  it('lists and gives out what it has left', async () => {
    const run = await desk.run(['run'], {
      ...here,
      input: spec('echo report > "$HANGAR_ARTIFACTS/report.txt"', 'echo > b'),
    });
    const id = idIn(run.stderr);
    const { items } = await desk.json(['artifacts', 'list', id], here);
    expect(items.map(({ name }: { name: string }) => name)).toEqual(['diff', 'report.txt']);
    expect((await desk.run(['artifacts', 'download', id, 'report.txt', '--output', '-'], here)).stdout).toBe(
      'report\n',
    );
  });

  it('prints the documented JSON, also when it applies the diff', async () => {
    const args = ['run', '--apply', '--json'];
    const changed = JSON.parse((await desk.run(args, { ...here, input: spec('echo new > new.txt') })).stdout);
    expect(changed).toMatchObject({ state: 'succeeded', exitCode: 0, failure: null, applied: true, conflicts: [] });
    expect(changed).toMatchObject({
      id: changed.job,
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
      diff: { filesChanged: 1 },
    });
    expect(existsSync(changed.diffFile)).toBe(true);
    const nothing = JSON.parse((await desk.run(args, { ...here, input: spec('true') })).stdout);
    expect(nothing).toMatchObject({ state: 'succeeded', diffFile: null, applied: false });
    const failed = JSON.parse((await desk.run(args, { ...here, input: spec('exit 4') })).stdout);
    expect(failed).toMatchObject({ state: 'failed', exitCode: 4, failure: { code: 'agent_failed' }, applied: false });
  });

  it('applies to the checkout that was named, and only says commands that work', async () => {
    desk.repo('an other', { 'b.txt': 'b\n' });
    const says: string[] = [];
    const run = async (lines: string[], ...more: string[]) => {
      const ended = await desk.run(['run', '--repo', '../an other', ...more], { ...here, input: spec(...lines) });
      const next = /^Next: (.*)$/m.exec(ended.stderr)?.[1]?.split('   or   ') ?? [];
      expect(next).not.toEqual([]);
      says.push(...next);
      for (const line of next) expect(await said(line), line).toMatchObject({ code: 0 });
    };
    await run(['echo theirs > c.txt'], '--apply');
    expect(existsSync(desk.path('app/c.txt'))).toBe(false);
    await run(['true']);
    await run(['exit 3']);
    await run(['echo part > d.txt', 'exit 3']);
    expect(says.join('\n')).not.toContain('retry');
    expect(says[0]).toBe(`cd '${desk.path('an other')}' && git diff --cached`);
  });

  const said = (line: string) => desk.shell(`cd app && ${line}`).ended;
});

describe('the newest of both kinds', () => {
  let server: FakeServer;
  beforeEach(async () => {
    server = await new FakeServer().start();
  });
  afterEach(() => server.stop());

  it('asks no server that nobody signed in to', async () => {
    const env = { HANGAR_SERVER: server.url };
    const run = await desk.run(['run'], { ...here, env, input: spec('echo mine', 'echo new > new.txt') });
    const id = idIn(run.stderr);
    expect((await desk.json(['status'], { ...here, env })).id).toBe(id);
    expect((await desk.run(['logs', '--stream', 'stdout'], { ...here, env })).stdout).toBe('mine\n');
    expect((await desk.json(['pull'], { ...here, env })).job).toBe(id);
    expect(server.requests).toEqual([]);
    desk.repo('empty');
    const none = JSON.parse((await desk.run(['status', '--json'], { cwd: 'empty', env })).stdout);
    expect(none.error).toMatchObject({ code: 'not_signed_in', exitCode: 3 });
    expect(none.error.wayOut).toContain('hangar cloud login');
  });

  it('takes the job or the run, whichever is newer', async () => {
    const env = { HANGAR_SERVER: server.url, HANGAR_TOKEN: server.apiKey };
    const repo = { url: 'https://git.example.org/team/app.git', name: 'team/app' };
    desk.git('app', 'remote', 'add', 'origin', repo.url);
    const job = server.addJob({ repo });
    const run = await desk.run(['run'], { ...here, env, input: spec('echo mine', 'echo new > new.txt') });
    const id = idIn(run.stderr);
    expect((await desk.json(['status'], { ...here, env })).id).toBe(id);
    const both = await desk.json(['status', id, job], { ...here, env });
    expect(both.items.map((one: { id: string }) => one.id)).toEqual([id, job]);
    expect((await desk.json(['pull', '--stat'], { ...here, env })).job).toBe(id);
    const newer = server.addJob({ repo });
    expect((await desk.json(['status'], { ...here, env })).id).toBe(newer);
    // It has not ended: what can be pulled is the run.
    expect((await desk.json(['pull', '--stat'], { ...here, env })).job).toBe(id);
    await server.stop();
    const away = await desk.run(['pull', '--stat', '--json'], { ...here, env });
    expect(JSON.parse(away.stdout).job).toBe(id);
    expect(away.stderr).toContain('only runs on this machine were looked at');
  });
});
