import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { HangarError } from '@hangar/contract/errors';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sendInput } from '../../sandboxes/exec/send-input.ts';
import type { Api } from '../../server/api.ts';
import { type DeskAtServer, deskAtServer } from '../../testing/desk-at-server.ts';
import type { FakeExecution } from '../../testing/fake-sandboxes.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let at: DeskAtServer;
let server: DeskAtServer['server'];
let desk: DeskAtServer['desk'];
let sandbox: string;
beforeEach(async () => {
  at = await deskAtServer();
  ({ server, desk } = at);
  sandbox = server.sandboxes.add();
});
afterEach(() => at.leave());

const exec = (...command: string[]) => ['sandbox', 'exec', sandbox, '--', ...command];
/** What runs next is given to the test. */
const begun = () =>
  new Promise<FakeExecution>((resolve) => {
    server.sandboxes.program = resolve;
  });
const cat = (execution: FakeExecution) => {
  execution.onInput = (fresh) => {
    execution.print('stdout', fresh);
    if (execution.inputEnded) execution.end({});
  };
};

describe('sandbox exec', () => {
  it('sends the program with its arguments as they are, and all that was asked for', async () => {
    const running = begun();
    const args = ['--cwd', '/work', '--user', 'ada', '--timeout', '10m', '--env', 'A=b=c', '-e', 'HERE'];
    const ended = desk.run(['sandbox', 'exec', sandbox, ...args, '--', 'ls', '-la', '--', '--json', '$HOME "x"'], {
      env: { HERE: 'from here' },
    });
    const execution = await running;
    execution.end({});
    expect(await ended).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(execution.order).toMatchObject({
      ...{ command: ['ls', '-la', '--', '--json', '$HOME "x"'], cwd: '/work', user: 'ada', timeoutSeconds: 600 },
      ...{ env: { A: 'b=c', HERE: 'from here' }, stdin: true },
    });
  });

  it('takes a line for a shell in place of a program, and not both', async () => {
    const running = begun();
    const ended = desk.run(['sandbox', 'exec', sandbox, '--shell', 'a | b']);
    const execution = await running;
    execution.end({});
    expect((await ended).code).toBe(0);
    expect(execution.order.command).toEqual({ shell: 'a | b' });
    for (const words of [[], ['--shell', 'a', '--', 'b']])
      expect(await desk.run(['sandbox', 'exec', sandbox, ...words])).toMatchObject({ code: 2, stdout: '' });
  });

  it('brings megabytes in and out again, byte for byte, in parts', async () => {
    server.sandboxes.program = cat;
    const bytes = randomBytes(3 * 1024 * 1024 + 17);
    desk.write('in.bin', bytes);
    for (const line of [`${exec('cat').join(' ')} < in.bin > out.bin`, `${exec('cat').join(' ')} > out.bin`]) {
      server.sandboxes.parts.length = 0;
      const ended = await desk.shell(`${line.includes('<') ? '' : 'cat in.bin | '}hangar ${line}`).ended;
      expect(ended).toEqual({ code: 0, stdout: '', stderr: '' });
      expect(readFileSync(desk.path('out.bin')).equals(bytes)).toBe(true);
      expect(Math.max(...server.sandboxes.parts)).toBeLessThanOrEqual(256 * 1024);
    }
  });

  it('sends no byte twice and none less when answers to its input get lost', async () => {
    server.sandboxes.program = cat;
    server.sandboxes.loseInputAnswers = 2;
    server.sandboxes.breakInputs = 2;
    const bytes = randomBytes(700_000);
    desk.write('in.bin', bytes);
    const ended = await desk.shell(`hangar ${exec('cat').join(' ')} < in.bin > out.bin`).ended;
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(desk.path('out.bin')).equals(bytes)).toBe(true);
  });

  it('tells standard output and standard error apart', async () => {
    server.sandboxes.program = (execution) => {
      execution.print('stdout', 'out\n');
      execution.print('stderr', 'err\n');
      execution.print('stdout', 'no end');
      execution.end({});
    };
    expect(await desk.run(exec('x'))).toEqual({ code: 0, stdout: 'out\nno end', stderr: 'err\n' });
  });

  it.each([
    [{ state: 'failed', exitCode: 7 }, 7, ''],
    [{ state: 'failed', exitCode: 255 }, 255, ''],
    [{ state: 'failed', exitCode: 137, signal: 'SIGKILL' }, 137, ''],
    [{ state: 'failed', signal: 'SIGTERM', exitCode: null }, 143, ''],
    [{ state: 'timed_out', exitCode: 143, leftover: 2 }, 124, 'Its time was over; 2 processes could not be ended.\n'],
    [{ state: 'cancelled', exitCode: 143 }, 130, 'It was cancelled.\n'],
    [
      {
        state: 'failed',
        exitCode: 137,
        failure: { code: 'out_of_memory', message: 'It ran out of memory.', wayOut: '' },
      },
      ...[137, 'It ran out of memory.\n'],
    ],
  ] as const)('ends as the command ends: %j', async (how, code, stderr) => {
    server.sandboxes.program = (execution) => execution.end(how);
    expect(await desk.run(exec('x'))).toEqual({ code, stdout: '', stderr });
  });

  it('ends with a code of its own and says why where the command was not run to its end', async () => {
    const failure = { code: 'sandbox_gone', message: 'The machine is gone', wayOut: 'Look: hangar sandbox show ID' };
    server.sandboxes.program = (execution) => execution.end({ state: 'lost', exitCode: null, failure });
    const lost = await desk.run(exec('x'));
    expect(lost.code).toBe(4);
    expect(lost.stderr).toContain('The machine is gone. [sandbox_gone]');
    expect(lost.stderr).toContain(`hangar sandbox show ${sandbox}`);
    server.sandboxes.change(sandbox, { state: 'closed' });
    expect(await desk.run(exec('x'))).toMatchObject({ code: 2, stderr: expect.stringContaining('[sandbox_closed]') });
    expect(await desk.run(['sandbox', 'exec', 'x', '--', 'ls'])).toMatchObject({ code: 2 });
  });

  it('is an error when not all is there that was printed', async () => {
    const output = { stdout: 5, stderr: 0 };
    for (const kept of [
      { ...output, stdout: 2, truncated: true },
      { ...output, truncated: false },
    ]) {
      server.sandboxes.program = (execution) => {
        execution.print('stdout', 'ab');
        execution.say('The log has reached its limit.');
        execution.end({ output: kept });
      };
      const ended = await desk.run(exec('x'));
      expect(ended).toMatchObject({ code: 2, stdout: 'ab' });
      expect(ended.stderr).toContain('» The log has reached its limit.\n');
      expect(ended.stderr).toContain('[output_truncated]');
    }
    server.sandboxes.program = (execution) => {
      execution.print('stdout', 'ab');
      execution.print('stdout', 'ef', 4);
      execution.end({});
    };
    const hole = await desk.run(exec('x'));
    expect(hole).toMatchObject({ code: 2, stdout: 'ab' });
    expect(hole.stderr).toContain('bytes 2 to 4 of stdout are missing');
  });

  it('goes on through cut streams and a restarted server, each byte once, to the exit code', async () => {
    const running = begun();
    const bytes = randomBytes(400_000);
    const called = desk.shell(`hangar ${exec('x').join(' ')} < /dev/null > out.bin`);
    const execution = await running;
    execution.print('stdout', bytes.subarray(0, 100_000));
    execution.print('stderr', 'one\n');
    await called.saw('one');
    server.cutStreams();
    execution.print('stdout', bytes.subarray(100_000, 200_000));
    execution.print('stderr', 'two\n');
    await called.saw('two');
    await server.stop();
    // Who takes over writes down again what was there, and more.
    execution.print('stdout', bytes.subarray(150_000, 300_000), 150_000);
    await called.saw('Connection lost');
    await server.start();
    execution.print('stdout', bytes.subarray(250_000), 250_000);
    execution.print('stderr', 'three\n');
    await called.saw('three');
    server.cutStreams();
    execution.end({ state: 'failed', exitCode: 3 });
    const { code, stderr } = await called.ended;
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^one\ntwo\nConnection lost \(.*\); trying again\.\n(Connected again\.\nthree\n|three\nConnected again\.\n)$/,
    );
    expect(readFileSync(desk.path('out.bin')).equals(bytes)).toBe(true);
  });

  it('runs a command once when the answer gets lost', async () => {
    server.loseAnswers = 1;
    server.sandboxes.program = (execution) => execution.end({});
    expect((await desk.run(exec('x'))).code).toBe(0);
    expect(server.requests.filter((line) => line === 'POST /api/drivers/execute')).toHaveLength(2);
    expect(server.sandboxes.executions.size).toBe(1);
  });

  it('stops sending when the command has ended before it had read all', async () => {
    server.sandboxes.program = (execution) => {
      execution.onInput = (fresh) => {
        execution.print('stdout', fresh.subarray(0, 2));
        execution.end({});
      };
    };
    const ended = await desk.shell(`yes | hangar ${exec('head', '-1').join(' ')}`).ended;
    expect(ended).toEqual({ code: 0, stdout: 'y\n', stderr: '' });
  });

  it('ends the command when its input is refused', async () => {
    server.sandboxes.refuseInput = new HangarError('unsupported');
    const ended = await desk.run(exec('cat'), { input: 'a' });
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('[unsupported]') });
    expect([...server.sandboxes.executions.values()].map(({ view }) => view.state)).toEqual(['cancelled']);
  });

  it('says what could not be read', async () => {
    const { signal } = new AbortController();
    const broken = new Readable({ read: () => void broken.destroy(new Error('EIO: i/o error, read')) });
    await expect(sendInput({} as Api, 'e_123456', broken, signal)).rejects.toThrow('EIO');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends the command and waits for that, the second one does not',
    async (name) => {
      const running = begun();
      const called = desk.start(exec('sleep', '9'));
      const execution = await running;
      let asked = () => {};
      const isAsked = new Promise<void>((resolve) => {
        asked = resolve;
      });
      server.sandboxes.onCancel = () => asked();
      called.child.kill(name);
      await isAsked;
      await called.saw('Ending it with all its processes');
      execution.print('stdout', 'last words\n');
      await called.saw('last words');
      const again = begun();
      const second = desk.start(exec('sleep', '9'));
      await again;
      execution.end({ state: 'cancelled', exitCode: 143, reason: 'Cancelled.' });
      const ended = await called.ended;
      expect(ended).toMatchObject({ code: 130, stdout: 'last words\n' });
      expect(ended.stderr).toContain(`Cancelled. See: hangar sandbox show ${sandbox}`);

      second.child.kill(name);
      await second.saw('Ending it with all its processes');
      second.child.kill(name);
      const left = await second.ended;
      expect(left.code).toBe(130);
      expect(left.stderr).toMatch(/It may still run\. See: hangar sandbox attach e_[0-9a-f]+\n/);
    },
  );

  it('ends the command when nobody reads what it prints any more', async () => {
    const running = begun();
    const called = desk.shell(`hangar ${exec('yes').join(' ')} | head -c 2`);
    const execution = await running;
    execution.print('stdout', 'y\n');
    await called.saw('y\n');
    const cancelled = new Promise<void>((resolve) => {
      server.sandboxes.onCancel = (one) => {
        one.end({ state: 'cancelled', exitCode: 143 });
        resolve();
      };
    });
    const printing = setInterval(() => execution.print('stdout', 'y\n'), 20);
    await cancelled.finally(() => clearInterval(printing));
    expect(await called.ended).toEqual({ code: 0, stdout: 'y\n', stderr: '' });
  });

  it('reads no faster than its own reader does', async () => {
    const part = randomBytes(1024 * 1024);
    server.sandboxes.program = (execution) => {
      for (let parts = 0; parts < 96; parts++) execution.print('stdout', part);
      execution.end({});
    };
    const noted = desk.path('noted');
    const note = desk.write(
      'note.cjs',
      `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(noted)}, String(process.resourceUsage().maxRSS)));`,
    );
    const called = desk.shell(
      `NODE_OPTIONS='--require ${note}' hangar ${exec('x').join(' ')} < /dev/null | (sleep 2; wc -c)`,
    );
    expect(await called.ended).toEqual({ code: 0, stdout: `${96 * part.length}\n`, stderr: '' });
    // Half of it is what the command line itself takes.
    expect(Number(readFileSync(noted, 'utf8'))).toBeLessThan(180 * 1024);
  });

  it('prints the execution as JSON, and what it prints beside it', async () => {
    server.sandboxes.program = (execution) => {
      execution.print('stdout', 'out\n');
      execution.end({ state: 'failed', exitCode: 3 });
    };
    const ended = await desk.run(['sandbox', 'exec', sandbox, '--json', '--', 'x']);
    expect(ended).toMatchObject({ code: 3, stderr: 'out\n' });
    expect(JSON.parse(ended.stdout)).toMatchObject({ state: 'failed', exitCode: 3, sandbox });
  });

  it('does not wait when it is detached, and reads nothing', async () => {
    const ended = await desk.run(['sandbox', 'exec', sandbox, '--detach', '--', 'x']);
    const [execution] = server.sandboxes.executions.values();
    expect(ended).toEqual({
      code: 0,
      stdout: `${execution?.view.id}\n`,
      stderr: `Next: hangar sandbox attach ${execution?.view.id}   or   hangar sandbox show ${sandbox}\n`,
    });
    expect(execution?.order.stdin).toBe(false);
    execution?.print('stdout', 'from the first byte\n');
    const id = execution?.view.id ?? '';
    const attached = desk.start(['sandbox', 'attach', id], { input: 'nobody reads this' });
    await attached.saw('from the first byte');
    execution?.end({ state: 'failed', exitCode: 9 });
    expect(await attached.ended).toEqual({ code: 9, stdout: 'from the first byte\n', stderr: '' });
    expect(server.sandboxes.parts).toEqual([]);
    expect((await desk.run(['sandbox', 'attach', 's_123456'])).code).toBe(2);
  });
});
