import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, chown, lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../index.ts';
import { readPostmaster, stopPostmaster } from './postmaster.ts';

const log = pino({ level: 'silent' });

// mkdtemp makes folders that only their owner can enter: as root, PostgreSQL's user cannot reach this path.
let dataDir: string;
let children: ChildProcess[];
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'hangar-embedded-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await stopPostmaster(path.join(dataDir, 'postgres'), 5_000);
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

interface Server {
  child: ChildProcess;
  answer: { open: boolean; code?: string; started?: string };
}

/** A process of its own that opens the data directory; resolves with the first line it says. */
async function startServer(folder = dataDir, account: { uid?: number; gid?: number } = {}): Promise<Server> {
  const program = path.join(import.meta.dirname, '../testing', 'open-and-wait.ts');
  const child = spawn(process.execPath, [program, folder], { ...account, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) return { child, answer: JSON.parse(line) };
  throw new Error('the server process said nothing');
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

const cluster = (): string => path.join(dataDir, 'postgres');
const postmasterPid = async (): Promise<number> => (await readPostmaster(cluster()))?.pid ?? 0;

async function countRows(database: Database): Promise<number> {
  await database.pool.query('create table if not exists kept (n int)');
  await database.pool.query('insert into kept values (1)');
  return Number((await database.pool.query('select count(*) from kept')).rows[0].count);
}

describe('a server that is killed', () => {
  test('leaves its PostgreSQL running, and the next server takes it over', async () => {
    const first = await startServer();
    expect(first.answer.open).toBe(true);
    await end(first.child, 'SIGKILL');
    const second = await startServer();
    expect(second.answer).toEqual(first.answer);
  });

  test('together with its PostgreSQL: the next server recovers every committed row', async () => {
    for (let round = 1; round <= 3; round += 1) {
      const server = await startServer();
      expect(server.answer.open).toBe(true);
      const client = new pg.Client({ host: cluster(), user: 'hangar', database: 'postgres' });
      client.on('error', () => undefined);
      await client.connect();
      await client.query('create table if not exists kept (n int)');
      await client.query('insert into kept values (1)');
      expect((await client.query('select count(*)::int as n from kept')).rows[0].n).toBe(round);
      void client.query('select pg_sleep(60)').catch(() => undefined); // an orphan that is busy
      process.kill(await postmasterPid(), 'SIGKILL');
      await end(server.child, 'SIGKILL');
      await client.end().catch(() => undefined);
    }
  });

  test('and one that is told to stop ends its PostgreSQL', async () => {
    const { child } = await startServer();
    const pid = await postmasterPid();
    await end(child, 'SIGINT');
    expect(() => process.kill(pid, 0)).toThrow();
    expect(await readPostmaster(cluster())).toBeNull();
  });
});

describe('two servers on one data directory', () => {
  test('the second is refused and the first goes on', async () => {
    const database = await openDatabase({ dataDir, log });
    await expect(openDatabase({ dataDir, log })).rejects.toMatchObject({ code: 'data_dir_in_use' });
    expect((await startServer()).answer).toMatchObject({ open: false, code: 'data_dir_in_use' });
    expect(await countRows(database)).toBe(1);
    await database.close();
  });

  test('started at once on a new folder, exactly one gets it', async () => {
    const servers = await Promise.all([startServer(), startServer(), startServer()]);
    expect(servers.filter((server) => server.answer.open)).toHaveLength(1);
    for (const { answer } of servers) expect(answer.open || answer.code === 'data_dir_in_use').toBe(true);
  });
});

describe('a PostgreSQL that dies', () => {
  test('is started again, and the pool and the listeners go on', async () => {
    const database = await openDatabase({ dataDir, log });
    const heard: string[] = [];
    const reconnected = Promise.withResolvers<void>();
    await database.listen('news', (payload) => heard.push(payload), reconnected.resolve);
    await countRows(database);
    const begun = Promise.withResolvers<void>();
    const transaction = database.db.transaction(async (tx) => {
      await tx.execute(sql`select 1`);
      begun.resolve();
      await reconnected.promise;
      await tx.execute(sql`select 1`);
    });
    const outcome = transaction.then(
      () => 'done',
      () => 'lost',
    );
    await begun.promise;

    process.kill(await postmasterPid(), 'SIGKILL');

    await reconnected.promise;
    expect(await outcome).toBe('lost');
    const rows = await untilItWorks(() => countRows(database));
    expect(rows).toBe(2);
    await database.pool.query(`select pg_notify('news', 'again')`);
    await untilItWorks(async () => expect(heard).toEqual(['again']));
    await expect(openDatabase({ dataDir, log })).rejects.toMatchObject({ code: 'data_dir_in_use' });
    await database.close();
  });
});

async function untilItWorks<T>(attempt: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + 20_000; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

describe('where the data directory is', () => {
  test('a path too long for a socket works, and is adopted too', async () => {
    const long = path.join(dataDir, 'a'.repeat(60), 'b'.repeat(60));
    await symlink(path.join(long, 'postgres'), cluster()); // for the clean-up
    const first = await startServer(long);
    expect(first.answer.open).toBe(true);
    const socketDir = (await readPostmaster(cluster()))?.socketDir ?? '';
    expect((await lstat(socketDir)).mode & 0o777).toBe(0o700);
    await end(first.child, 'SIGKILL');
    const second = await startServer(long);
    expect(second.answer).toEqual(first.answer);
    await end(second.child, 'SIGINT');
    await rm(socketDir, { recursive: true });
  });

  test.skipIf(process.getuid?.() !== 0)('root below a folder of its own; nothing is opened up for others', async () => {
    const folder = path.join(dataDir, 'data');
    await symlink(path.join(folder, 'postgres'), cluster());
    const database = await openDatabase({ dataDir: folder, log });
    expect(await countRows(database)).toBe(1);
    await database.close();
    for (const file of [dataDir, folder, path.join(folder, 'postgres')])
      expect((await lstat(file)).mode & 0o777).toBe(0o700);
    expect((await lstat(path.join(folder, 'postgres'))).uid).not.toBe(0);
  });

  test.skipIf(process.getuid?.() !== 0)('an ordinary user, and later root on the same folder', async () => {
    const account = { uid: 65_534, gid: 65_534 };
    await chmod(dataDir, 0o777);
    const folder = path.join(dataDir, 'data');
    await symlink(path.join(folder, 'postgres'), cluster());
    const server = await startServer(folder, account);
    expect(server.answer.open).toBe(true);
    await end(server.child, 'SIGINT');
    const database = await openDatabase({ dataDir: folder, log });
    expect(await countRows(database)).toBe(1);
    expect((await lstat(path.join(folder, 'postgres'))).uid).toBe(account.uid);
    await database.close();
  });

  test('made by another major version: refused with what to do', async () => {
    await mkdir(cluster(), { mode: 0o700 });
    await writeFile(path.join(cluster(), 'PG_VERSION'), '17\n');
    if (process.getuid?.() === 0) await chown(cluster(), 65_534, 65_534);
    await expect(openDatabase({ dataDir, log })).rejects.toMatchObject({
      code: 'database_version',
      message: expect.stringContaining('PostgreSQL 17'),
    });
  });

  test('a file: refused', async () => {
    const file = path.join(dataDir, 'file');
    await writeFile(file, '');
    await expect(openDatabase({ dataDir: file, log })).rejects.toMatchObject({ code: 'data_dir_unusable' });
  });
});

test('a lock file whose pid now belongs to a stranger does not keep PostgreSQL from starting', async () => {
  const first = await startServer();
  const text = await readFile(path.join(cluster(), 'postmaster.pid'), 'utf8');
  const socketLock = path.join(cluster(), '.s.PGSQL.5432.lock');
  const pid = await postmasterPid();
  process.kill(pid, 'SIGKILL');
  await end(first.child, 'SIGKILL');
  const stranger = (content: string): string => content.replace(String(pid), String(process.ppid));
  await writeFile(path.join(cluster(), 'postmaster.pid'), stranger(text));
  await writeFile(socketLock, stranger(await readFile(socketLock, 'utf8')));

  const database = await openDatabase({ dataDir, log });
  await database.close();
});

test('a start that is called off leaves no PostgreSQL behind', async () => {
  const abort = new AbortController();
  const opening = openDatabase({ dataDir, log, signal: abort.signal });
  let pid = await postmasterPid();
  for (const deadline = performance.now() + 20_000; pid <= 0 && performance.now() < deadline; ) {
    await sleep(5);
    pid = await postmasterPid();
  }
  expect(pid).toBeGreaterThan(0);
  // Nothing is waited for between these: it may be over at once.
  abort.abort();
  await opening.then((database) => database.close()).catch(() => undefined);
  await untilItWorks(async () => expect(() => process.kill(pid, 0)).toThrow());
});
