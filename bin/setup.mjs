// Makes a checkout ready, and does nothing that is done: `node bin/setup.mjs [packages | command | all]`.
// packages: as the lockfile says. command: and the bundle of the command line. all (when nothing is said): and worker, server and web UI.
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
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.hangar-packages');
const lock = join(root, '.hangar/setup.lock');
const WAIT_MS = 20 * 60_000;
/** Between tries to reach the registry. */
const RETRY_MS = [3_000, 10_000, 30_000];

const BUNDLES = [
  {
    what: 'the command line',
    file: 'apps/cli/dist/main.cjs',
    sources: [
      'apps/cli/build.mjs',
      'apps/cli/src',
      'packages/client/src',
      'packages/contract/src',
      'packages/worker/src',
    ],
    command: ['apps/cli/build.mjs'],
  },
  {
    what: 'the worker',
    file: 'packages/worker/dist/worker.mjs',
    sources: ['packages/worker/build.mjs', 'packages/worker/src', 'packages/contract/src'],
    command: ['packages/worker/build.mjs'],
  },
  {
    what: 'the server',
    file: 'apps/server/dist/main.mjs',
    sources: [
      'apps/server/build.mjs',
      'apps/server/src',
      'packages/contract/src',
      'packages/sandbox/src',
      'packages/worker/src/server',
    ],
    command: ['apps/server/build.mjs'],
  },
  {
    what: 'the web UI',
    file: 'apps/web/dist/index.html',
    sources: [
      'apps/web/vite.config.ts',
      'apps/web/first-paint.tsx',
      'apps/web/precompress.ts',
      'apps/web/index.html',
      'apps/web/public',
      'apps/web/src',
      'packages/client/src',
      'packages/contract/src',
    ],
    command: ['node_modules/vite/bin/vite.js', 'build', 'apps/web', '--logLevel', 'error'],
  },
];
const DEPTHS = { packages: [], command: BUNDLES.slice(0, 1), all: BUNDLES };

const say = (text) => process.stderr.write(`hangar: ${text}\n`);
const fail = (what, wayOut) => {
  say(what);
  say(wayOut);
  process.exit(4);
};

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 20))
  fail(`Node.js ${process.versions.node} is too old.`, 'Install Node.js 20.20 or newer.');

const bundles = DEPTHS[process.argv[2] ?? 'all'];
if (bundles === undefined)
  fail(`${process.argv[2]} is nothing that can be set up.`, `Use one of: ${Object.keys(DEPTHS).join(', ')}.`);

takeLock();
try {
  if (!packagesFit()) install();
  for (const bundle of bundles) if (!isFresh(bundle)) build(bundle);
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
    // A workspace that came since the packages were installed.
    if (entry.link && !existsSync(join(root, path))) return false;
    if (!path.startsWith('node_modules/') || entry.link || entry.optional || entry.peer) continue;
    if (there[path]?.version !== entry.version) return false;
  }
  writeStamp();
  return true;
}

function install() {
  const started = Date.now();
  say('installing packages, about a minute');
  // Not npm ci: it refuses a lockfile that lacks packages of other platforms, and not every registry has them all. --no-save
  // leaves the lockfile alone, and that its versions came is proved below. No package here needs its install script.
  const args = [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
  ];
  for (const waitMs of [...RETRY_MS, 0]) {
    const result = spawnSync('npm', args, {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, NODE_ENV: 'development' },
    });
    if (result.error?.code === 'ENOENT') fail('npm was not found.', 'Install npm, then run this again.');
    if (result.status === 0) break;
    if (result.signal !== null) process.exit(130);
    if (waitMs === 0) fail('npm could not install the packages; see above.', 'Check the network, then run this again.');
    say(`npm failed; trying again in ${waitMs / 1000} s`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
  }
  if (!packagesFit())
    fail('npm installed something else than the lockfile says.', 'Remove node_modules, then run this again.');
  if (!existsSync(join(modules, '.bin/node')) && (major < 22 || (major === 22 && minor < 18)))
    fail(`There is no Node package for ${process.platform} on ${process.arch}.`, 'Install Node.js 22.18 or newer.');
  say(`packages are there after ${Math.round((Date.now() - started) / 1000)} s`);
}

function isFresh({ file, sources }) {
  const built = statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs;
  // A removed file shows in the date of its folder.
  return built !== undefined && sources.every((path) => newest(join(root, path)) <= built);
}

function newest(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return path.endsWith('.test.ts') ? 0 : found.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), found.mtimeMs);
}

function build({ what, file, command }) {
  const node = join(modules, '.bin/node');
  const [script, ...args] = command;
  const result = spawnSync(existsSync(node) ? node : process.execPath, [join(root, script), ...args], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) {
    say(`${what} could not be built; see above`);
    process.exit(1);
  }
  const now = new Date();
  utimesSync(join(root, file), now, now);
}
