/**
 * Runs a private dockerd for tests and ends it, with its containers and files, soon after nobody uses it any more:
 * whoever asked for it may have been killed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './docker-for-tests.ts';

const LINGER_MS = 20_000;
const dir = process.argv[2];
if (dir === undefined) throw new Error('usage: keeper.ts FOLDER');
const inside = (name: string) => path.join(dir, name);

// Exclusive: of several keepers one stays.
const lock = await open(inside('keeper.pid'), 'wx').catch(() => null);
if (lock) {
  await lock.write(String(process.pid));
  await lock.close();
  await keep(dir);
  for (const folder of await dead(dir)) await discard(folder);
}

async function keep(dir: string): Promise<void> {
  // In place of the machine's own settings.
  await writeFile(inside('none.json'), '{}');
  const log = await open(inside('log'), 'a');
  const dockerd = spawn(
    '/usr/bin/setpriv',
    [
      // It ends with this process, however that ends.
      ...['--pdeathsig', 'TERM', 'dockerd'],
      ...['--data-root', inside('data'), '--exec-root', inside('exec'), '--pidfile', inside('docker.pid')],
      ...['--host', `unix://${inside('docker.sock')}`, '--config-file', inside('none.json')],
      // Firewall rules and bridges of this machine stay as they are; containers use its network or none.
      ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--shutdown-timeout=1'],
    ],
    { stdio: ['ignore', log.fd, log.fd], cwd: '/' },
  );
  let over = false;
  const gone = new Promise<void>((resolve) => {
    const end = () => {
      over = true;
      resolve();
    };
    dockerd.once('error', end);
    dockerd.once('exit', end);
  });

  let used = performance.now();
  while (!over) {
    await sleep(1000);
    if (await isUsed()) used = performance.now();
    if (performance.now() - used < LINGER_MS) continue;
    // Who asks writes a lease, then looks for this note; here it is the other way round: one of the two sees the other.
    await writeFile(inside('ending'), '');
    if (!(await isUsed())) break;
    await rm(inside('ending'));
    used = performance.now();
  }
  if (over) {
    const lines = (await readFile(inside('log'), 'utf8')).trim().split('\n');
    await writeFile(inside('failed'), (lines.at(-1) ?? '').slice(0, 500));
    // Long enough for all who wait to read it, short enough that the next run tries again.
    await sleep(5_000);
  } else {
    dockerd.kill('SIGTERM');
    await Promise.race([gone, sleep(20_000)]);
    dockerd.kill('SIGKILL');
  }
  await discard(dir);
}

/** Whether a process that uses it is alive. */
async function isUsed(): Promise<boolean> {
  let used = false;
  for (const name of await readdir(inside('leases')).catch(() => [])) {
    if (isAlive(Number(name))) used = true;
    else await rm(inside(`leases/${name}`), { force: true });
  }
  return used;
}

/** Out of the way in one step, so that the next one finds either all of it or nothing. */
async function discard(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((one) => one.startsWith(`${folder}/`)).reverse()) {
    spawnSync('umount', ['--lazy', mount], { timeout: 10_000 });
  }
  const away = `${folder}.${process.pid}`;
  await rename(folder, away);
  await rm(away, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
}

/** Folders of keepers that were killed. */
async function dead(folder: string): Promise<string[]> {
  const names = await readdir(path.dirname(folder));
  const begins = `${path.basename(folder)}.dead-`;
  return names.filter((name) => name.startsWith(begins)).map((name) => path.join(path.dirname(folder), name));
}
