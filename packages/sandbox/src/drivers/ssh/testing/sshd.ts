import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SshSettings } from '@hangar/contract';
import { onTestFinished } from 'vitest';
import type { Driver, HostKeys, ProfileOf } from '../../../port/driver.ts';
import type { Channel, Exit } from '../../../port/machine.ts';
import { nothingBrought } from '../../../testing/profile.ts';
import { createSshDriver } from '../index.ts';

const run = promisify(execFile);
const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'].find((file) => existsSync(file));

/** Why there can be no sshd here; null when there can. */
export const whyNoSshd: string | null = SSHD ? null : 'needs sshd (Debian: openssh-server)';

export interface TestSshd extends AsyncDisposable {
  readonly port: number;
  /** HOME of whoever signs in: a folder of the test. */
  readonly home: string;
  /** A key that is let in. */
  readonly key: string;
  /** Its line for known_hosts. */
  hostKeyLine(): Promise<string>;
  /** Makes it another machine. */
  changeHostKey(): Promise<void>;
  /** Kills what serves the connections there are. */
  dropAll(): Promise<void>;
  /** What serves the connections there are is there, and does nothing. */
  freeze(): Promise<void>;
  connections(): Promise<number>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function makeKey(folder: string, name: string): Promise<{ key: string; pub: string }> {
  const file = path.join(folder, name);
  await rm(file, { force: true });
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
  return { key: await readFile(file, 'utf8'), pub: await readFile(`${file}.pub`, 'utf8') };
}

/** @param o.loginShell what the account would run commands with */
export async function startSshd(o: { loginShell?: string; options?: readonly string[] } = {}): Promise<TestSshd> {
  if (!SSHD) throw new Error(whyNoSshd ?? '');
  const program = SSHD;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'hangar-sshd-'));
  const home = path.join(folder, 'home');
  await mkdir(home);
  // It refuses to start as root without the folder that its package makes at boot.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const { key, pub } = await makeKey(folder, 'client');
  await writeFile(path.join(folder, 'authorized_keys'), pub);
  await makeKey(folder, 'host');
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${folder}/host`,
    `PidFile ${folder}/pid`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    ...['StrictModes no', 'UsePAM no', 'PermitRootLogin prohibit-password', 'PasswordAuthentication no'],
    ...['KbdInteractiveAuthentication no', 'AllowTcpForwarding yes', 'PrintMotd no', `SetEnv HOME=${home}`],
    ...(o.loginShell === undefined ? [] : [`ForceCommand ${o.loginShell} -c "$SSH_ORIGINAL_COMMAND"`]),
    ...(o.options ?? []),
  ];
  await writeFile(path.join(folder, 'config'), `${lines.join('\n')}\n`);

  let child: ChildProcess | null = null;
  async function start(): Promise<void> {
    const started = spawn(program, ['-D', '-e', '-f', path.join(folder, 'config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    let said = '';
    started.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
    });
    while (!/Server listening/.test(said)) {
      if (started.exitCode !== null) throw new Error(`sshd does not start: ${said}`);
      await sleep(10);
    }
  }
  const serving = async (): Promise<number[]> => {
    const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
    const parents = await Promise.all(
      pids.map(async (pid) => {
        const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
        return { pid: Number(pid), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) };
      }),
    );
    return parents.filter(({ parent }) => parent === child?.pid).map(({ pid }) => pid);
  };
  const signalAll = async (signal: NodeJS.Signals): Promise<void> => {
    for (const pid of await serving()) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended by itself in the meantime.
      }
    }
  };
  const dropAll = () => signalAll('SIGKILL');
  async function stop(): Promise<void> {
    const running = child;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    await dropAll();
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await ended;
  }
  await start();
  return {
    ...{ port, home, key, dropAll, stop, start, freeze: () => signalAll('SIGSTOP') },
    hostKeyLine: async () => `[127.0.0.1]:${port} ${(await readFile(path.join(folder, 'host.pub'), 'utf8')).trim()}`,
    async changeHostKey() {
      await stop();
      await makeKey(folder, 'host');
      await start();
    },
    connections: async () => (await serving()).length,
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Host keys as a server keeps them. */
export function keysInMemory(): HostKeys & { readonly kept: Map<string, string[]> } {
  const kept = new Map<string, string[]>();
  return {
    kept,
    known: async (address) => kept.get(address) ?? [],
    async pin(address, lines) {
      if (!kept.has(address)) kept.set(address, [...lines]);
      return kept.get(address) ?? [];
    },
  };
}

/** A driver with a folder of its own, all of which is gone after it. */
export async function openDriver(o: { instanceId?: string; path?: string } = {}) {
  const runtimeDir = await mkdtemp(path.join('/tmp', 'hgr-'));
  await chmod(runtimeDir, 0o700);
  const hostKeys = keysInMemory();
  const env = { PATH: o.path ?? process.env.PATH, HOME: os.homedir(), HANGAR_SECRET: 'not for ssh' };
  const driver = createSshDriver({ brought: nothingBrought(o.instanceId ?? 'i1'), env, runtimeDir });
  const withKeys: Driver = { ...driver, forProfile: (profile) => driver.forProfile({ ...profile, hostKeys }) };
  return {
    ...{ driver: withKeys, hostKeys, runtimeDir },
    async [Symbol.asyncDispose]() {
      await driver[Symbol.asyncDispose]();
      await rm(runtimeDir, { recursive: true, force: true });
    },
  };
}

export const profileTo = (port: number, key: string | null, settings: Partial<SshSettings> = {}): ProfileOf => ({
  name: 'test',
  settings: { host: '127.0.0.1', port, user: os.userInfo().username, ...settings },
  limits: {},
  secret: async (name) => (name === 'key' ? key : null),
  hostKeys: keysInMemory(),
});

/** It is gone when the test has ended. */
export async function used<T extends AsyncDisposable>(made: Promise<T>): Promise<T> {
  const thing = await made;
  onTestFinished(() => thing[Symbol.asyncDispose]());
  return thing;
}

/** What a channel printed, and how it ended. */
export async function outcome(channel: Channel): Promise<{ out: Buffer; err: Buffer; exit: Exit }> {
  const all = async (stream: Readable): Promise<Buffer> => Buffer.concat(await stream.toArray());
  const [out, err, exit] = await Promise.all([all(channel.stdout), all(channel.stderr), channel.exit]);
  return { out, err, exit };
}

/** Waits until it holds; the time a test may take is the only limit. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

export const soon = (ms = 60_000) => ({ signal: AbortSignal.timeout(ms) });
