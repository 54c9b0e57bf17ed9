import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { chown, lstat, mkdir, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import pg from 'pg';
import type { Logger } from 'pino';
import { type Account, accountFor } from './embedded-account.ts';
import { POSTGRES_ENV, postgresBinaries } from './embedded-binaries.ts';
import { clearStaleLocks, readPostmaster, SOCKET_PORT, socketFile, stopPostmaster } from './postmaster.ts';

/** The major version inside the pinned npm package. */
const MAJOR = '18';
/** sun_path holds 104 bytes on macOS and 108 on Linux, with the closing NUL. */
const SOCKET_PATH_MAX_BYTES = 103;
const START_DEADLINE_MS = 60_000;
/** Of a crash; then it is told to end all the same. */
const RECOVERY_MS = 10_000;
const LOG_MAX_BYTES = 4 * 1024 * 1024;

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  shared_buffers: '64MB',
  max_connections: '60',
  io_method: 'sync', // no extra worker processes for a small database
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  max_wal_size: '256MB',
  client_connection_check_interval: '2s', // a backend in a long query notices that its server was killed
  log_checkpoints: 'off',
  log_timezone: 'UTC',
  timezone: 'UTC',
};

/** A real PostgreSQL that belongs to one data directory and outlives the process that started it. */
export interface EmbeddedPostgres {
  readonly connection: { host: string; port: number; user: string; database: string };
  /** Resolves when it takes connections; starts it when it is not there. */
  ensureRunning(signal?: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

interface Cluster {
  dataDir: string;
  /** PostgreSQL's own folder inside the data directory. */
  folder: string;
  native: string;
  account: Account | null;
}

/**
 * Starts the PostgreSQL of a data directory, or takes over the one that a killed server left running. Safe to call
 * from several processes at once. Throws `data_dir_unusable`, `database_version` or `database_unavailable`.
 */
export async function startEmbedded(o: {
  dataDir: string;
  log: Logger;
  signal?: AbortSignal;
  /** Replaces or adds server settings; tests turn durability off. */
  settings?: Record<string, string>;
}): Promise<EmbeddedPostgres> {
  const dataDir = await usableFolder(o.dataDir);
  const folder = path.join(dataDir, 'postgres');
  const account = await accountFor(folder);
  const cluster: Cluster = { dataDir, folder, account, native: await postgresBinaries({ dataDir, account }) };

  if (!(await exists(folder))) await initialise(cluster, o);
  await checkVersion(cluster);

  const socketDir = (await readPostmaster(folder))?.socketDir ?? socketDirFor(cluster);
  const connection = { host: socketDir, port: SOCKET_PORT, user: 'hangar', database: 'postgres' };
  const settings = { ...SETTINGS, ...o.settings };
  const stopping = new AbortController();
  let starting: Promise<void> | null = null;

  const ensureRunning = (signal?: AbortSignal): Promise<void> => {
    const until = AbortSignal.any([stopping.signal, ...(signal ? [signal] : [])]);
    starting ??= bringUp(cluster, { connection, settings, log: o.log, signal: until }).finally(() => {
      starting = null;
    });
    return starting;
  };
  await ensureRunning(o.signal);
  return {
    connection,
    ensureRunning,
    async stop() {
      stopping.abort();
      await starting?.catch(() => undefined);
      // Told to end while it recovers from a crash, PostgreSQL was seen to hang until it was forced.
      for (const end = performance.now() + RECOVERY_MS; performance.now() < end; await sleep(20))
        if ((await probe(connection)) !== 'starting') break;
      await stopPostmaster(folder);
    },
  };
}

async function usableFolder(dataDir: string): Promise<string> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    return await realpath(dataDir);
  } catch (cause) {
    throw new HangarError('data_dir_unusable', { message: `${dataDir} cannot be used as data directory.`, cause });
  }
}

const exists = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );

/**
 * How PostgreSQL is told its folder. Another user may be unable to enter the parents (a data directory of root, 0700),
 * so it gets the folder as an open descriptor instead of a path: nothing has to be opened up for that user.
 */
function folderForAccount(
  cluster: Cluster,
  folder: string,
): { argument: string; fd: number | 'ignore'; close(): void } {
  if (!cluster.account || process.platform !== 'linux')
    return { argument: folder, fd: 'ignore', close: () => undefined };
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  return { argument: '/proc/self/fd/3', fd, close: () => closeSync(fd) };
}

/** Made beside its place and renamed, so a cluster is whole or not there, and the first of two servers wins. */
async function initialise(
  cluster: Cluster,
  o: { log: Logger; signal?: AbortSignal; settings?: Record<string, string> },
): Promise<void> {
  for (const name of await readdir(cluster.dataDir)) {
    const pid = Number(/^postgres\.new-(\d+)-/.exec(name)?.[1]);
    if (pid > 0 && !(await exists(`/proc/${pid}`)))
      await rm(path.join(cluster.dataDir, name), { recursive: true, force: true });
  }
  const fresh = path.join(cluster.dataDir, `postgres.new-${process.pid}-${randomBytes(3).toString('hex')}`);
  const initdb = path.join(cluster.native, 'bin', 'initdb');
  try {
    await mkdir(fresh, { mode: 0o700 });
    if (cluster.account) await chown(fresh, cluster.account.uid, cluster.account.gid);
    const args = ['-U', 'hangar', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-instructions'];
    args.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-sync');
    await runInFolder(cluster, fresh, initdb, args, o.signal);
    await rename(fresh, cluster.folder);
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true });
    o.signal?.throwIfAborted();
    if (await exists(path.join(cluster.folder, 'PG_VERSION'))) return; // another server was first
    const reason = cause instanceof Error ? cause.message.trim().split('\n').at(-1) : String(cause);
    throw new HangarError('data_dir_unusable', {
      message: `No database can be made in ${cluster.dataDir}: ${reason}`,
      cause,
    });
  }
  if (o.settings?.fsync === 'off') return;
  // Flushing takes longer than all the rest, and nothing of a user is in there yet: it may go on beside the start.
  void runInFolder(cluster, cluster.folder, initdb, ['--sync-only']).catch((error: unknown) => {
    o.log.debug({ err: error }, 'the new database could not be flushed to disk');
  });
}

async function runInFolder(
  cluster: Cluster,
  folder: string,
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const place = folderForAccount(cluster, folder);
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn(program, ['-D', place.argument, ...args], {
        ...cluster.account,
        cwd: '/',
        env: POSTGRES_ENV,
        stdio: ['ignore', 'ignore', 'pipe', place.fd],
        timeout: START_DEADLINE_MS,
        ...(signal ? { signal } : {}),
      });
      let stderr = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        stderr = (stderr + text).slice(-8_192);
      });
      child.on('error', reject);
      child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(stderr || `initdb ended with ${code}`))));
    });
  } finally {
    place.close();
  }
}

async function checkVersion(cluster: Cluster): Promise<void> {
  let found: string;
  try {
    found = (await readFile(path.join(cluster.folder, 'PG_VERSION'), 'utf8')).trim();
    const owner = (await stat(cluster.folder)).uid;
    const expected = cluster.account?.uid ?? process.getuid?.();
    if (expected !== undefined && owner !== expected) throw new Error(`it belongs to user ${owner}`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HangarError('data_dir_unusable', { message: `${cluster.folder} cannot be used: ${reason}`, cause });
  }
  if (found === MAJOR) return;
  throw new HangarError('database_version', {
    message: `${cluster.folder} was made by PostgreSQL ${found}; this Hangar brings PostgreSQL ${MAJOR}.`,
    wayOut: 'Start the Hangar version that made it, or set HANGAR_DATA_DIR to a new folder.',
  });
}

/** In the cluster's own folder, which only its user can enter; where that path is too long for a socket, in /tmp. */
function socketDirFor(cluster: Cluster): string {
  if (Buffer.byteLength(socketFile(cluster.folder)) <= SOCKET_PATH_MAX_BYTES) return cluster.folder;
  const id = createHash('sha256').update(cluster.folder).digest('hex').slice(0, 16);
  const short = path.join(tmpdir(), `hangar-${id}`);
  return Buffer.byteLength(socketFile(short)) <= SOCKET_PATH_MAX_BYTES ? short : path.join('/tmp', `hangar-${id}`);
}

async function prepareSocketDir(cluster: Cluster, socketDir: string): Promise<void> {
  if (socketDir === cluster.folder) return;
  const uid = cluster.account?.uid ?? process.getuid?.();
  const made = await mkdir(socketDir, { mode: 0o700 }).then(
    () => true,
    () => false,
  );
  if (made && cluster.account) await chown(socketDir, cluster.account.uid, cluster.account.gid);
  const found = await lstat(socketDir);
  // Anyone may write to the parent: a folder that somebody else made there is not trusted.
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new HangarError('data_dir_unusable', {
      message: `${socketDir}, where the socket of the database goes, belongs to another user.`,
      wayOut: 'Remove that folder, or set HANGAR_DATA_DIR to a shorter path.',
    });
  }
}

/** Adopts, waits for, or starts the server of a cluster. PostgreSQL itself arbitrates: only one start can succeed. */
async function bringUp(
  cluster: Cluster,
  o: {
    connection: EmbeddedPostgres['connection'];
    settings: Readonly<Record<string, string>>;
    log: Logger;
    signal: AbortSignal;
  },
): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS;
  const logFile = path.join(cluster.dataDir, 'postgres.log');
  let child: Launched | null = null;
  for (let starts = 0; ; ) {
    if (o.signal.aborted) child?.stop();
    o.signal.throwIfAborted();
    const state = await probe(o.connection);
    if (state === 'ready') {
      o.log.debug({ adopted: starts === 0 }, 'the built-in PostgreSQL is ready');
      return;
    }
    if (performance.now() > deadline) {
      throw new HangarError('database_unavailable', {
        message: `The built-in PostgreSQL does not start: ${await lastLine(logFile)}`,
        wayOut: `See ${logFile}.`,
      });
    }
    if (state === 'down' && (child === null || child.exited)) {
      // After a kill, orphans of the old server hold the folder until they notice: try again until they are gone.
      if (starts > 0) await sleep(100);
      await prepareSocketDir(cluster, o.connection.host);
      await keepShort(logFile);
      await clearStaleLocks(cluster.folder, o.connection.host);
      child = launch(cluster, { socketDir: o.connection.host, settings: o.settings, logFile });
      starts += 1;
      if (starts % 20 === 0) o.log.warn({ reason: await lastLine(logFile) }, 'the built-in PostgreSQL does not start');
    }
    await sleep(10);
  }
}

interface Launched {
  exited: boolean;
  stop(): void;
}

function launch(
  cluster: Cluster,
  o: { socketDir: string; settings: Readonly<Record<string, string>>; logFile: string },
): Launched {
  const place = folderForAccount(cluster, cluster.folder);
  const log = openSync(o.logFile, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600);
  const socketDir = o.socketDir === cluster.folder ? '.' : o.socketDir; // relative: it may not be able to enter the path
  const settings = Object.entries(o.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  try {
    // Its own session: Ctrl-C in the terminal must reach the server first, which then stops PostgreSQL.
    const child = spawn(
      path.join(cluster.native, 'bin', 'postgres'),
      ['-D', place.argument, '-k', socketDir, ...settings],
      { ...cluster.account, cwd: '/', env: POSTGRES_ENV, detached: true, stdio: ['ignore', log, log, place.fd] },
    );
    const launched: Launched = { exited: false, stop: () => child.kill('SIGINT') };
    const ended = (): void => {
      launched.exited = true;
    };
    child.on('exit', ended).on('error', ended).unref();
    return launched;
  } finally {
    closeSync(log);
    place.close();
  }
}

async function probe(connection: pg.ClientConfig): Promise<'ready' | 'starting' | 'down'> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return 'ready';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'down';
    return code === '53300' ? 'ready' : 'starting'; // 53300: all connections are taken, so it is there
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function keepShort(logFile: string): Promise<void> {
  const size = (await lstat(logFile).catch(() => null))?.size ?? 0;
  if (size > LOG_MAX_BYTES) await rename(logFile, `${logFile}.1`);
}

async function lastLine(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  return text.trim().split('\n').at(-1) ?? '';
}
