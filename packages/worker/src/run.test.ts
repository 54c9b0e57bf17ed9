import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkOrder } from '@hangar/contract';
import { afterAll, describe, expect, test } from 'vitest';
import { type RunOptions, runWorkOrder } from './run.ts';
import type { Deadline, Upload } from './server/channel.ts';
import { bundleOf, makeOrder, makeRepo, tempFolders } from './testing/fixtures.ts';
import { MemoryChannel } from './testing/memory-channel.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

const shell = (...blocks: string[]) => `# Do it\n\n${blocks.map((block) => `\`\`\`sh\n${block}\n\`\`\`\n`).join('\n')}`;

/** Runs an order over a checkout. `stopAt`: cancel once a line with this text was printed. */
async function run(
  over: Partial<WorkOrder>,
  o: {
    stopFirst?: boolean;
    stopAt?: string;
    fenceAt?: string;
    env?: NodeJS.ProcessEnv;
    home?: string;
    channel?: MemoryChannel;
    patience?: NonNullable<RunOptions['patience']>;
  } = {},
) {
  const base = temp.make();
  const repo = makeRepo(join(base, 'repo'), { 'a.txt': 'one\n', '.gitignore': 'ignored\n' });
  const channel = o.channel ?? new MemoryChannel();
  const cancel = new AbortController();
  const dir = join(base, 'work');
  if (o.stopFirst) cancel.abort('Stopped by the test.');
  channel.onLine = (line) => {
    if (o.stopAt && line.text.includes(o.stopAt)) cancel.abort('Stopped by the test.');
    if (o.fenceAt && line.text.includes(o.fenceAt)) channel.fence();
  };
  const running = runWorkOrder(makeOrder(over), channel, {
    dir,
    signal: cancel.signal,
    env: o.env ?? { PATH: process.env.PATH },
    source: { kind: 'checkout', dir: repo.dir, commit: null, patchFile: null },
    ...(o.home === undefined ? {} : { home: o.home }),
    ...(o.patience === undefined ? {} : { patience: o.patience }),
  });
  running.catch(() => undefined);
  return { channel, running, dir, repo, base };
}

async function finished(over: Partial<WorkOrder>, o: Parameters<typeof run>[1] = {}) {
  const started = await run(over, o);
  return { ...started, finish: await started.running };
}

const diffOf = (channel: MemoryChannel) => channel.uploads.filter(({ kind }) => kind === 'diff');

/** Processes whose command line holds this text. */
function alive(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe('shell', () => {
  test('stops at the first command that fails, keeps the diff', async () => {
    const { finish, channel } = await finished({ spec: shell('echo x > x\nfalse\necho never', 'echo never') });
    expect(finish).toMatchObject({ outcome: 'failed', exitCode: 1, failure: { code: 'agent_failed' } });
    expect(finish.diff).toMatchObject({ filesChanged: 1, partial: true });
    expect(channel.texts('stdout')).toEqual([]);
  });

  test('a spec without blocks, front matter is no block', async () => {
    const { finish } = await finished({ spec: '---\nagent: shell\n---\nJust text' });
    expect(finish).toMatchObject({ outcome: 'failed', exitCode: null, failure: { code: 'spec_no_commands' } });
  });

  test('what the agent sees: its own home, job id, no HANGAR_ or GIT_ of the worker', async () => {
    const { channel, dir } = await finished(
      {
        spec: shell('env | sort; pwd; git config user.name'),
        env: { FOO: 'a-value-1', API_KEY: 'wxyz', LOG_LEVEL: 'error', NODE_ENV: 'test', MODE: 'production' },
      },
      {
        env: {
          ...{ PATH: process.env.PATH, HANGAR_WORKER_URL: 'unix:/x', GIT_DIR: '/x', NODE_OPTIONS: '--x', KEEP: 'yes' },
          HANGAR_EXEC: 'e_mark',
        },
      },
    );
    const out = channel.texts('stdout');
    expect(out).toContain(`HOME=${dir}/home`);
    expect(out).toContain('HANGAR_JOB_ID=j_0123456789abcdef');
    // By it the machine finds what the agent started, also when this worker was killed.
    expect(out).toContain('HANGAR_EXEC=e_mark');
    expect(out).toContain('KEEP=yes');
    for (const shown of ['FOO=***', 'API_KEY=***', 'LOG_LEVEL=error', 'NODE_ENV=test', 'MODE=production'])
      expect(out).toContain(shown);
    expect(out).toContain(`${dir}/tree`);
    expect(out).toContain('Hangar');
    expect(out.join('\n')).not.toMatch(/HANGAR_WORKER|GIT_DIR|NODE_OPTIONS/);
  });
});

describe('commands and presets', () => {
  test('a command gets the spec on standard input and as a file', async () => {
    const { finish, channel } = await finished({
      agent: 'cat; cat "$HANGAR_SPEC_FILE"',
      spec: '---\nagent: x\n---\nDo it',
    });
    expect(finish.outcome).toBe('succeeded');
    expect(channel.texts('stdout')).toEqual(['Do itDo it']);
  });

  test('a command that is not there', async () => {
    const { finish } = await finished({ agent: './no-such-program --x' });
    expect(finish).toMatchObject({ outcome: 'failed', exitCode: 127, failure: { code: 'agent_missing' } });
  });

  test('a preset: program missing, variable missing, then run with its arguments and the spec', async () => {
    expect((await finished({ agent: 'claude' }, { env: { PATH: '/usr/bin:/bin' } })).finish.failure).toMatchObject({
      code: 'agent_missing',
      wayOut: /npm install -g @anthropic-ai\/claude-code/,
    });
    const bin = temp.make();
    for (const name of ['claude', 'codex', 'aider'])
      writeFileSync(
        join(bin, name),
        '#!/bin/sh\necho "args: $*"; echo "key: $CODEX_API_KEY $DISABLE_AUTOUPDATER"; cat; touch .aider.x\n',
      );
    for (const name of ['claude', 'codex', 'aider']) chmodSync(join(bin, name), 0o755);
    const env = { PATH: `${bin}:/usr/bin:/bin` };
    const missing = await finished({ agent: 'claude' }, { env });
    expect(missing.finish.failure).toMatchObject({ code: 'agent_env_missing', message: /ANTHROPIC_API_KEY/ });
    expect(missing.channel.texts('stdout')).toEqual([]);
    const claude = await finished(
      { agent: 'claude', spec: 'Add it', env: { ANTHROPIC_API_KEY: 'sk-ant-1234' } },
      { env },
    );
    expect(claude.channel.texts('stdout')).toEqual([
      'args: -p --dangerously-skip-permissions --output-format stream-json --verbose',
      'key:  1',
      'Add it',
    ]);
    const codex = await finished({ agent: 'codex', spec: 'Add it', env: { OPENAI_API_KEY: 'sk-openai-99' } }, { env });
    expect(codex.channel.texts('stdout')[1]).toBe('key: *** ');
    const aider = await finished({ agent: 'aider', spec: 'Add it', env: { OPENAI_API_KEY: 'sk-openai-99' } }, { env });
    expect(aider.channel.texts('stdout')[0]).toContain(`--message-file ${aider.dir}/run/spec.md`);
    expect(aider.finish.diff).toMatchObject({ filesChanged: 0 });
    expect((await finished({ agent: 'claude', spec: 'Add it' }, { env, home: bin })).finish.outcome).toBe('succeeded');
  });
});

describe('process tree', () => {
  test('cancel ends the whole tree, also what left the group, and keeps a partial diff', async () => {
    const mark = `hangar-test-${process.pid}-cancel`;
    const started = await run(
      {
        spec: shell(
          `echo x > x; sh -c 'trap "" TERM; while :; do sleep 1; done' ${mark} & setsid sh -c 'while :; do sleep 1; done' ${mark} & (setsid sh -c 'sleep 1000; :' ${mark} &) ; echo ready; wait`,
        ),
      },
      { stopAt: 'ready' },
    );
    const finish = await started.running;
    expect(finish).toMatchObject({
      outcome: 'cancelled',
      reason: 'Stopped by the test.',
      failure: { code: 'job_cancelled' },
    });
    expect(finish.diff).toMatchObject({ filesChanged: 1, partial: true });
    expect(alive(mark)).toEqual([]);
  });

  test('the timeout ends an agent that never ends', async () => {
    const { finish } = await finished({ spec: shell('echo x > x; sleep 1000'), timeoutSeconds: 1 });
    expect(finish).toMatchObject({ outcome: 'timed_out', failure: { code: 'job_timeout' }, diff: { partial: true } });
  });

  test('an agent that forks away and keeps the output open does not hold the job', async () => {
    const mark = `hangar-test-${process.pid}-fork`;
    const { finish, channel } = await finished({
      spec: shell(`setsid sh -c 'while :; do sleep 1; done' ${mark} & sh -c 'sleep 999; :' ${mark} & echo done`),
    });
    expect(finish.outcome).toBe('succeeded');
    expect(channel.texts('stdout')).toEqual(['done']);
    expect(channel.texts('system').join('\n')).toMatch(/Ended \d processes the agent left running/);
    expect(alive(mark)).toEqual([]);
  });

  test('killed: exit 137 and the signal', async () => {
    const { finish } = await finished({ spec: shell('kill -9 $$') });
    expect(finish).toMatchObject({
      outcome: 'failed',
      exitCode: 137,
      signal: 'SIGKILL',
      failure: { code: 'agent_failed' },
    });
    const inner = await finished({ spec: shell(`sh -c 'kill -9 $$'`) });
    expect(inner.finish).toMatchObject({ exitCode: 137, signal: null, reason: /killed by signal 9/ });
  });

  test('cancelled before anything began', async () => {
    const { finish, channel } = await finished({ spec: shell('echo never') }, { stopFirst: true });
    expect(finish.outcome).toBe('cancelled');
    expect(channel.texts('stdout')).toEqual([]);
  });

  test('fenced: the agent is killed and nothing more is said', async () => {
    const mark = `hangar-test-${process.pid}-fence`;
    const { running, channel } = await run(
      { spec: shell(`echo ready; sh -c 'while :; do sleep 1; done' ${mark}`) },
      { fenceAt: 'ready' },
    );
    await expect(running).rejects.toMatchObject({ code: 'worker_fenced' });
    expect(channel.finished).toBeNull();
    expect(channel.uploads).toEqual([]);
    expect(alive(mark)).toEqual([]);
  });
});

describe('what is left', () => {
  test('the work tree deleted: said so, the last partial diff kept', async () => {
    const { finish, channel } = await finished({
      spec: shell('echo x > x; sleep 2.5; rm -rf "$PWD"'),
      checkpointSeconds: 1,
    });
    expect(finish).toMatchObject({ outcome: 'failed', exitCode: 0, failure: { code: 'worktree_gone' } });
    expect(said(channel, finish.reason)).toBe(1);
    expect(diffOf(channel).length).toBe(1);
    expect(finish.diff).toMatchObject({ filesChanged: 1, partial: true });
  });

  test('.git deleted: the diff is complete', async () => {
    const { finish } = await finished({ spec: shell('rm -rf .git; echo x > x') });
    expect(finish).toMatchObject({ outcome: 'succeeded', diff: { filesChanged: 1, partial: false } });
  });

  test('partial diffs on the way, only when something changed, replaced by the last', async () => {
    const { channel } = await finished({ spec: shell('echo x > x; sleep 3.5; echo y > y'), checkpointSeconds: 1 });
    const partial = diffOf(channel).map((diff) => diff.partial);
    expect(partial.at(-1)).toBe(false);
    // One for each change: the second may be seen on the way, too, when the machine is slow to end the agent.
    expect(partial.slice(0, -1)).toSatisfy((before: boolean[]) => /^(true)(,true)?$/.test(String(before)));
  });

  test('a git that is killed while the diff is collected: it is collected all the same', async () => {
    const bin = temp.make();
    const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    writeFileSync(
      join(bin, 'git'),
      `#!/bin/sh\ncase "$*" in *write-tree*) if [ ! -e '${bin}/killed' ]; then : > '${bin}/killed'; kill -9 $$; fi ;; esac\nexec '${real}' "$@"\n`,
    );
    chmodSync(join(bin, 'git'), 0o755);
    const env = { PATH: `${bin}:${process.env.PATH}` };
    const { finish } = await finished({ spec: shell('echo two > two.txt', 'exit 3') }, { env });
    expect(readdirSync(bin)).toContain('killed');
    expect(finish).toMatchObject({ outcome: 'failed', exitCode: 3, diff: { filesChanged: 1, partial: true } });
  });

  test('no change is an empty diff', async () => {
    const { finish, channel } = await finished({ spec: shell('true') });
    expect(finish.diff).toEqual({ filesChanged: 0, insertions: 0, deletions: 0, sizeBytes: 0, partial: false });
    expect(diffOf(channel)[0]?.bytes.length).toBe(0);
  });

  test('artifacts: files only, names made safe, links refused, limit kept', async () => {
    const { channel, finish } = await finished({
      spec: shell(`cd "$HANGAR_ARTIFACTS"
echo r > report.xml; mkdir -p sub; echo s > sub/s.txt; echo d > diff; echo e > ./--evil; echo h > .hidden
ln -s /etc/passwd link; ln -s / root; mkfifo pipe; head -c 5000 /dev/zero > zz-big; printf x > "$(printf 'a\\nb')"`),
      limits: { logBytes: 1e6, artifactBytes: 4000 },
    });
    expect(finish.outcome).toBe('succeeded');
    const names = channel.uploads.filter(({ kind }) => kind === 'file').map(({ name }) => name);
    expect(names.sort()).toEqual(['2_diff', '_evil', '_hidden', 'a_b', 'report.xml', 'sub__s.txt'].sort());
    const said = channel.texts('system').join('\n');
    for (const left of ['link: not', 'root: not', 'pipe: not', 'zz-big: 5000']) expect(said).toContain(left);
  });

  test('a diff over the limit is a failure that says so', async () => {
    const { finish } = await finished({
      spec: shell('for n in 1 2 3 4 5; do head -c 900 /dev/urandom > f$n; done'),
      limits: { logBytes: 1e6, artifactBytes: 2000 },
    });
    expect(finish).toMatchObject({ outcome: 'failed', failure: { code: 'quota_artifacts' }, diff: null });
  });

  test('a 200 MB file', async () => {
    const { finish } = await finished({ spec: shell('head -c 200000000 /dev/urandom > big') });
    expect(finish).toMatchObject({ outcome: 'succeeded', diff: { filesChanged: 1 } });
    expect(finish.diff?.sizeBytes).toBeGreaterThan(200_000_000);
  }, 120_000);
});

describe('log', () => {
  test('binary output, no line end, past the limit the last lines are kept', async () => {
    const { channel } = await finished({
      spec: shell(`printf 'a\\000\\377b'; echo; seq 1 20000; printf 'the end'`),
      limits: { logBytes: 20_000, artifactBytes: 1e6 },
    });
    const out = channel.texts('stdout');
    expect(out[0]).toBe('a\ufffdb');
    expect(out.at(-1)).toBe('the end');
    expect(out.length).toBeLessThan(6000);
    expect(channel.texts('system').join('\n')).toMatch(/limit of 19.5 KiB/);
    expect(channel.texts('system').join('\n')).toMatch(/\d+ lines are left out here/);
  });
});

describe('a server that is away at the end', () => {
  /** Uploads of diffs and artifacts wait so long, as those of HttpChannel do while nobody answers. */
  class Away extends MemoryChannel {
    readonly #ms: number;
    constructor(ms: number) {
      super();
      this.#ms = ms;
    }
    override async upload(upload: Upload, o: Deadline): Promise<void> {
      await sleep(this.#ms, undefined, { signal: o.signal });
      await super.upload(upload, o);
    }
  }
  const SPEC = shell('echo x > x; echo a > "$HANGAR_ARTIFACTS/a"');

  test('longer than a diff may take to make: all of it is handed over when it is back', async () => {
    const patience = { collectMs: 1500, lastWordMs: 60_000 };
    const { finish, channel } = await finished({ spec: SPEC }, { channel: new Away(2500), patience });
    expect(finish).toMatchObject({ outcome: 'succeeded', failure: null, diff: { filesChanged: 1, partial: false } });
    expect(channel.uploads.map(({ name }) => name)).toEqual(['diff', 'a']);
  });

  test.each([
    ['its log', 'log'],
    ['its reports', 'report'],
  ] as const)('and never comes back for %s: the worker ends', async (_, call) => {
    const channel = new MemoryChannel();
    channel[call] = () => new Promise<void>(() => undefined);
    const patience = { lastWordMs: 1500 };
    const { running } = await run({ spec: shell('true') }, { channel, patience });
    await expect(running).rejects.toThrow('The server did not come back');
    expect(channel.finished).toBeNull();
  });
});

/** How many lines of the log hold this. */
const said = (channel: MemoryChannel, text: string) =>
  channel.texts('system').filter((line) => line.includes(text)).length;

describe('the work folder is removed', () => {
  const patience = { lookMs: 20, goneMs: 20_000 };
  const hold = ({ signal }: Deadline) =>
    new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const GONE = { outcome: 'failed', failure: { code: 'work_folder_gone' }, diff: null };

  test('while the repository is fetched', async () => {
    const channel = new MemoryChannel();
    const dir = join(temp.make(), 'work');
    channel.download = (_what, _file, o) => {
      rmSync(dir, { recursive: true });
      // As a server that is away: no answer, however long.
      return hold(o);
    };
    const signal = new AbortController().signal;
    const order = makeOrder({ repo: { ...makeOrder({}).repo, commit: 'a'.repeat(40) } });
    const finish = await runWorkOrder(order, channel, { dir, signal, env: process.env, patience });
    expect(finish).toMatchObject(GONE);
    expect(said(channel, finish.reason)).toBe(1);
  });

  test('while the agent works, which is ended', async () => {
    const { running, dir, channel } = await run({ spec: shell('echo begun; exec sleep 4.4321') }, { patience });
    await untilLine(channel, 'begun');
    rmSync(dir, { recursive: true });
    const finish = await running;
    expect(finish).toMatchObject({ ...GONE, signal: 'SIGTERM' });
    expect(said(channel, finish.reason)).toBe(1);
    expect(alive('4.4321')).toEqual([]);
  });

  test('while the diff is handed over: what cannot be sent any more is not waited for', async () => {
    class Removed extends MemoryChannel {
      dir = '';
      override async upload(upload: Upload): Promise<void> {
        rmSync(this.dir, { recursive: true });
        readFileSync(upload.file);
      }
    }
    const channel = new Removed();
    const { running, dir } = await run({ spec: shell('echo begun; sleep 0.3; echo x > x') }, { patience, channel });
    channel.dir = dir;
    const finish = await running;
    expect(finish).toMatchObject(GONE);
    expect(said(channel, finish.reason)).toBe(1);
  });

  test.each([
    ['its log', 'log'],
    ['its reports', 'report'],
    ['its last word', 'finish'],
  ] as const)('and the server with it, which never takes %s: the worker ends', async (_, call) => {
    const channel = new MemoryChannel();
    const spec = shell('touch begun; sleep 60');
    const { running, dir } = await run({ spec }, { patience: { ...patience, goneMs: 300 }, channel });
    await until(() => existsSync(join(dir, 'tree', 'begun')));
    channel[call] = (_said: unknown, o?: Deadline) => (o ? hold(o) : new Promise<void>(() => {}));
    rmSync(dir, { recursive: true });
    await expect(running).rejects.toMatchObject({ code: 'work_folder_gone' });
    expect(channel.finished).toBeNull();
  });
});

test('a repository that takes longer than its limit ends the job', async () => {
  const channel = new MemoryChannel();
  channel.download = (_what, _file, { signal }) =>
    new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const order = makeOrder({ repo: { ...makeOrder({}).repo, commit: 'a'.repeat(40) } });
  const dir = join(temp.make(), 'work');
  const signal = new AbortController().signal;
  const finish = await runWorkOrder(order, channel, { dir, signal, env: process.env, patience: { cloneMs: 200 } });
  expect(finish).toMatchObject({ outcome: 'failed', failure: { code: 'cloning_too_long' } });
});

test('an agent that ended well has succeeded, though what it left behind writes past the timeout', async () => {
  const left = `env -i setsid sh -c 'trap "" TERM; while :; do echo tick; sleep 0.1; done' &`;
  const spec = shell(`echo x > x; echo before; ${left} exit 0`);
  const { finish, channel } = await finished({ spec, timeoutSeconds: 20 });
  expect(finish).toMatchObject({ outcome: 'succeeded', exitCode: 0, diff: { filesChanged: 1, partial: false } });
  expect(channel.texts('stdout')[0]).toBe('before');
});

test("XDG folders that the job sets are the agent's, those of the machine are not", async () => {
  const { channel } = await finished(
    { spec: shell('echo "$XDG_CONFIG_HOME|$XDG_CACHE_HOME"'), env: { XDG_CONFIG_HOME: 'conf' } },
    { env: { PATH: process.env.PATH, XDG_CONFIG_HOME: '/etc/xdg', XDG_CACHE_HOME: '/var/cache' } },
  );
  expect(channel.texts('stdout')).toEqual(['conf|']);
});

async function until(done: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !done(); await sleep(10))
    if (performance.now() > end) throw new Error('It did not come to that');
}
const untilLine = (channel: MemoryChannel, text: string) =>
  until(() => channel.lines.some((line) => line.stream === 'stdout' && line.text === text));

/** A file system of its own with little room; null where mounting is not allowed. */
function smallDisk(bytes: number): { dir: string; free(): void } | null {
  const dir = temp.make();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', dir], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return { dir, free: () => execFileSync('umount', ['-l', dir]) };
}

const CAN_MOUNT = (() => {
  const disk = smallDisk(4096);
  disk?.free();
  return disk !== null;
})();

describe('disk full (needs the right to mount)', () => {
  test.skipIf(!CAN_MOUNT).each([
    ['no room for the files', { 'big.bin': randomBytes(5_000_000) }, 'true'],
    ['no room for the diff', { 'a.txt': 'a\n' }, 'head -c 3500000 /dev/urandom > big'],
  ])('%s', async (_, files, script) => {
    const disk = smallDisk(6_000_000) ?? expect.unreachable();
    try {
      const repo = makeRepo(join(temp.make(), 'repo'), files);
      const channel = new MemoryChannel();
      const finish = await runWorkOrder(makeOrder({ spec: shell(script) }), channel, {
        dir: join(disk.dir, 'work'),
        signal: new AbortController().signal,
        env: { PATH: process.env.PATH },
        source: {
          kind: 'bundle',
          url: null,
          credential: null,
          commit: repo.commit,
          bundleFile: bundleOf(repo.dir, join(repo.dir, '..', 'bundle')),
          patchFile: null,
        },
      });
      expect(finish).toMatchObject({ outcome: 'failed', failure: { code: 'disk_full' } });
    } finally {
      disk.free();
    }
  });
});
