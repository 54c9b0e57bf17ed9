import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import type { Driver } from '../../../port/driver.ts';

import { openDriver, profileTo, soon, startSshd } from './sshd.ts';

const KEY = { id: 's_suite', attempt: 1 };

/** A unit on an sshd of the test, for the suite that holds for the machines of all drivers. */
export async function openMachineBed(loginShell?: string) {
  const sshd = await startSshd(loginShell === undefined ? {} : { loginShell });
  // An instance of its own: tests of sweeps run beside it, on the same machine and as the same account.
  const instanceId = `i_machines${process.pid}`;
  const made = [await openDriver({ instanceId })];
  const unitsOf = (driver: Driver) => driver.forProfile(profileTo(sshd.port, sshd.key)).units;
  const [first] = made;
  if (!first) throw new Error('There is no driver.');
  const spec = { key: KEY, program: { kind: 'hold' }, image: null, resources: {}, deadlineSeconds: null } as const;
  await unitsOf(first.driver).ensure(spec, { ...soon(), say: () => undefined });
  const smallFolder = `${sshd.home}/small`;
  await mkdir(smallFolder);
  const isSmall = mount(smallFolder);
  return {
    machine: () => unitsOf(first.driver).machine(KEY, soon()),
    async reopened() {
      const again = await openDriver({ instanceId });
      made.push(again);
      again.hostKeys.kept.set(`127.0.0.1:${sshd.port}`, [await sshd.hostKeyLine()]);
      return unitsOf(again.driver).machine(KEY, soon());
    },
    processesWith,
    folder: sshd.home,
    ...(isSmall ? { smallFolder } : {}),
    destroy: () => unitsOf(first.driver).remove(KEY, soon()),
    async close() {
      await unitsOf(first.driver).remove(KEY, soon());
      for (const each of made) await each[Symbol.asyncDispose]();
      if (isSmall) execFileSync('umount', [smallFolder]);
      await sshd[Symbol.asyncDispose]();
    },
  };
}

/** Whether this account may mount a file system of 8 MiB. */
function mount(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function processesWith(word: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)) {
    for (const name of ['environ', 'cmdline']) {
      const text = await readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => '');
      if (text.includes(word)) found.push(Number(pid));
    }
  }
  return [...new Set(found)];
}
