import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Desk } from '../../testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
  desk.repo('app', { 'a.txt': 'one\n' });
});
afterEach(() => desk.dispose());

const clone = (from: string, to: string) =>
  execFileSync('git', ['clone', '--quiet', desk.path(from), desk.path(to)], { env: desk.env });

/** A run that leaves made.txt, in a folder of the desk. */
async function runIn(cwd: string, text = 'made'): Promise<string> {
  const input = `# Do it\n\n\`\`\`sh\necho ${text} > made.txt\n\`\`\`\n`;
  return (await desk.json(['run'], { cwd, input })).id;
}

const answer = async (cwd: string, ...args: string[]) =>
  JSON.parse((await desk.run([...args, '--json'], { cwd })).stdout);

describe('a run on this machine and the checkout it is pulled into', () => {
  it('find each other in a work tree and in another clone, whatever the folder is called', async () => {
    desk.git('app', 'worktree', 'add', '--quiet', '-b', 'side', '../app-wt');
    clone('app', 'elsewhere');
    // A commit that the other clone does not have.
    desk.write('app/a.txt', 'two\n');
    desk.git('app', 'commit', '--quiet', '--all', '-m', 'second');
    const id = await runIn('app');
    for (const cwd of ['app-wt', 'elsewhere']) {
      expect(await answer(cwd, 'status')).toMatchObject({ id, state: 'succeeded' });
      expect(await answer(cwd, 'pull', '--check')).toMatchObject({ job: id, applies: true });
      expect(await answer(cwd, 'pull', '--check', '--local')).toMatchObject({ job: id });
      expect((await answer(cwd, 'artifacts', 'list', id)).items).toMatchObject([{ name: 'diff' }]);
      expect((await desk.run(['logs', id], { cwd })).code).toBe(0);
    }
    expect(await answer('elsewhere', 'pull')).toMatchObject({ job: id, applied: true });
    expect(readFileSync(desk.path('elsewhere/made.txt'), 'utf8')).toBe('made\n');
    // The other way round, and after the work tree it was made in is gone.
    const side = await runIn('app-wt');
    desk.git('app', 'worktree', 'remove', '--force', '../app-wt');
    expect(await answer('app', 'pull')).toMatchObject({ job: side, applied: true });
    const far = await runIn('elsewhere', 'far');
    expect(await answer('app', 'status')).toMatchObject({ id: far });
  });

  it('are known by the remote where they have no commit in common', async () => {
    desk.repo('same', { 'b.txt': 'two\n' });
    desk.git('app', 'remote', 'add', 'origin', 'https://git.example.org/team/app.git');
    desk.git('same', 'remote', 'add', 'upstream', 'git@git.example.org:team/app');
    const id = await runIn('app');
    expect(await answer('same', 'pull', '--check')).toMatchObject({ job: id, applies: true });
  });

  it('belong together: another repository takes it neither as the newest nor by its id', async () => {
    desk.repo('other/app', { 'b.txt': 'two\n' });
    const id = await runIn('app');
    expect((await answer('other/app', 'pull', '--local')).error.code).toBe('job_not_found');
    expect((await answer('other/app', 'pull')).error.code).toBe('not_signed_in');
    for (const how of [[], ['--local'], ['--check'], ['--branch', 'x'], ['--stash']])
      expect((await answer('other/app', 'pull', id, ...how)).error, how.join(' ')).toMatchObject({
        code: 'job_of_other_repository',
        exitCode: 2,
        wayOut: expect.stringContaining(`hangar pull ${id} --anyway`),
      });
    expect(existsSync(desk.path('other/app/made.txt'))).toBe(false);
    // To be looked at it needs no checkout of its repository, nor any.
    expect(await answer('other/app', 'status', id)).toMatchObject({ id });
    expect(await answer('other/app', 'pull', id, '--stat')).toMatchObject({ filesChanged: 1 });
    expect(await answer('.', 'status', id)).toMatchObject({ id });
    expect((await desk.run(['pull', id, '--output', '-'], { cwd: '.' })).stdout).toContain('+made');
    expect(await answer('other/app', 'pull', id, '--anyway')).toMatchObject({ applied: true });
    expect((await answer('.', 'status', 'l_nosuchrun')).error.code).toBe('job_not_found');
  });

  it('lose nothing when a checkout is moved, removed, or the folder of settings cannot be written', async () => {
    clone('app', 'elsewhere');
    const gone = await runIn('elsewhere');
    rmSync(desk.path('elsewhere'), { recursive: true });
    const id = await runIn('app');
    expect(await answer('app', 'status')).toMatchObject({ id });
    expect((await answer('app', 'status', gone)).error.code).toBe('job_not_found');
    renameSync(desk.path('app'), desk.path('moved'));
    expect(await answer('moved', 'status')).toMatchObject({ id });
    const blocked = { HANGAR_CONFIG_DIR: desk.path('blocked') };
    desk.write('blocked/runs', '');
    const input = '# Do it\n\n```sh\ntrue\n```\n';
    const run = await desk.json(['run'], { cwd: 'moved', input, env: blocked });
    expect(await desk.json(['status'], { cwd: 'moved', env: blocked })).toMatchObject({ id: run.id });
  });

  it('are found through the noted place after a checkout was moved and looked at there', async () => {
    clone('app', 'elsewhere');
    const id = await runIn('app');
    renameSync(desk.path('app'), desk.path('moved'));
    expect(await answer('moved', 'status')).toMatchObject({ id });
    expect(await answer('elsewhere', 'status')).toMatchObject({ id });
    // By its id other places are not looked at; this one is noted all the same.
    renameSync(desk.path('moved'), desk.path('again'));
    expect(await answer('again', 'pull', id, '--check')).toMatchObject({ job: id });
    await expect.poll(() => answer('elsewhere', 'status', id), { timeout: 30_000 }).toMatchObject({ id });
  });

  it('lose nothing where the folder of settings can neither be made nor read', async () => {
    desk.write('file', 'no folder');
    // Below /proc the system says that the folder above is missing, although it is there.
    for (const HANGAR_CONFIG_DIR of ['/proc/nope/config', desk.path('file')]) {
      const env = { HANGAR_CONFIG_DIR };
      const input = '# Do it\n\n```sh\necho made > made.txt\n```\n';
      const { id } = await desk.json(['run'], { cwd: 'app', input, env });
      expect(await desk.json(['status'], { cwd: 'app', env })).toMatchObject({ id });
      expect(await desk.json(['pull', '--check'], { cwd: 'app', env })).toMatchObject({ job: id });
    }
  });

  it('do not wait for a place or a record that does not answer', async () => {
    clone('app', 'elsewhere');
    const id = await runIn('app');
    const pipe = (path: string) => execFileSync('mkfifo', [desk.path(path)]);
    pipe('config/runs/0123.json');
    mkdirSync(desk.path('elsewhere/.git/hangar/runs/l_pipe00'), { recursive: true });
    pipe('elsewhere/.git/hangar/runs/l_pipe00/run.json');
    mkdirSync(desk.path('app/.git/hangar/runs/l_pipe01'), { recursive: true });
    pipe('app/.git/hangar/runs/l_pipe01/run.json');
    for (const cwd of ['app', 'elsewhere']) {
      expect(await answer(cwd, 'status')).toMatchObject({ id });
      expect(await answer(cwd, 'pull', '--check', '--local')).toMatchObject({ job: id });
    }
    expect(await runIn('elsewhere')).toMatch(/^l_/);
  });

  it('tell a submodule from the repository it lies in', async () => {
    desk.repo('part', { 'part.txt': 'part\n' });
    desk.git('app', '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', desk.path('part'), 'part');
    desk.git('app', 'commit', '--quiet', '--message=with a part');
    const id = await runIn('app/part');
    expect((await answer('app', 'pull', id)).error.code).toBe('job_of_other_repository');
    expect(await answer('app/part', 'pull', id)).toMatchObject({ applied: true });
  });

  it('know how a run ended in a checkout that was copied while it was going', async () => {
    const id = await runIn('app');
    cpSync(desk.path('app'), desk.path('copy'), { recursive: true });
    const file = desk.path('copy/.git/hangar/runs', id, 'run.json');
    const record = JSON.parse(readFileSync(file, 'utf8'));
    const going = { ...record, state: 'running', finishedAt: null, dir: desk.path('home/hangar-run-gone') };
    writeFileSync(file, JSON.stringify(going));
    // The copy is noted, too: whichever of the two comes first.
    clone('app', 'elsewhere');
    await desk.run(['status'], { cwd: 'copy' });
    for (const cwd of ['copy', 'elsewhere', 'app']) {
      const status = await desk.run(['status', '--json'], { cwd });
      expect(JSON.parse(status.stdout), cwd).toMatchObject({ id, state: 'succeeded' });
      expect(status.stderr).not.toContain('was killed');
      expect(await answer(cwd, 'status', id)).toMatchObject({ state: 'succeeded' });
    }
  });
});
