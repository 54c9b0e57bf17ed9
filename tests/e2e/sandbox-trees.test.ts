import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KINDS } from './kinds-of-machines.ts';
import { makeRepo, ServerProcess } from './server-process.ts';

/** Leaves all that a diff can hold, and fails. */
const BROKEN = `# Break it

\`\`\`sh
git mv README.md READ.md
printf 'a\\0b' > bytes.bin
printf x > "$(printf 'caf\\351')"
printf '#!/bin/sh\\n' > run.sh; chmod +x run.sh
echo kept > kept.log; git add --force kept.log; git -c user.name=a -c user.email=a@b commit --quiet --message kept
echo "$SECRET_WORD" > word
exit 3
\`\`\`
`;

let server: ServerProcess;
let repo: string;
let failed = '';
const opened: AsyncDisposable[] = [];

beforeAll(async () => {
  server = await (await ServerProcess.make({ HANGAR_ALLOW_LOCAL_HOSTS: 'true' })).start();
  await server.signIn();
  repo = await makeRepo(join(server.dir, 'repo'));
  writeFileSync(join(repo, '.gitignore'), '*.log\n');
  execFileSync('git', ['-C', repo, 'add', '.gitignore']);
  execFileSync('git', ['-C', repo, 'commit', '--quiet', '--message', 'ignore']);
  // Uncommitted work is part of what the job begins with.
  writeFileSync(join(repo, 'draft'), 'draft\n');
  const spec = join(server.dir, 'broken.md');
  writeFileSync(spec, BROKEN);
  const sent = await server.hangar(
    [
      ...[
        'run',
        '--cloud',
        '--agent',
        'shell',
        '--spec',
        spec,
        '--on',
        'local',
        '--env',
        'SECRET_WORD=hunter',
        '--json',
      ],
    ],
    { cwd: repo },
  );
  expect(sent.exitCode, sent.stderr).toBe(0);
  failed = (JSON.parse(sent.stdout) as { id: string }).id;
  const followed = await server.hangar(['logs', failed, '--follow'], { cwd: repo });
  expect(followed.stdout).toContain('exit code 3');
}, 180_000);
afterAll(async () => {
  await server?.remove();
  for (const one of opened) await one[Symbol.asyncDispose]();
});

const git = (...args: string[]) => execFileSync('git', ['-C', repo, ...args], { encoding: 'latin1' });
const good = async (...args: string[]) => {
  const run = await server.hangar(args, { cwd: repo });
  expect(run.exitCode, run.stderr).toBe(0);
  return run;
};
const exec = (id: string, shell: string) => good('sandbox', 'exec', id, '--shell', shell);

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly job: string;
  readonly tree: { readonly path: string; readonly partial: boolean };
}

function story(profile: () => Promise<string>): void {
  let id = '';
  let tree = '';

  it('opens with the files of a job as it left them', async () => {
    const answer = await good('sandbox', 'open', '--job', failed, '--on', await profile(), '--json');
    const shown = JSON.parse(answer.stdout) as Shown;
    expect(shown).toMatchObject({ state: 'running', job: failed, tree: { partial: true } });
    ({ id } = shown);
    tree = shown.tree.path;
    expect(answer.stderr).toContain(tree);
    const { stdout } = await exec(
      id,
      'pwd -P; cat word READ.md draft; git status --porcelain; echo $SECRET_WORD $HANGAR_JOB_ID',
    );
    const lines = stdout.split('\n');
    expect(lines[0]).toBe(tree);
    expect(lines).toContain('hunter');
    expect(lines).toContain('draft');
    expect(lines.at(-1)).toBe(`hunter ${failed}`);
  }, 180_000);

  it('shows what the job changed and what was changed since, as the diff of the job does', async () => {
    const ofJob = await good('pull', failed, '--stat', '--json');
    const before = await good('sandbox', 'diff', id, '--json');
    const filesOf = (text: string) => (JSON.parse(text) as { files: { path: string }[] }).files;
    expect(filesOf(before.stdout)).toEqual(filesOf(ofJob.stdout));
    const asText = await server.hangarBytes(['sandbox', 'diff', id], new Uint8Array());
    const jobText = await server.hangarBytes(['pull', failed, '--output', '-'], new Uint8Array());
    expect(asText.stdout.equals(jobText.stdout)).toBe(true);

    await exec(
      id,
      'echo more > more; rm word; git add --all; git -c user.name=a -c user.email=a@b commit --quiet --message mine',
    );
    const after = filesOf((await good('sandbox', 'diff', id, '--json')).stdout).map(({ path }) => path);
    expect(after).toContain('more');
    expect(after).not.toContain('word');
    expect(after).toContain('kept.log');
    const refused = await server.hangar(['sandbox', 'diff', id, '--base', 'HEAD']);
    expect(refused.stderr).toContain('compared with what it began with');
  }, 180_000);

  it('is pulled with the guarantees of a pull', async () => {
    const checked = await good('pull', id, '--check');
    expect(checked.stdout).toContain('applies');
    await good('pull', id);
    expect(readFileSync(join(repo, 'more'), 'utf8')).toBe('more\n');
    expect(existsSync(join(repo, 'README.md'))).toBe(false);
    expect(statSync(join(repo, 'run.sh')).mode & 0o111).not.toBe(0);
    expect(readFileSync(join(repo, 'bytes.bin'))).toEqual(Buffer.from('a\0b'));
    expect(
      readdirSync(repo, { encoding: 'buffer' }).some((name) => name.equals(Buffer.from('caf\xe9', 'latin1'))),
    ).toBe(true);
    await good('pull', '--undo');
    expect(git('status', '--porcelain')).toBe('?? draft\n');
    // What is in the way here stays as it is.
    writeFileSync(join(repo, 'more'), 'mine\n');
    const blocked = await server.hangar(['pull', id], { cwd: repo });
    expect(blocked.exitCode).toBe(2);
    expect(readFileSync(join(repo, 'more'), 'utf8')).toBe('mine\n');
    execFileSync('rm', [join(repo, 'more')]);
    const other = join(server.dir, `other-${id}`);
    await makeRepo(other);
    writeFileSync(join(other, 'x'), 'x');
    execFileSync('git', ['-C', other, 'add', 'x']);
    execFileSync('git', ['-C', other, 'commit', '--quiet', '--amend', '--message', `another ${id}`]);
    const foreign = await server.hangar(['pull', id], { cwd: other });
    expect(foreign.stderr).toContain('another repository');
  }, 180_000);

  it('makes the diff of a clone in any sandbox, and says where there is none', async () => {
    const empty = JSON.parse((await good('sandbox', 'open', '--on', await profile(), '--json')).stdout) as Shown;
    const none = await server.hangar(['sandbox', 'diff', empty.id, '--path', '/tmp']);
    expect(none.stderr).toContain('git_tree_missing');
    expect(none.stderr).toContain('--path');
    const script = [
      'mkdir work && cd work && git init --quiet . && git config user.name a && git config user.email a@b',
      'echo one > one && git add one && git commit --quiet --message one && echo two >> one && echo new > new',
      'git commit --quiet --all --message two && echo three > three',
      'git config core.fsmonitor "touch $PWD/pwned" && git config diff.external "touch $PWD/pwned" && pwd -P',
    ].join(' && ');
    const at = (await exec(empty.id, script)).stdout.trim();
    const text = await good('sandbox', 'diff', empty.id, '--path', `${at}`);
    expect(text.stdout).toContain('+three');
    expect(text.stdout).toContain('+new');
    expect(text.stdout).not.toContain('+two');
    const all = await good('sandbox', 'diff', empty.id, '--path', at, '--base', 'HEAD~1');
    expect(all.stdout).toContain('+two');
    const unknown = await server.hangar(['sandbox', 'diff', empty.id, '--path', at, '--base', 'nowhere']);
    expect(unknown.stderr).toContain('ref_not_found');
    expect((await exec(empty.id, `ls ${at}`)).stdout.split('\n').sort()).toEqual(['new', 'one', 'three']);
    await good('sandbox', 'close', empty.id);
  }, 180_000);

  it('goes on when the server is killed while the files are laid out', async () => {
    const accepted = await good('sandbox', 'open', '--job', failed, '--on', await profile(), '--no-wait', '--json');
    const { id: other } = JSON.parse(accepted.stdout) as Shown;
    const shown = async () => JSON.parse((await good('sandbox', 'show', other, '--json')).stdout) as Shown;
    await expect
      .poll(async () => (await shown()).reason, { timeout: 60_000, interval: 5 })
      .toMatch(/^(Bringing|Sending|Preparing|Checked|Applied|Fetching)/);
    await server.kill('SIGKILL');
    await server.start();
    await expect.poll(async () => (await shown()).state, { timeout: 120_000 }).toBe('running');
    const ofJob = await server.hangarBytes(['pull', failed, '--output', '-'], new Uint8Array());
    const made = await server.hangarBytes(['sandbox', 'diff', other], new Uint8Array());
    expect(made.stdout.equals(ofJob.stdout)).toBe(true);
    await good('sandbox', 'close', other);
  }, 240_000);

  it('goes with the sandbox', async () => {
    await good('sandbox', 'close', id);
    expect(existsSync(tree)).toBe(false);
    const closed = await server.hangar(['sandbox', 'diff', id]);
    expect(closed.stderr).toContain('sandbox_closed');
  }, 120_000);
}

for (const kind of KINDS)
  describe.skipIf(kind.skipped)(`the tree of a job in a sandbox ${kind.title}`, () => {
    let made: Promise<string> | null = null;
    story(() => {
      made ??= kind.profile(server, opened);
      return made;
    });
  });
