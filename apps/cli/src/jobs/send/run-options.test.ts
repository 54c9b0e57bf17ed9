import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../../testing/fake-server.ts';
import { Desk } from '../../testing/hangar.ts';
import { parseEnvFile } from './job-env.ts';
import { checkRunOptions, type RunFlags } from './run-options.ts';

vi.setConfig({ testTimeout: 120_000 });

const given = (flags: Partial<RunFlags>): RunFlags => ({
  ...{ json: false, quiet: false, noInput: false, cloud: true, bundle: false, wait: false, apply: false },
  ...flags,
});

describe('options of hangar run', () => {
  it.each<[Partial<RunFlags>, string]>([
    [{ timeout: 3 }, '--timeout is 3 s: it must be from 5 s to 30 d.'],
    [{ timeout: 31 * 86_400 }, '--timeout is 31 d: it must be from 5 s to 30 d.'],
    [{ cpus: 0.01 }, '--cpus is 0.01: it must be from 0.1 to 1024.'],
    [{ cpus: 5000 }, '--cpus is 5000: it must be from 0.1 to 1024.'],
    [{ memory: 1024 }, '--memory is 1 KiB: it must be at least 32 MiB.'],
    [{ title: 'x'.repeat(201) }, '--title is too long: 201 characters of at most 200.'],
    [{ title: '  ' }, '--title is empty.'],
    [{ agent: 'x'.repeat(4001) }, '--agent is too long: 4001 characters of at most 4000.'],
    [{ on: 'Not A Name' }, '--on is not right: Lower-case letters, digits, and . _ - inside; at most 63.'],
    [{ credential: 'x'.repeat(64) }, '--credential is not right: Lower-case letters'],
    [{ image: '-x' }, '--image is not right: An image reference.'],
    [{ ref: '--upload-pack=x' }, '--ref is not right: A branch, a tag or a commit.'],
    [{ idempotencyKey: 'x'.repeat(201) }, '--idempotency-key is too long: 201 characters of at most 200.'],
  ])('%j are refused in words of the command line', (flags, words) => {
    expect(() => checkRunOptions(given(flags))).toThrow(words);
  });

  it('are all named that are wrong, and right ones pass', () => {
    expect(() => checkRunOptions(given({ timeout: 1, cpus: 0.01 }))).toThrow(/--timeout .* --cpus /);
    checkRunOptions(
      given({ timeout: 5, cpus: 1024, memory: 2 ** 31, title: 'A title', on: 'local', image: 'node:24' }),
    );
  });
});

describe('before anything is packed', () => {
  let server: FakeServer;
  let desk: Desk;
  beforeEach(async () => {
    server = await new FakeServer().start();
    desk = new Desk({ HANGAR_SERVER: server.url, HANGAR_TOKEN: server.apiKey });
    desk.repo('app');
  });
  afterEach(async () => {
    await server.stop();
    desk.dispose();
  });
  const input = '# Do it\n\n```sh\ntrue\n```\n';

  it('a limit is told and nothing is sent, here as on a server', async () => {
    for (const where of [['--cloud'], []]) {
      const ended = await desk.run(['run', ...where, '--timeout', '3s'], { cwd: 'app', input });
      expect(ended.code).toBe(2);
      expect(ended.stderr).toContain('--timeout is 3 s: it must be from 5 s to 30 d.');
      expect(ended.stderr).toContain('hangar run --help');
    }
    expect(server.requests).toEqual([]);
  });

  it('a file of variables is read, --env wins, and no value is in an error', async () => {
    desk.write('app/.env', '# mine\nexport COLOR="dark green"\nPLAIN=one # two\nFROM_HERE\nOWN=file\n');
    const args = ['run', '--cloud', '--env-file', '.env', '--env', 'OWN=option', '--json'];
    const sent = await desk.run(args, { cwd: 'app', input, env: { FROM_HERE: 'here' } });
    expect(sent.code).toBe(0);
    expect(server.jobs.get(JSON.parse(sent.stdout).id)?.input.env).toEqual({
      ...{ COLOR: 'dark green', PLAIN: 'one', FROM_HERE: 'here', OWN: 'option' },
    });
    desk.write('app/wrong.env', 'A=1\nB="sesame\n');
    const wrong = await desk.run(['run', '--cloud', '--env-file', 'wrong.env'], { cwd: 'app', input });
    expect(wrong.stderr).toContain('wrong.env, line 2: the value of B begins with " and has no second one.');
    expect(wrong.stderr).not.toContain('sesame');
    const none = await desk.run(['run', '--env-file', 'none.env'], { cwd: 'app', input });
    expect(none.stderr).toContain('none.env cannot be read: there is no such file');
  });

  it('a token is trimmed, and one that no header may hold is refused without being shown', async () => {
    const asked = (token: string) => desk.run(['jobs'], { env: { HANGAR_TOKEN: token } });
    expect((await asked(`${server.apiKey}\n`)).code).toBe(0);
    for (const token of ['hk_one\nhk_two', 'hk_sésame', 'hk_\u0001x']) {
      const ended = await asked(token);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toMatch(/HANGAR_TOKEN holds/);
      expect(ended.stderr).not.toContain(token);
      const login = await desk.run(['cloud', 'login', '--with-token'], { input: token });
      expect(login.stderr).toMatch(/Standard input holds/);
    }
  });
});

describe('a file of variables', () => {
  const read = (text: string) => parseEnvFile(text, '.env', { HERE: 'from here' });
  it.each<[string, Record<string, string>]>([
    ['A=1\r\nB=2\r\n', { A: '1', B: '2' }],
    ['\uFEFFA=1', { A: '1' }],
    ['  A = 1  ', { A: '1' }],
    ['A=', { A: '' }],
    ['A=#x', { A: '' }],
    ['A=a#b', { A: 'a#b' }],
    ['A=x=y', { A: 'x=y' }],
    ["A='single $HOME \\n'", { A: 'single $HOME \\n' }],
    ['A="two\\nlines \\"quoted\\""', { A: 'two\nlines "quoted"' }],
    [
      'A="-----BEGIN KEY-----\n  abc\n-----END KEY-----" # key\nB=2',
      { A: '-----BEGIN KEY-----\n  abc\n-----END KEY-----', B: '2' },
    ],
    ['A=$HOME', { A: '$HOME' }],
    ['HERE', { HERE: 'from here' }],
    ['A=1\nA=2', { A: '2' }],
  ])('%j', (text, expected) => {
    expect(Object.fromEntries(read(text))).toEqual(expected);
  });

  it.each([
    ['A=1\n=secret', '.env, line 2: this is not NAME=VALUE.'],
    ['two words=secret', '.env, line 1: this is not NAME=VALUE.'],
    ['A=1\n\nGIT_DIR=secret', '.env, line 3: "GIT_DIR" cannot be a variable here.'],
    ['A=1\nMISSING', '.env, line 2: MISSING is not set here.'],
    ['A="secret" more', '.env, line 1: something follows the closing " of A.'],
    [`A=${'secret'.repeat(12_000)}`, '.env, line 1: the value of A is longer than 64 KiB.'],
  ])('%j names file and line', (text, message) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'env_invalid', message }));
  });
});
