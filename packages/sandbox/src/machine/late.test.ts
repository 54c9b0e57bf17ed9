import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Channel, Machine, OpenOptions } from '../port/machine.ts';
import { processMachine } from '../testing/process-machine.ts';
import { openSandbox } from './sandbox.ts';
import { createTalk } from './talk.ts';
import type { ExecutionSpec } from './types.ts';

const never = new AbortController().signal;
const call = () => ({ signal: AbortSignal.timeout(60_000) });
let folder: string;
let env: Record<string, string>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hangar-late-'));
  env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: folder };
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const START = /h_place\(\)/;
const REMOVAL = /^h_body\(\) \{ rm -f "\$1"$/m;

/** A backend that starts what it was asked to long after whoever asked has gone. */
function lateMachine(o: { readonly text: boolean; readonly keepsInput: boolean }) {
  const inner = processMachine({ env, text: o.text });
  let isLate = true;
  const { promise: asked, resolve: arrived } = Promise.withResolvers<() => Promise<Channel>>();
  const machine: Machine = {
    ...inner,
    open(argv, options: OpenOptions) {
      if (o.keepsInput && REMOVAL.test(argv[2] ?? '')) return Promise.reject(new HangarError('connection_lost'));
      if (!isLate || !START.test(argv[2] ?? '')) return inner.open(argv, options);
      isLate = false;
      arrived(() => inner.open(argv, { ...options, signal: never }));
      const { promise, reject } = Promise.withResolvers<Channel>();
      options.signal.addEventListener('abort', () => reject(options.signal.reason));
      return promise;
    },
  };
  return { machine, asked };
}

test.each([
  ['whose input never came', { text: false, keepsInput: false }],
  ['whose input was a file that is removed', { text: true, keepsInput: false }],
  ['whose input is still there', { text: true, keepsInput: true }],
])('what was given up and cancelled does not start when the machine comes to it at last: %s', async (_what, how) => {
  const { machine, asked } = lateMachine(how);
  const { executions } = openSandbox(machine, {});
  const mark = join(folder, 'it-ran');
  const spec: ExecutionSpec = {
    ...{ id: 'late1', command: { shell: `: > ${mark}` }, cwd: null, env: {}, user: null },
    ...{ stdin: 'none', terminal: null, timeoutMs: null, graceMs: 100 },
  };
  const leaves = new AbortController();
  const running = executions.run(spec, { stdout: 0, stderr: 0 }, { signal: leaves.signal })[Symbol.asyncIterator]();
  const first = expect(running.next()).rejects.toThrow();
  const start = await asked;
  leaves.abort();
  await first;
  const cancelled = await executions.cancel(spec.id, { graceMs: 100, signal: 'SIGTERM' }, call());
  expect(cancelled).toMatchObject({ reason: 'cancelled', leftover: 0 });
  const channel = await start();
  channel.stdin?.end();
  channel.stdout.resume();
  channel.stderr.resume();
  await channel.exit;
  expect(existsSync(mark)).toBe(false);
  // Whoever asks for it again hears the same.
  let end: unknown;
  for await (const output of executions.run(spec, { stdout: 0, stderr: 0 }, call()))
    if (output.type === 'end') end = output.result;
  expect(end).toMatchObject({ reason: 'cancelled' });
  expect(existsSync(mark)).toBe(false);
});

test('input that was given up and came late is taken away once it is old, also while the machine is in hand', async () => {
  const talk = createTalk(processMachine({ env, text: true }), undefined);
  const spools = (await talk.facts(call())).folder;
  const [old, fresh] = [join(spools, '.input-0ld'), join(spools, '.input-fresh')];
  for (const path of [old, fresh]) writeFileSync(path, 'late');
  utimesSync(old, 0, 0);
  const said = async () => (await talk.ask('cat', [], { ...call(), input: Buffer.from('x') })).output.toString();
  expect(await said()).toBe('x');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
  expect(await said()).toBe('x');
  vi.useRealTimers();
  await vi.waitFor(() => expect(existsSync(old)).toBe(false), { timeout: 30_000, interval: 50 });
  expect(existsSync(fresh)).toBe(true);
});
