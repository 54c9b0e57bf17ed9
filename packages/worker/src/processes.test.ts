import { pbkdf2 } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
