/**
 * Runs a private dockerd for tests and ends it, with its containers and files, soon after nobody uses it any more:
 * whoever asked for it may have been killed.
 */
import { spawn } from 'node:child_process';
import { open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './docker-for-tests.ts';

const LINGER_MS = 20_000;
const dir = process.argv[2];
if (dir === undefined) throw new Error('usage: keeper.ts FOLDER');

await writeFile(path.join(dir, 'keeper.pid'), String(process.pid));
const inside = (name: string) => path.join(dir, name);
await rm(inside('docker.pid'), { force: true });
// In place of the machine's own settings.
await writeFile(inside('none.json'), '{}');
const log = await open(inside('log'), 'a');
const dockerd = spawn(
  'dockerd',
  [
    ...['--data-root', inside('data'), '--exec-root', inside('exec'), '--pidfile', inside('docker.pid')],
    ...['--host', `unix://${inside('docker.sock')}`, '--config-file', inside('none.json')],
    // Firewall rules and bridges of this machine stay as they are; containers use its network or none.
    ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--shutdown-timeout=1'],
  ],
  { stdio: ['ignore', log.fd, log.fd], cwd: '/' },
);
let over = false;
dockerd.once('error', () => {
  over = true;
});
dockerd.once('exit', () => {
  over = true;
});

/** Whether a process that uses it is alive. */
async function isUsed(): Promise<boolean> {
  let used = false;
  for (const name of await readdir(inside('leases')).catch(() => [])) {
    if (isAlive(Number(name))) used = true;
    else await rm(inside(`leases/${name}`), { force: true });
  }
  return used;
}

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
  await sleep(10_000);
} else {
  const gone = new Promise((resolve) => dockerd.once('exit', resolve));
  dockerd.kill('SIGTERM');
  await Promise.race([gone, sleep(20_000)]);
  dockerd.kill('SIGKILL');
}
await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
