import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerForTests } from '../../packages/sandbox/src/drivers/docker/testing/index.ts';
import { startSshd, whyNoSshd } from '../../packages/sandbox/src/drivers/ssh/testing/sshd.ts';
import { ServerProcess } from './server-process.ts';

let server: ServerProcess;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  await server.signIn();
});
afterAll(() => server?.remove());

async function opened(...flags: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await server.hangar(['sandbox', 'open', ...flags, '--json']);
  expect(exitCode, stderr).toBe(0);
  const sandbox = JSON.parse(stdout) as { id: string; state: string };
  expect(sandbox.state).toBe('running');
  return sandbox.id;
}

/** Processes of this machine whose command line has this word. */
function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(word);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function story(profile: () => Promise<string>): void {
  let id = '';
  beforeAll(async () => {
    id = await opened('--on', await profile());
  }, 180_000);

  it('has stdin with an end, stdout and stderr apart, and the exit code', async () => {
    const run = await server.hangar(['sandbox', 'exec', id, '--', 'sh', '-c', 'cat; echo err >&2; exit 7'], {
      input: 'hi\n',
    });
    expect(run).toMatchObject({ stdout: 'hi', exitCode: 7 });
    expect(run.stderr.trim().split('\n')).toContain('err');
  });

  it('takes and gives 3 MB byte for byte', async () => {
    const bytes = randomBytes(3_000_000);
    const run = await server.hangarBytes(['sandbox', 'exec', id, '--', 'cat'], bytes);
    expect(run.exitCode, run.stderr).toBe(0);
    expect(run.stdout.equals(bytes)).toBe(true);
  });

  it('loses no line and repeats none when the server dies in the middle', async () => {
    const script = 'for i in $(seq 30); do echo $i; sleep 0.2; done';
    const run = server.hangar(['sandbox', 'exec', id, '--', 'sh', '-c', script]);
    await expect
      .poll(async () => (await server.hangar(['sandbox', 'show', id, '--json'])).stdout, { timeout: 60_000 })
      .toContain('"running"');
    await sleep(2_000);
    await server.kill('SIGKILL');
    await server.start();
    const { stdout, stderr, exitCode } = await run;
    expect(exitCode, stderr).toBe(0);
    expect(stdout.split('\n')).toEqual(Array.from({ length: 30 }, (_, n) => String(n + 1)));
  });

  it('ends the whole tree of what timed out', async () => {
    const word = `9${randomBytes(3).readUIntBE(0, 3)}.25`;
    const script = `trap '' TERM; setsid sleep ${word} & (sleep ${word} &) ; sleep ${word}`;
    const run = await server.hangar(['sandbox', 'exec', id, '--timeout', '2s', '--', 'sh', '-c', script]);
    expect(run.exitCode).not.toBe(0);
    expect(run.stderr).toMatch(/time/i);
    expect(processesWith(word)).toEqual([]);
  });

  it('is closed when nothing is left of it', async () => {
    const word = `9${randomBytes(3).readUIntBE(0, 3)}.75`;
    await server.hangar(['sandbox', 'exec', id, '--detach', '--', 'sleep', word]);
    await expect.poll(() => processesWith(word).length, { timeout: 60_000 }).toBeGreaterThan(0);
    const { exitCode, stderr } = await server.hangar(['sandbox', 'close', id]);
    expect(exitCode, stderr).toBe(0);
    expect(processesWith(word)).toEqual([]);
    const shown = await server.hangar(['sandbox', 'show', id, '--json']);
    expect(shown.stdout).toContain('"closed"');
    const again = await server.hangar(['sandbox', 'exec', id, '--', 'true']);
    expect(again.stderr).toContain('sandbox_closed');
  });
}

describe('a sandbox on a local profile', { timeout: 180_000 }, () => story(async () => 'local'));

const docker = await dockerForTests();
describe.skipIf('skipped' in docker)('a sandbox on a docker profile', { timeout: 180_000 }, () =>
  story(async () => {
    if ('skipped' in docker) return '';
    const set = [`host=${docker.host}`, `image=${docker.image}`, 'pull=never', 'network=none'];
    const made = await server.hangar([
      ...['profiles', 'create', 'boxes', '--driver', 'docker'],
      ...set.flatMap((one) => ['--set', one]),
    ]);
    expect(made.exitCode, made.stderr).toBe(0);
    return 'boxes';
  }),
);

describe.skipIf(whyNoSshd !== null)('a sandbox on an ssh profile', { timeout: 180_000 }, () => {
  const opened: AsyncDisposable[] = [];
  story(async () => {
    const sshd = await startSshd();
    opened.push(sshd);
    const key = join(server.dir, 'ssh-key');
    writeFileSync(key, sshd.key, { mode: 0o600 });
    const set = [`port=${sshd.port}`, `user=${userInfo().username}`, `folder=${server.dir}/units`];
    const made = await server.hangar([
      ...['profiles', 'create', 'box', '--driver', 'ssh', '--host', '127.0.0.1', '--key', key],
      ...set.flatMap((one) => ['--set', one]),
    ]);
    expect(made.exitCode, made.stderr).toBe(0);
    return 'box';
  });
  afterAll(async () => {
    for (const sshd of opened) await sshd[Symbol.asyncDispose]();
  });
});

describe('hangar cp', { timeout: 180_000 }, () => {
  const STRANGE = Buffer.from('caf\xe9.txt', 'latin1');
  let id = '';
  let dir = '';
  const cp = (...args: string[]) => server.hangar(['cp', ...args], { cwd: dir });
  const good = async (...args: string[]) => {
    const { exitCode, stderr } = await cp(...args);
    expect(exitCode, stderr).toBe(0);
  };
  beforeAll(async () => {
    id = await opened('--on', 'local');
    dir = join(server.dir, 'cp');
    mkdirSync(dir);
  }, 180_000);

  it('takes a file there and back with its bytes and its mode', async () => {
    const bytes = randomBytes(3_000_000);
    writeFileSync(join(dir, 'tool'), bytes, { mode: 0o750 });
    await good('tool', `${id}:copied`);
    await good(`${id}:copied`, 'back');
    expect(readFileSync(join(dir, 'back')).equals(bytes)).toBe(true);
    expect(statSync(join(dir, 'back')).mode & 0o777).toBe(0o750);
    expect(readdirSync(dir).sort()).toEqual(['back', 'tool']);
  });

  it('reads standard input and writes standard output', async () => {
    const bytes = randomBytes(2_000_000);
    const sent = await server.hangarBytes(['cp', '-', `${id}:piped`], bytes);
    expect(sent.exitCode, sent.stderr).toBe(0);
    const got = await server.hangarBytes(['cp', `${id}:piped`, '-'], new Uint8Array());
    expect(got.stdout.equals(bytes)).toBe(true);
  });

  it('takes folders with links, modes and names of any bytes', async () => {
    mkdirSync(join(dir, 'tree/deep'), { recursive: true });
    writeFileSync(join(dir, 'tree/deep/run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/tree/`), STRANGE]), 'au lait');
    writeFileSync(join(dir, `tree/${'long'.repeat(40)}`), 'long');
    symlinkSync('deep/run.sh', join(dir, 'tree/link'));
    expect((await cp('tree', `${id}:tree`)).stderr).toContain('is a folder');
    await good('-r', 'tree', `${id}:tree`);
    await good('-r', `${id}:tree`, 'again');
    await good('-r', 'tree', `${id}:tree`);
    const listed = (name: string) =>
      execFileSync('tar', ['-C', join(dir, name), '--sort=name', '--mtime=@0', '-cf', '-', '.']);
    expect(listed('again').equals(listed('tree'))).toBe(true);
    // A second time it goes into the folder that is there.
    await good('-r', `${id}:tree/tree/deep`, 'again');
    expect(readdirSync(join(dir, 'again/deep'))).toEqual(['run.sh']);
  });

  it('says what is missing, on either side', async () => {
    expect((await cp('nothing', `${id}:x`)).stderr).toContain('file_unreadable');
    expect((await cp(`${id}:nothing`, 'x')).stderr).toContain('file_not_found');
    expect((await cp('tool', `${id}:no/such/`)).stderr).toContain('file_not_found');
    expect((await cp('tool', 'back')).exitCode).toBe(2);
  });

  it('and what the machine is and uses is shown', async () => {
    const { stdout } = await server.hangar(['sandbox', 'show', id, '--resources', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ platform: { os: 'Linux' }, load: { memoryBytes: expect.any(Number) } });
    expect((await server.hangar(['sandbox', 'show', id, '--resources'])).stdout).toMatch(/^Memory +\S+ [KMG]iB of /m);
  });
});
