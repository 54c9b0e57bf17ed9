// Makes a checkout ready: packages as the lockfile says, then the bundle of the command line. `node bin/setup.mjs`.
// Runs on Node 20.20 and on nothing but Node and npm. Two at once: the second waits for the first.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.hangar-packages');
const bundle = join(root, 'apps/cli/dist/main.mjs');
const lock = join(root, '.hangar/setup.lock');
const WAIT_MS = 20 * 60_000;

const say = (text) => process.stderr.write(`hangar: ${text}\n`);
const fail = (what, wayOut) => {
  say(what);
  say(wayOut);
  process.exit(4);
};

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 20))
  fail(`Node.js ${process.versions.node} is too old.`, 'Install Node.js 20.20 or newer.');

takeLock();
try {
  if (!packagesFit()) {
    install();
    writeStamp();
  }
  if (!bundleFits()) build();
} finally {
  rmSync(lock, { force: true });
}

function takeLock() {
  const deadline = Date.now() + WAIT_MS;
  let said = false;
  for (;;) {
    try {
      mkdirSync(dirname(lock), { recursive: true });
      const file = openSync(lock, 'wx');
      writeSync(file, `${process.pid}\n`);
      closeSync(file);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
        process.on(signal, () => {
          rmSync(lock, { force: true });
          process.exit(130);
        });
      return;
    } catch (error) {
      if (error.code === 'EACCES' || error.code === 'EROFS' || error.code === 'EPERM')
        fail(
          `This checkout is not set up, and this user may not write to ${root}.`,
          'Run bin/hangar once as the user who owns it.',
        );
      if (error.code !== 'EEXIST') throw error;
    }
    if (holderIsGone()) {
      rmSync(lock, { force: true });
      continue;
    }
    if (Date.now() > deadline)
      fail('Another set-up of this checkout does not end.', `When none runs, remove ${lock} and try again.`);
    if (!said) say('waiting for another set-up of this checkout');
    said = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  }
}

function holderIsGone() {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    // Just made, not yet written.
    if (!pid) return Date.now() - statSync(lock).mtimeMs > 5000;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function wanted() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function writeStamp() {
  mkdirSync(modules, { recursive: true });
  writeFileSync(stamp, `${wanted()}\n`);
}

/** Whether what npm says it installed is what the lockfile asks for; then nothing is installed, also when a date differs. */
function packagesFit() {
  const hash = wanted();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === hash) {
    writeStamp();
    return true;
  }
  const installed = join(modules, '.package-lock.json');
  if (!existsSync(installed)) return false;
  const there = JSON.parse(readFileSync(installed, 'utf8')).packages ?? {};
  const asked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages ?? {};
  for (const [path, entry] of Object.entries(asked)) {
    if (!path.startsWith('node_modules/') || entry.link || entry.optional || entry.peer) continue;
    if (there[path]?.version !== entry.version) return false;
  }
  writeStamp();
  return true;
}

function install() {
  const started = Date.now();
  // In place when there is something already: other commands may be running from it.
  const args = existsSync(join(modules, '.package-lock.json')) ? ['install'] : ['ci'];
  say(`installing packages (npm ${args[0]}), about a minute`);
  const result = spawnSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, NODE_ENV: 'development' },
  });
  if (result.error?.code === 'ENOENT') fail('npm was not found.', 'Install npm, then run this again.');
  if (result.status !== 0)
    fail('npm could not install the packages; see above.', 'Check the network, then run this again.');
  say(`packages are there after ${Math.round((Date.now() - started) / 1000)} s`);
}

function bundleFits() {
  if (!existsSync(bundle)) return false;
  const built = statSync(bundle).mtimeMs;
  const sources = ['apps/cli/build.mjs', 'apps/cli/src', 'packages/contract/src', 'packages/worker/src'];
  return sources.every((path) => newest(join(root, path)) <= built);
}

function newest(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return path.endsWith('.test.ts') ? 0 : found.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), found.mtimeMs);
}

function build() {
  const result = spawnSync(process.execPath, [join(root, 'apps/cli/build.mjs')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) {
    say('the command line could not be built; see above');
    process.exit(1);
  }
}
