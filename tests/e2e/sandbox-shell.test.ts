import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerForTests } from '../../packages/sandbox/src/drivers/docker/testing/index.ts';
import { HANGAR, ServerProcess } from './server-process.ts';

let server: ServerProcess;
const open: Pty[] = [];
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  await server.signIn();
}, 180_000);
afterAll(async () => {
  for (const one of open) one.close();
  await server?.remove();
});

/** The command line in a terminal of 100 columns and 30 rows. */
class Pty {
  readonly child: ChildProcess;
  shown = '';
  constructor(...args: string[]) {
    const line = `stty cols 100 rows 30; ${[HANGAR, ...args].map((word) => `'${word}'`).join(' ')}; echo "code=$?" $(stty -a | grep -o '.icanon')`;
    const { PATH = '' } = process.env;
    this.child = spawn('script', ['-qfec', line, '/dev/null'], {
      env: { PATH, LANG: 'C.UTF-8', TERM: 'xterm', SHELL: '/bin/sh', ...server.cliEnv() },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.shown += text;
    });
    open.push(this);
  }
  type(keys: string): void {
    this.child.stdin?.write(keys);
  }
  async shows(words: string | RegExp): Promise<void> {
    await expect.poll(() => this.shown, { timeout: 60_000 }).toMatch(words);
  }
  async ended(): Promise<string> {
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return this.shown;
  }
  close(): void {
    this.child.kill('SIGKILL');
  }
}

const count = (text: string, word: string) => text.split(word).length - 1;

function story(profile: () => Promise<string>): void {
  let id = '';
  beforeAll(async () => {
    const { stdout, stderr, exitCode } = await server.hangar(['sandbox', 'open', '--on', await profile(), '--json']);
    expect(exitCode, stderr).toBe(0);
    id = JSON.parse(stdout).id;
  }, 180_000);

  it('is a shell with the size of the terminal, through the death of the server, and ends as the shell ends', async () => {
    const shell = new Pty('sandbox', 'shell', id, '-e', 'PS1=>> ', '--', 'sh');
    await shell.shows('>> ');
    shell.type('echo be""gun $((6*7)) $TERM; stty size\r');
    await shell.shows(/begun 42 xterm\r\n30 100\r\n/);
    shell.type('sleep 300\r');
    await shell.shows('sleep 300');
    shell.type('\x03');
    shell.type('echo st""ill here\r');
    await shell.shows('still here');
    await server.kill('SIGKILL');
    shell.type('echo af""ter $((70+7))\r');
    await server.start();
    await shell.shows('after 77');
    // A paste of 100 KB arrives whole.
    shell.type(`head -c 100000 | cksum\r`);
    await shell.shows('cksum');
    const lines = `${'0123456789'.repeat(9)}012345678\r`.repeat(1000);
    shell.type(lines);
    await shell.shows(/\d{5,} 100000\r\n/);
    shell.type('exit 9\r');
    const shown = await shell.ended();
    // The terminal is as it was.
    expect(shown).toMatch(/code=9 icanon|code=9 {2}icanon/);
    for (const word of ['begun 42', 'still here', 'after 77']) expect(count(shown, word), word).toBe(1);
  });

  it('is left with ~. and goes on, and attach comes back to it', async () => {
    const shell = new Pty('sandbox', 'shell', id, '-e', 'PS1=>> ', '--', 'sh');
    await shell.shows('>> ');
    shell.type('kept=yes; echo re""ady\r');
    await shell.shows('ready\r\n');
    shell.type('~');
    shell.type('.');
    const left = await shell.ended();
    expect(left).toMatch(/Left e_[0-9a-z]+; it goes on\./);
    expect(left).toContain('code=0');
    const execution = /Left (e_[0-9a-z]+)/.exec(left)?.[1] ?? '';
    const again = new Pty('sandbox', 'attach', execution);
    await again.shows('ready');
    again.type('echo $((1+1)) kept=$kept; exit 3\r');
    expect(await again.ended()).toMatch(/2 kept=yes[\s\S]*code=3/);
  });
}

describe('a shell on a local profile', { timeout: 240_000 }, () => {
  story(async () => 'local');

  it('needs a terminal, and says what does not', async () => {
    const run = await server.hangar(['sandbox', 'shell', 's_00000000zzzzzzzz'], { input: '' });
    expect([run.exitCode, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toContain('hangar sandbox exec s_00000000zzzzzzzz');
  });
});

const docker = await dockerForTests();
describe.skipIf('skipped' in docker)('a shell on a docker profile', { timeout: 240_000 }, () =>
  story(async () => {
    if ('skipped' in docker) return '';
    const set = [`host=${docker.host}`, `image=${docker.image}`, 'pull=never', 'network=none'];
    const made = await server.hangar([
      ...['profiles', 'create', 'shells', '--driver', 'docker'],
      ...set.flatMap((one) => ['--set', one]),
    ]);
    expect(made.exitCode, made.stderr).toBe(0);
    return 'shells';
  }),
);
