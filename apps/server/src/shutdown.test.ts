import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HangarServer, startServer } from './compose.ts';
import { readConfig } from './config.ts';
import { createTestDatabase } from './platform/database/testing/index.ts';

const TEMPLATE = join(import.meta.dirname, '../../../deploy/k8s/job-template.yaml');

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let folder: string;
let ends: (() => unknown)[];
beforeEach(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'hangar-stop-'));
  ends = [];
});
afterEach(async () => {
  for (const end of ends) await end();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function start(more: Record<string, string> = {}): Promise<{ server: HangarServer; key: string }> {
  const config = readConfig({
    HANGAR_DATA_DIR: folder,
    HANGAR_PORT: '0',
    HANGAR_DATABASE_URL: database.url,
    HANGAR_MASTER_KEY_FILE: join(folder, 'key'),
    HANGAR_DRIVERS: 'local',
    ...more,
  });
  const files = { workerFile: '/nowhere', nodeFile: process.execPath, webDir: null, jobTemplateFile: TEMPLATE };
  const server = await startServer({ config, files, log: pino({ level: 'silent' }) });
  return { server, key: (await server.adminKey()).key };
}

/** How long it takes to close with a deadline of half a second. */
async function closing(server: HangarServer): Promise<number> {
  const began = performance.now();
  await server.close(AbortSignal.timeout(500));
  return performance.now() - began;
}
/** The deadline, and what the last queries may take after it. */
const BOUND_MS = 15_000;

const ask = (server: HangarServer, key: string, path: string, body?: Buffer) => {
  const sent = request(`${server.url}/api${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/octet-stream' },
    agent: false,
  });
  sent.on('error', () => undefined).end(body);
  ends.push(() => sent.destroy());
  return sent;
};

test('with nothing in hand it is quick', async () => {
  const { server } = await start();
  expect(await closing(server)).toBeLessThan(5_000);
});

test('a query that is stuck holds it up no longer than its deadline', async () => {
  const { server, key } = await start();
  const client = new pg.Client(database.url);
  await client.connect();
  ends.push(() => client.end());
  await client.query('begin');
  await client.query('lock table job, log, session, person in access exclusive mode');
  ask(server, key, '/jobs');
  const stuck =
    'select 1 from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())';
  await expect.poll(async () => (await client.query(stuck)).rowCount).toBeGreaterThan(0);
  expect(await closing(server)).toBeLessThan(BOUND_MS);
});

test('followers that read nothing, and requests that never come to their end, hold it up no longer either', async () => {
  const { server, key } = await start();
  const opened = Promise.withResolvers<void>();
  ask(server, key, '/events').on('response', (response) => {
    response.pause();
    opened.resolve();
  });
  await opened.promise;
  const port = Number(new URL(server.url).port);
  const half = connect(port, '127.0.0.1', () => {
    half.write(
      `POST /api/uploads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/octet-stream\r\ncontent-length: 1000\r\n\r\nhalf`,
    );
  });
  half.on('error', () => undefined);
  ends.push(() => half.destroy());
  await sleep(200);
  expect(await closing(server)).toBeLessThan(BOUND_MS);
});

test('a blob store that never answers holds it up no longer either', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const address = silent.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const before = { ...process.env };
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
  ends.push(() => {
    process.env = before;
  });
  const { server, key } = await start({ HANGAR_BLOB_URL: `s3://bucket?endpoint=http://127.0.0.1:${port}&region=x` });
  ask(server, key, '/uploads', Buffer.from('a bundle'));
  await expect.poll(() => sockets.size, { timeout: 10_000 }).toBeGreaterThan(0);
  expect(await closing(server)).toBeLessThan(BOUND_MS);
});
