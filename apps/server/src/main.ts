import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { HangarError, VERSION } from '@hangar/contract';
import { pino } from 'pino';
import { backUp } from './backup/backup.ts';
import { restore } from './backup/restore.ts';
import { openBlobs } from './blobs.ts';
import { STOP_MS, startServer } from './compose.ts';
import { type Config, readConfig } from './config.ts';
import { askServer, serveControl, socketFolder } from './control.ts';
import type { BuiltFiles } from './drivers.ts';
import { withSecrets } from './features/profiles/index.ts';
import { jsonOn, textOn } from './log-out.ts';
import { rotateKey, withAccess } from './on-this-machine.ts';
import { openSecretStore } from './secret-store.ts';
import { throughLosses } from './start-again.ts';

/** Of the built-in database alone; what is left then is found again at the next start. */
const LAST_MS = 60_000;
/** How long a command waits for a server that may just be starting on this data directory. */
const ASK_MS = 30_000;

async function main(command: string | undefined, words: string[]): Promise<void> {
  const config = readConfig(process.env);
  if (command === 'start') return start(config);
  if (command === 'admin-key') return tell(config, 'admin-key', 'key');
  if (command === 'sign-in-link') return tell(config, 'sign-in-link', 'url');
  if (command === 'backup') return makeBackup(config, words);
  if (command === 'restore') return restoreBackup(config, words);
  if (command === 'rotate-key') return rotate(config, words);
  throw new HangarError('usage', {
    message: `There is no command ${command ?? ''}.`,
    wayOut: 'Use start, admin-key, sign-in-link, backup, restore or rotate-key.',
  });
}

/** Beside the server that may be running, in a process of its own: it reads the same database and the same files. */
async function makeBackup(config: Config, words: string[]): Promise<void> {
  const { file, json, force } = fileWords('backup', words, 'force');
  const { say, end } = progress();
  const log = pino({ level: 'silent' });
  const done = await backUp({
    ...{ file, force, say, signal: untilSignal(), log },
    databaseUrl: config.databaseUrl,
    dataDir: config.dataDir,
    blobs: await blobsAndSecrets(config),
  }).finally(end);
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...done, masterKeyFile: config.masterKeyFile })}\n`);
    return;
  }
  const mib = (done.sizeBytes / 1024 ** 2).toFixed(1);
  process.stdout.write(`Backed up ${done.jobs} jobs, ${done.files} files: ${file}, ${mib} MiB\n`);
  process.stdout.write(`The master key is not in it. Keep a copy of ${config.masterKeyFile} at another place.\n`);
  if (done.damagedFiles === 0) return;
  process.stderr.write(`warning: ${done.damagedFiles} files of the server were damaged before:\n`);
  for (const words of done.damaged) process.stderr.write(`  ${words}\n`);
}

/** What a backup copies and a restore brings back beside the rows; the secrets of profiles sealed, wherever they are kept. */
async function blobsAndSecrets(config: Config) {
  const log = pino({ level: 'silent' });
  const blobs = await openBlobs(config.blobs, log, config.proxies);
  return withSecrets(blobs, openSecretStore({ config, blobs, log }));
}

async function restoreBackup(config: Config, words: string[]): Promise<void> {
  const { file, json, force } = fileWords('restore', words, 'replace');
  const { say, end } = progress();
  const log = pino({ level: 'silent' });
  const done = await restore({
    ...{ file, replace: force, say, signal: untilSignal(), log },
    databaseUrl: config.databaseUrl,
    dataDir: config.dataDir,
    masterKeyFile: config.masterKeyFile,
    openBlobs: () => blobsAndSecrets(config),
  }).finally(end);
  if (json) {
    process.stdout.write(`${JSON.stringify(done)}\n`);
    return;
  }
  process.stdout.write(`Restored ${done.jobs} jobs, ${done.files} files, as they were at ${done.madeAt}.\n`);
  if (done.lost > 0) process.stdout.write(`Jobs that were running then end as lost: ${done.lost}.\n`);
  if (done.queued > 0) process.stdout.write(`Jobs that waited then run once the server starts: ${done.queued}.\n`);
  process.stdout.write('Start the server: hangar server start\n');
}

async function rotate(config: Config, words: string[]): Promise<void> {
  const { json, forget } = rotationWords(words);
  const { say, end } = progress();
  const log = pino({ level: 'silent' });
  const done = await rotateKey(config, { forget, say, signal: untilSignal('run it again to go on.'), log }).finally(
    end,
  );
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...done, masterKeyFile: config.masterKeyFile })}\n`);
    return;
  }
  const file = config.masterKeyFile;
  if (done.prepared) {
    process.stdout.write(`The new key ${done.keyId} is in ${file} and not used yet.\n`);
    process.stdout.write('Copy the file to every server, then run this again: hangar server rotate-key\n');
    return;
  }
  if (forget) {
    process.stdout.write(
      `Taken out of ${file}: ${done.forgotten.join(', ') || 'nothing'}. Backups made before need them.\n`,
    );
    return;
  }
  process.stdout.write(`The key ${done.keyId} is the active one; ${done.resealed} values were sealed anew.\n`);
  process.stdout.write(`Keep a copy of ${file} at another place; other servers need it too.\n`);
  process.stdout.write(
    'The old key stays in it for backups made before: hangar server rotate-key --forget takes it out.\n',
  );
  for (const what of done.unreadable) process.stderr.write(`warning: no key opens ${what}; it was left as it is\n`);
}

function rotationWords(words: string[]): { json: boolean; forget: boolean } {
  try {
    const { values } = parseArgs({ args: words, options: { forget: { type: 'boolean' }, json: { type: 'boolean' } } });
    return { json: values.json === true, forget: values.forget === true };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new HangarError('usage', { message, wayOut: 'Write: hangar server rotate-key [--forget] [--json]' });
  }
}

function fileWords(command: string, words: string[], flag: 'force' | 'replace') {
  const wayOut = `Write: hangar server ${command} FILE [--${flag}] [--json]`;
  try {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: { [flag]: { type: 'boolean' }, json: { type: 'boolean' } },
    });
    const [file, ...more] = positionals;
    if (file === undefined || file === '' || more.length > 0)
      throw new HangarError('usage', { message: 'One file is needed.', wayOut });
    return { file: resolve(file), json: values.json === true, force: values[flag] === true };
  } catch (error) {
    if (error instanceof HangarError) throw error;
    throw new HangarError('usage', { message: error instanceof Error ? error.message : String(error), wayOut });
  }
}

/** What is being done, on stderr: one line that changes on a terminal, a line now and then elsewhere. */
function progress(): { say: (words: string) => void; end: () => void } {
  const { isTTY } = process.stderr;
  const everyMs = isTTY ? 100 : 2_000;
  let last = 0;
  return {
    say(words) {
      if (Date.now() - last < everyMs) return;
      last = Date.now();
      process.stderr.write(isTTY ? `\r\u001b[K${words}` : `${words}\n`);
    },
    end() {
      if (isTTY) process.stderr.write('\r\u001b[K');
    },
  };
}

/** Aborts at the first signal, so that what was begun is taken back; the second one ends at once. */
function untilSignal(left = 'nothing is left behind.'): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(130);
      stopping.abort(new HangarError('usage', { message: `Stopped by ${signal}; ${left}`, wayOut: '' }));
    });
  }
  return stopping.signal;
}

async function start(config: Config): Promise<void> {
  // A terminal that was closed, a pipe whose reader ended, a full disk: the server has other things to do.
  for (const out of [process.stdout, process.stderr]) out.on('error', () => undefined);
  const log = pino(
    {
      level: config.logLevel,
      redact: ['req.headers.authorization', 'req.headers.cookie', '*.token', '*.password', '*.value'],
    },
    config.logFormat === 'text' || (config.logFormat === 'auto' && process.stderr.isTTY)
      ? textOn(process.stderr)
      : jsonOn(2),
  );
  const starting = new AbortController();
  let stop: ((signal: string) => Promise<void>) | null = null;
  // One handler from the first moment: a signal between "ready" and the next line must not be lost.
  const onSignal = (signal: string) => {
    if (starting.signal.aborted) process.exit(130);
    starting.abort(new Error(`${signal} while starting`));
    void stop?.(signal);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  process.on('SIGHUP', () => log.debug('SIGHUP does nothing'));

  const server = await throughLosses(() => startServer({ config, files: builtFiles(), log, signal: starting.signal }), {
    log,
    signal: starting.signal,
  });
  const control = await serveControl(socketFolder(config.dataDir), {
    'admin-key': server.adminKey,
    'sign-in-link': server.signInLink,
  });
  stop = async (signal) => {
    log.info({ signal }, 'stopping');
    control.close();
    setTimeout(() => process.exit(1), config.drainSeconds * 1000 + STOP_MS + LAST_MS).unref();
    await server
      .close(AbortSignal.timeout(config.drainSeconds * 1000 + STOP_MS))
      .catch((error: unknown) => log.error({ err: error }, 'stopped with an error'));
    process.exit(0);
  };
  if (starting.signal.aborted) return stop('a signal while starting');

  process.stdout.write(`Hangar ${VERSION} at ${server.url}\n`);
  process.stdout.write(`Data in ${config.dataDir}\n`);
  if (server.firstSignInLink !== null) {
    process.stdout.write(`Sign in (once, within 24 hours): ${server.firstSignInLink}\n`);
  }
  process.stdout.write('Ready. Ctrl-C stops it; jobs go on and are picked up again.\n');
}

/** Asks the running server; without one it opens the database itself, after a moment in case one is just starting. */
async function tell(config: Config, verb: string, field: string): Promise<void> {
  const deadline = Date.now() + ASK_MS;
  const patienceUntil = Date.now() + 4_000;
  for (;;) {
    const answer = await askServer(config.dataDir, verb, AbortSignal.timeout(5_000));
    if (answer !== null) return print(answer, field);
    if (Date.now() > patienceUntil) {
      try {
        return print(await withoutServer(config, verb), field);
      } catch (error) {
        if (!(error instanceof HangarError) || error.code !== 'data_dir_in_use' || Date.now() > deadline) throw error;
      }
    }
    await sleep(100);
  }
}

const withoutServer = (config: Config, verb: string): Promise<unknown> =>
  withAccess(config, pino({ level: 'silent' }), async (access) =>
    verb === 'admin-key' ? { key: await access.adminKey() } : { url: (await access.firstAdminLink()).url },
  );

function print(answer: unknown, field: string): void {
  if (typeof answer !== 'object' || answer === null || !(field in answer)) throw new HangarError('internal');
  process.stdout.write(`${(answer as Record<string, string>)[field]}\n`);
}

/** The built parts, beside this file in a bundle or in their packages in a checkout. */
function builtFiles(): BuiltFiles {
  const here = dirname(fileURLToPath(import.meta.url));
  const root = join(here, '../../..');
  const first = (...candidates: string[]) => candidates.find((candidate) => existsSync(candidate));
  const workerFile = first(join(here, 'worker.mjs'), join(root, 'packages/worker/dist/worker.mjs'));
  if (workerFile === undefined)
    throw new HangarError('config_invalid', { message: 'The worker is not built.', wayOut: 'Run: make build' });
  const webDir = first(join(here, 'web'), join(root, 'apps/web/dist')) ?? null;
  const jobTemplateFile = first(join(here, 'job-template.yaml')) ?? join(root, 'deploy/k8s/job-template.yaml');
  return { workerFile, nodeFile: process.execPath, webDir, jobTemplateFile };
}

main(process.argv[2], process.argv.slice(3)).then(
  () => undefined,
  (error: unknown) => {
    const known = error instanceof HangarError ? error : null;
    process.stderr.write(
      known
        ? `error: ${known.message}\n${known.wayOut}\n`
        : `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(known?.exitCode ?? 1);
  },
);
