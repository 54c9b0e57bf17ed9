import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Send } from './connect-protocol.ts';

export const ENVD_VERSION = '0.6.13';

/** A process as envd holds it. What it prints while nobody listens is lost. */
export interface EnvdProcess {
  readonly pid: number;
  readonly config: object;
  readonly tag: string | undefined;
  /** Sends what comes from now on, until the process has ended or the other side is gone. */
  follow(send: Send, gone: Promise<void>): Promise<void>;
  input(kind: 'stdin' | 'pty', data: Buffer): Promise<void>;
  closeStdin(): void;
  /** One pid, and its output is cut as soon as it is dead: its children live on, unheard. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
  resize(size: { readonly cols: number; readonly rows: number }): Promise<void>;
}

/** A sandbox of the fake: a folder, and the processes of this machine that have its id in their environment. */
export interface FakeSandbox {
  readonly id: string;
  readonly templateId: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly envs: Readonly<Record<string, string>>;
  readonly token: string;
  readonly root: string;
  readonly startedAt: Date;
  endAt: Date;
  state: 'running' | 'paused' | 'dead';
  /** What hangs on it, cut when it ends. */
  readonly open: Set<ServerResponse>;
  readonly processes: Map<number, EnvdProcess>;
  /** How processes ended, for 30 s. */
  readonly ended: Map<number, unknown>;
}

export interface NewFakeSandbox {
  readonly templateId: string;
  readonly metadata: Record<string, string>;
  readonly envs: Record<string, string>;
  readonly timeoutSeconds: number;
}

export function makeSandbox(o: NewFakeSandbox): FakeSandbox {
  const startedAt = new Date();
  const root = mkdtempSync(path.join(tmpdir(), 'e2b-sandbox-'));
  mkdirSync(homeOf({ root }, 'user'), { recursive: true });
  mkdirSync(homeOf({ root }, 'root'), { recursive: true });
  return {
    id: `i${randomBytes(10).toString('hex').slice(0, 19)}`,
    ...{ templateId: o.templateId, metadata: o.metadata, envs: o.envs, root, startedAt },
    token: randomBytes(16).toString('hex'),
    endAt: new Date(startedAt.getTime() + o.timeoutSeconds * 1000),
    state: 'running',
    open: new Set(),
    processes: new Map(),
    ended: new Map(),
  };
}

/** The accounts that the base template has. */
export const isAccount = (name: string): boolean => name === 'user' || name === 'root';
export const homeOf = ({ root }: Pick<FakeSandbox, 'root'>, account: string): string =>
  account === 'root' ? path.join(root, 'root') : path.join(root, 'home', account);

/** Ends it as a machine that is switched off: no process of it is left, and every connection to it breaks. */
export async function destroySandbox(sandbox: FakeSandbox): Promise<void> {
  if (sandbox.state === 'dead') return;
  sandbox.state = 'dead';
  for (const response of sandbox.open) response.destroy();
  // What was born while the list was read is found in the next round.
  while (signalAll(sandbox.id, 'SIGKILL') > 0) await sleep(5);
  await rm(sandbox.root, { recursive: true, force: true });
}

/** Without its memory nothing of its processes is left. */
export async function pauseSandbox(sandbox: FakeSandbox, o: { memory: boolean }): Promise<void> {
  sandbox.state = 'paused';
  for (const response of sandbox.open) response.destroy();
  if (o.memory) signalAll(sandbox.id, 'SIGSTOP');
  else while (signalAll(sandbox.id, 'SIGKILL') > 0) await sleep(5);
}

export function resumeSandbox(sandbox: FakeSandbox): void {
  sandbox.state = 'running';
  signalAll(sandbox.id, 'SIGCONT');
}

/** Signals every process of the sandbox, and says how many there were. */
function signalAll(id: string, signal: NodeJS.Signals): number {
  let found = 0;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      // A zombie has no environment any more, and needs no signal.
      if (!`\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(`\0E2B_SANDBOX_ID=${id}\0`)) continue;
      process.kill(pid, signal);
      found += 1;
    } catch {
      // Gone meanwhile, or somebody else's.
    }
  }
  return found;
}
