import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimDataDir } from './embedded/claim.ts';
import type { EmbeddedPostgres } from './embedded/embedded.ts';
import { waitForServer } from './external.ts';
import { isForeignKeyViolation, isUniqueViolation, openDatabase, settingsStore, sqlState } from './index.ts';
import { LOCKS } from './locks.ts';
import { createTestDatabase } from './testing/index.ts';

const log = pino({ level: 'silent' });

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.drop();
});

/** Ends the sessions of an application of this test's database, as a restart of the database would. */
async function cutOff(application: string): Promise<number> {
  const { rowCount } = await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = $1 and datname = current_database() and pid <> pg_backend_pid()`,
    [application],
  );
  return rowCount ?? 0;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; !(await condition()); await sleep(10)) {
    if (performance.now() > deadline) throw new Error('waited in vain');
  }
}

test('settings are kept, and getOrSet answers everyone alike', async () => {
  const settings = settingsStore(database.db);
  expect(await settings.get('canary')).toBeUndefined();
  await settings.set('canary', { a: 1 });
  await settings.set('canary', 'text');
  expect(await settings.get('canary')).toBe('text');
  const answers = await Promise.all([1, 2, 3, 4].map((n) => settings.getOrSet('id', `i${n}`)));
  expect(new Set(answers).size).toBe(1);
  await database.db.transaction(async (tx) => settingsStore(tx).set('in', { transaction: true }));
  expect(await settings.get('in')).toEqual({ transaction: true });
});

test('each test database is its own', async () => {
  const other = await createTestDatabase();
  await settingsStore(other.db).set('only', 'there');
  expect(await settingsStore(database.db).get('only')).toBeUndefined();
  await other.drop();
});

test('errors of the database are told apart by code and constraint', async () => {
  await database.pool.query('create table parent (id int constraint parent_id primary key)');
  await database.pool.query('create table child (parent_id int constraint child_parent references parent (id))');
  await database.pool.query('insert into parent values (1)');
  const twice = await database.db.execute(sql`insert into parent values (1)`).catch((error: unknown) => error);
  expect(isUniqueViolation(twice)).toBe(true);
  expect(isUniqueViolation(twice, 'parent_id')).toBe(true);
  expect(isUniqueViolation(twice, 'child_parent')).toBe(false);
  const orphan = await database.pool.query('insert into child values (2)').catch((error: unknown) => error);
  expect(isForeignKeyViolation(orphan, 'child_parent')).toBe(true);
  expect(isUniqueViolation(orphan)).toBe(false);
  expect(sqlState(new Error('other'))).toBeNull();
});

test('a connection lost in the middle of a transaction fails that transaction only', async () => {
  const transaction = database.db.transaction(async (tx) => {
    await tx.execute(sql`select 1`);
    expect(await cutOff('hangar')).toBeGreaterThan(0);
    await sleep(50);
    await tx.execute(sql`select 1`);
  });
  await expect(transaction).rejects.toThrow();
  expect((await database.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

describe('listening', () => {
  test('messages arrive, and after a lost connection the listener is told to catch up', async () => {
    const heard: string[] = [];
    let reconnects = 0;
    const one = await database.listen(
      'one',
      (payload) => heard.push(`one ${payload}`),
      () => (reconnects += 1),
    );
    const two = await database.listen('Two "x"', (payload) => heard.push(`two ${payload}`));
    const also = await database.listen('one', (payload) => heard.push(`also ${payload}`));
    await database.pool.query(`select pg_notify('one', 'a'), pg_notify('Two "x"', 'b')`);
    await until(() => heard.length === 3);
    expect(heard.toSorted()).toEqual(['also a', 'one a', 'two b']);

    await also.close();
    expect(await cutOff('hangar-listen')).toBe(1);
    await until(() => reconnects === 1);
    await database.pool.query(`select pg_notify('one', 'c'), pg_notify('Two "x"', 'd')`);
    await until(() => heard.length === 5);
    expect(heard.slice(3).toSorted()).toEqual(['one c', 'two d']);

    await one.close();
    await database.pool.query(`select pg_notify('one', 'e'), pg_notify('Two "x"', 'f')`);
    await until(() => heard.length === 6);
    expect(heard.at(-1)).toBe('two f');
    await two.close();
  });

  test('a listener that throws disturbs no other', async () => {
    const heard: string[] = [];
    const bad = await database.listen('shared', () => {
      throw new Error('bad listener');
    });
    const good = await database.listen('shared', (payload) => heard.push(payload));
    await database.pool.query(`select pg_notify('shared', 'a')`);
    await until(() => heard.length === 1);
    await Promise.all([bad.close(), good.close()]);
  });
});

describe('by URL', () => {
  test('several servers open an empty database at once', async () => {
    const admin = await createTestDatabase();
    await admin.pool.query('create database empty_one');
    const url = admin.url.replace(/\/[^/]+$/, '/empty_one');
    const servers = await Promise.all([1, 2, 3].map(() => openDatabase({ url, dataDir: '', log })));
    for (const server of servers) expect(await settingsStore(server.db).get('x')).toBeUndefined();
    const applied = await servers[0]?.pool.query('select count(*)::int as n from drizzle.__drizzle_migrations');
    expect(applied?.rows[0].n).toBeGreaterThan(0);
    await Promise.all(servers.map((server) => server.close()));
    await admin.pool.query('drop database empty_one with (force)');
    await admin.drop();
  });

  test('tables that are not ours: refused, and the message says why', async () => {
    const other = await createTestDatabase();
    await other.pool.query('drop schema drizzle cascade');
    await expect(openDatabase({ url: other.url, dataDir: '', log })).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringContaining('already exists'),
      wayOut: expect.stringContaining('new database'),
    });
    await other.drop();
  });

  test('not a URL, nobody there, wrong database', async () => {
    await expect(waitForServer({ url: 'mysql://x', log })).rejects.toMatchObject({ code: 'config_invalid' });
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as { port: number };
    closed.close();
    const nobody = waitForServer({ url: `postgresql://u:secret@127.0.0.1:${port}/x`, log, deadlineMs: 50 });
    await expect(nobody).rejects.toMatchObject({ code: 'database_unavailable' });
    await expect(nobody).rejects.not.toMatchObject({ message: expect.stringContaining('secret') });
    const missing = database.url.replace(/\/[^/]+$/, '/there_is_no_such');
    await expect(waitForServer({ url: missing, log })).rejects.toMatchObject({ code: 'database_unavailable' });
  });

  test('too old a PostgreSQL', async () => {
    const server = createServer(speakPostgres14).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await expect(waitForServer({ url: `postgresql://u@127.0.0.1:${port}/x`, log })).rejects.toMatchObject({
      code: 'database_version',
      message: expect.stringContaining('14.9'),
    });
    server.close();
  });
});

/** As much of the wire protocol as it takes to answer the question for the version. */
function speakPostgres14(socket: Socket): void {
  const frame = (type: string, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const int = (value: number, bytes: 2 | 4): Buffer => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const column = (name: string): Buffer =>
    Buffer.concat([Buffer.from(`${name}\0`), int(0, 4), int(0, 2), int(25, 4), int(-1, 2), int(-1, 4), int(0, 2)]);
  const value = (text: string): Buffer => Buffer.concat([int(text.length, 4), Buffer.from(text)]);
  const ready = frame('Z', Buffer.from('I'));
  socket.once('data', () => {
    socket.write(Buffer.concat([frame('R', int(0, 4)), ready]));
    socket.once('data', () => {
      const rows = [
        frame('T', int(2, 2), column('number'), column('name')),
        frame('D', int(2, 2), value('140009'), value('14.9')),
        frame('C', Buffer.from('SELECT 1\0')),
      ];
      socket.write(Buffer.concat([...rows, ready]));
    });
  });
  socket.on('error', () => undefined);
}

test('a server that lost its data directory to another one learns of it', async () => {
  const at = new pg.Client({ connectionString: database.url });
  const connection = { host: at.host, port: at.port, user: at.user ?? '', database: at.database ?? '' };
  const embedded: EmbeddedPostgres = { connection, ensureRunning: async () => undefined, stop: async () => undefined };
  const takenOver = Promise.withResolvers<void>();
  const claim = await claimDataDir({ embedded, log, onTakenOver: takenOver.resolve });
  const notYet = claimDataDir({ embedded, log, onTakenOver: () => undefined });
  await expect(notYet).rejects.toMatchObject({ code: 'data_dir_in_use' });

  await at.connect();
  const next = at.query('select pg_advisory_lock($1, $2)', [...LOCKS.dataDir]);
  await until(async () => {
    const { rows } = await database.pool.query(`select 1 from pg_locks where locktype = 'advisory' and not granted`);
    return rows.length > 0;
  });
  expect(await cutOff('hangar-server')).toBe(1);
  await next;
  await takenOver.promise;
  await at.end();
  await claim.release();
});
