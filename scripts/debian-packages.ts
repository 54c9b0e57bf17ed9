import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from './run.ts';

/** Debian package → the program by which it is known to be there. Tests that miss theirs are skipped aloud. */
const PACKAGES: Readonly<Record<string, string>> = {
  bubblewrap: 'bwrap',
  chromium: 'chromium',
  'docker.io': 'dockerd',
  htop: 'htop',
  iptables: 'iptables',
  jq: 'jq',
  mmdebstrap: 'mmdebstrap',
  openssl: 'openssl',
  'openssh-client': 'ssh',
  'openssh-server': 'sshd',
  procps: 'ps',
  python3: 'python3',
  'python3-pip': 'pip3',
  'tinyproxy-bin': 'tinyproxy',
  vim: 'vim',
};

const PLACES = [...new Set([...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'])];
const isThere = (program: string): boolean => PLACES.some((place) => existsSync(path.join(place, program)));

/** Installs what the tests use where that is possible, and answers what is still missing. */
export async function installDebianPackages(tell: (line: string) => void): Promise<string[]> {
  const missing = () => Object.entries(PACKAGES).flatMap(([name, program]) => (isThere(program) ? [] : [name]));
  const wanted = missing();
  if (wanted.length === 0) {
    tell('All there.');
    return [];
  }
  const why = process.getuid?.() !== 0 ? 'needs root' : !isThere('apt-get') ? 'needs Debian or Ubuntu' : null;
  if (why !== null) {
    tell(`Missing: ${wanted.join(', ')}. Installing them ${why}; the tests that use them are skipped.`);
    return wanted;
  }
  tell(`Installing ${wanted.join(', ')}`);
  await withoutStartingServices(async () => {
    const update = await apt('update', '-q');
    if (update.exitCode !== 0) tell(update.output);
    const all = await apt('install', '-y', '-q', '--no-install-recommends', ...wanted);
    if (all.exitCode === 0) return;
    // One that this distribution does not have must not keep the others away.
    for (const name of missing()) {
      const one = await apt('install', '-y', '-q', '--no-install-recommends', name);
      if (one.exitCode !== 0) tell(`${name} could not be installed:\n${one.output.split('\n').slice(-6).join('\n')}`);
    }
  });
  const still = missing();
  tell(still.length === 0 ? 'Installed.' : `Still missing: ${still.join(', ')}; the tests that use them are skipped.`);
  return still;
}

const apt = (...args: string[]) =>
  run('apt-get', args, { timeoutMs: 15 * 60_000, env: { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' } });

/** The tests start their own dockerd and sshd; the machine must not find itself with new services. */
async function withoutStartingServices(install: () => Promise<void>): Promise<void> {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return install();
  await writeFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await install();
  } finally {
    await rm(policy, { force: true });
  }
}
