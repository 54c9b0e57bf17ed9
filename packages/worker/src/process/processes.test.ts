import { pbkdf2 } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { runTree } from './processes.ts';

const dir = mkdtempSync(join(tmpdir(), 'hangar-processes-test-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('a command that ends before its input is closed here has ended, and what it said is read', async () => {
  const stdin = join(dir, 'spec');
  writeFileSync(stdin, '# Spec\n');
  const busy: Promise<void>[] = [];
  const said = { stdout: '', stderr: '' };
  // Keeps the threads that close files busy for far longer than the command takes.
  const holdThreads = () => {
    for (let n = 0; n < 8; n++)
      busy.push(new Promise((resolve) => pbkdf2('key', 'salt', 200_000, 64, 'sha512', () => resolve())));
  };
  const command = {
    file: '/bin/sh',
    args: ['-c', 'echo out; echo err >&2; exit 7'],
    cwd: dir,
    env: {},
    mark: 'processes-test',
  };
  const running = runTree(
    {
      ...command,
      get stdin() {
        holdThreads();
        return stdin;
      },
    },
    {
      read: async (stream, chunk) => {
        said[stream] += chunk;
      },
      stop: new AbortController().signal,
      graceMs: 1000,
    },
  );
  expect(await running).toMatchObject({ exitCode: 7, signal: null });
  expect(said).toEqual({ stdout: 'out\n', stderr: 'err\n' });
  await Promise.all(busy);
}, 20_000);

test('PWD is the folder the command runs in, whatever it was here', async () => {
  let out = '';
  const command = { file: '/usr/bin/env', args: [], cwd: dir, env: { PWD: '/' }, stdin: null, mark: 'processes-test' };
  await runTree(command, {
    read: async (_stream, chunk) => {
      out += chunk.toString();
    },
    stop: new AbortController().signal,
    graceMs: 1000,
  });
  expect(out.split('\n')).toContain(`PWD=${dir}`);
});

/** Runs a shell script whose processes may do as they like. */
function shell(script: string, stop: AbortSignal = new AbortController().signal) {
  let out = '';
  const command = { file: '/bin/sh', args: ['-c', script], cwd: dir, env: {}, stdin: null, mark: 'processes-test' };
  const ended = runTree(command, {
    read: async (_stream, chunk) => {
      out += chunk.toString();
    },
    stop,
    graceMs: 200,
  });
  return { ended, out: () => out };
}

/** Whether the process that wrote its number into this file lives. One that nobody has reaped yet does not. */
function isAlive(name: string): boolean {
  const stat = `/proc/${readFileSync(join(dir, name), 'utf8').trim()}/stat`;
  return existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, 'latin1'));
}

/** It forgets its mark and its session, and its parent ends: nothing but the output ties it to its job. */
const escaped = (name: string, does: string): string =>
  `env -i setsid sh -c 'echo $$ > ${join(dir, name)}; ${does}' & while [ ! -s ${join(dir, name)} ]; do sleep 0.02; done`;

test.each([
  ['writes now and then', 'while :; do echo tick; sleep 0.2; done'],
  ['writes without end', 'while :; do echo tick; done'],
  ['says nothing', 'sleep 300'],
  ['ignores signals', 'trap "" TERM HUP INT; while :; do echo tick; sleep 0.2; done'],
])(
  'a process that escaped and %s does not keep its job open, and is ended',
  async (name, does) => {
    const { ended, out } = shell(`echo first; ${escaped(name.replaceAll(' ', '-'), does)}; echo last; exit 0`);
    expect(await ended).toMatchObject({ exitCode: 0, signal: null, stopped: false });
    expect((await ended).leftRunning).toBeGreaterThan(0);
    expect(out()).toMatch(/^first\n/);
    expect(out()).toMatch(/^last$/m);
    expect(isAlive(name.replaceAll(' ', '-'))).toBe(false);
  },
  30_000,
);

test('how a command ended is settled when it ends, whatever is wished while its output is read', async () => {
  const stop = new AbortController();
  const command = { file: '/bin/echo', args: ['out'], cwd: dir, env: {}, stdin: null, mark: 'processes-test' };
  const ended = await runTree(command, {
    read: async () => {
      await sleep(300);
      stop.abort();
    },
    stop: stop.signal,
    graceMs: 200,
  });
  expect(ended).toMatchObject({ exitCode: 0, stopped: false });
});

test('what was printed before a stop is read', async () => {
  const stop = new AbortController();
  const { ended, out } = shell(
    `echo early; ${escaped('stopped', 'while :; do echo tick; sleep 0.2; done')}; sleep 300`,
    stop.signal,
  );
  while (!out().includes('tick')) await sleep(20);
  stop.abort();
  expect(await ended).toMatchObject({ signal: 'SIGTERM', stopped: true });
  expect(out()).toMatch(/^early\n/);
  expect(isAlive('stopped')).toBe(false);
}, 30_000);

test('output that nobody takes does not hold a job that was stopped', async () => {
  const stop = new AbortController();
  const command = { file: '/bin/echo', args: ['out'], cwd: dir, env: {}, stdin: null, mark: 'processes-test' };
  const running = runTree(command, {
    read: () => new Promise(() => {}),
    stop: stop.signal,
    graceMs: 200,
    drainMs: 300,
  });
  await sleep(300);
  stop.abort();
  expect(await running).toMatchObject({ exitCode: 0, stopped: false });
}, 30_000);
