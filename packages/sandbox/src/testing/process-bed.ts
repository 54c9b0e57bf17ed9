import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineBed } from './machine-suite.ts';
import { type ProcessMachineOptions, processMachine } from './process-machine.ts';

export const BUSYBOX = ['/usr/bin/busybox', '/bin/busybox'].find((path) => existsSync(path)) ?? null;

/** Processes of this machine as a machine of a driver. All of them have its word in their environment, or are not looked for. */
export function processBed(
  o: Pick<ProcessMachineOptions, 'text' | 'noisy' | 'breaks'> & {
    readonly shell?: 'sh' | 'bash' | 'busybox';
    /** Its `date` says so much later than it is. */
    readonly aheadSeconds?: number;
  } = {},
): MachineBed {
  const folder = mkdtempSync(join(tmpdir(), 'hangar-machine-'));
  const home = join(folder, 'home');
  const bin = join(folder, 'bin');
  for (const path of [home, bin]) mkdirSync(path);
  const word = randomBytes(6).toString('hex');
  let path = process.env.PATH ?? '/usr/bin:/bin';
  if (o.shell === 'busybox' && BUSYBOX !== null) {
    for (const applet of execFileSync(BUSYBOX, ['--list']).toString().split('\n').filter(Boolean))
      symlinkSync(BUSYBOX, join(bin, applet));
    path = bin;
  }
  if (o.shell === 'bash') {
    symlinkSync('/bin/bash', join(bin, 'sh'));
    path = `${bin}:${path}`;
  }
  if (o.aheadSeconds !== undefined) {
    const date = `#!/bin/sh\nexec /bin/date -d "@$(($(/bin/date +%s) + ${o.aheadSeconds}))" "$@"\n`;
    writeFileSync(join(bin, 'date'), date, { mode: 0o755 });
    path = `${bin}:${path}`;
  }
  let isGone = false;
  const env = { PATH: path, HOME: home, MACHINE_WORD: word };
  // Found in the PATH of the machine, not in ours.
  const wrap: ProcessMachineOptions['wrap'] = (argv) =>
    o.shell === undefined || o.shell === 'sh' || argv[0] !== 'sh' ? [...argv] : [join(bin, 'sh'), ...argv.slice(1)];
  const machine = () => processMachine({ ...o, env, wrap, isGone: () => isGone });
  const small = smallFolder(folder);
  const destroy = async () => {
    isGone = true;
    for (let left = processesWith(word); left.length > 0; left = processesWith(word)) for (const pid of left) kill(pid);
  };
  return {
    machine: async () => machine(),
    reopened: async () => machine(),
    folder,
    processesWith: async (text) => processesWith(text),
    ...(small === null ? {} : { smallFolder: small }),
    destroy,
    async close() {
      await destroy();
      unmount(small);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((entry) => ['environ', 'cmdline'].some((name) => read(`/proc/${entry}/${name}`).includes(word)))
    .map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended, or is another's.
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** A file system of 8 MiB below a folder, where this account may mount one; it is unmounted by whoever made it. */
export function smallFolder(folder: string): string | null {
  const path = join(folder, 'small');
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', path], { stdio: 'ignore' });
    return path;
  } catch {
    return null;
  }
}

export function unmount(small: string | null): void {
  if (small !== null) execFileSync('umount', ['--lazy', small], { stdio: 'ignore' });
}
