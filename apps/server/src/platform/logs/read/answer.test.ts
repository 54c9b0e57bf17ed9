import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { HangarError, LogPage, LogQuery } from '@hangar/contract';
import Fastify, { type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBlobsInMemory } from '../../blobs/testing/index.ts';
import { createTestDatabase } from '../../database/testing/index.ts';
import { answerLogRequest, createLogs, type Logs } from '../index.ts';
import { batch, eventReader, follow, until } from '../testing/index.ts';

const MAX = { maxBytes: 1e9 };
const log = pino({ level: 'silent' });
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let logs: Logs;
let app: FastifyInstance;
let port: number;

beforeAll(async () => {
  database = await createTestDatabase();
  logs = createLogs({ database, blobs: createBlobsInMemory(), log });
  app = Fastify({ forceCloseConnections: true });
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-request-id', 'r1').header('cache-control', 'no-store');
  });
  app.setErrorHandler((error, _request, reply) =>
    reply.status(error instanceof HangarError ? error.status : 500).send({ message: String(error) }),
  );
  app.get('/logs/:id', (request, reply) => {
    const { id } = request.params as { id: string };
    return answerLogRequest(logs, id, LogQuery.parse(request.query), request, reply);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  port = (app.server.address() as AddressInfo).port;
  await logs.append('j_1', '1', batch(1, ['one', 'two', 'three']), MAX);
});
afterAll(async () => {
  await logs.close();
  await app.close();
  await database.drop();
});

function get(url: string, headers: Record<string, string> = {}) {
  const sending = httpRequest({ port, path: url, headers, agent: false });
  return new Promise<{ response: IncomingMessage; received: ReturnType<typeof eventReader>; stop(): void }>(
    (resolve, reject) => {
      sending.on('error', reject);
      sending.on('response', (response) => {
        const received = eventReader();
        response.setEncoding('utf8').on('data', (text: string) => received.take(text));
        response.on('error', () => undefined);
        resolve({ response, received, stop: () => sending.destroy() });
      });
      sending.end();
    },
  );
}

test('a page as JSON', async () => {
  const response = await app.inject('/logs/j_1?tail=2');
  expect(response.statusCode).toBe(200);
  const page = LogPage.parse(response.json());
  expect(page).toMatchObject({ total: 3, nextAfter: null, ended: false });
  expect(page.lines.map(({ text }) => text)).toEqual(['two', 'three']);
});

test('text and gzip as downloads', async () => {
  const plain = await app.inject('/logs/j_1?format=text');
  expect(plain.body).toBe('one\ntwo\nthree\n');
  expect(plain.headers).toMatchObject({
    'content-type': 'text/plain; charset=utf-8',
    'content-disposition': 'attachment; filename="j_1.log"',
  });
  const packed = await app.inject('/logs/j_1?format=gz');
  expect(gunzipSync(packed.rawPayload).toString()).toBe('one\ntwo\nthree\n');
  expect(packed.headers['content-disposition']).toBe('attachment; filename="j_1.log.gz"');
});

test('events for those who ask for them, live, with the headers of the app, resumed by Last-Event-ID', async () => {
  const first = await get('/logs/j_1', { accept: 'text/event-stream' });
  expect(first.response.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'x-request-id': 'r1',
  });
  await until(() => first.received.lines.length === 3);
  first.stop();
  await logs.append('j_1', '1', batch(2, ['four', 'five']), MAX);
  const resumed = await get('/logs/j_1?follow=true&after=1', { 'last-event-id': '3' });
  await until(() => resumed.received.lines.length === 2);
  await logs.end('j_1', { state: 'succeeded' });
  await until(() => resumed.response.complete);
  expect(resumed.received.lines.map(({ n }) => n)).toEqual([4, 5]);
  expect(resumed.received.ids).toEqual([5]);
  expect(resumed.received.end).toEqual({ total: 5, state: 'succeeded' });
});

test('a mistake in the query is an answer, not a broken stream', async () => {
  const { response } = await get('/logs/j_1?follow=true&since=yesterday');
  expect(response.statusCode).toBe(400);
  response.resume();
});

test('a client that goes away is forgotten, one that is slow holds little', async () => {
  const big = 'x'.repeat(60_000);
  await logs.append(
    'j_2',
    '1',
    batch(
      1,
      Array.from({ length: 200 }, () => big),
    ),
    MAX,
  );
  const memory = () => process.memoryUsage().external;
  const before = memory();
  const slow = await Promise.all(Array.from({ length: 20 }, () => get('/logs/j_2?follow=true')));
  for (const { response } of slow) response.pause();
  for (let seq = 2; seq < 30; seq += 1) {
    await logs.append(
      'j_2',
      '1',
      batch(
        seq,
        Array.from({ length: 20 }, () => big),
      ),
      MAX,
    );
  }
  expect(memory() - before).toBeLessThan(200 * 1024 * 1024);
  const [one, ...others] = slow;
  for (const other of others) other.stop();
  one?.response.resume();
  await until(() => one?.received.lines.length === 200 + 28 * 20);
  expect(one?.received.lines.map(({ n }) => n)).toEqual(Array.from({ length: 760 }, (_, index) => index + 1));
  one?.stop();
});

test('who leaves while it is looked up where to begin keeps nothing of the log alive', async () => {
  const [logId, sees] = ['j_4', 'j_5'];
  const held = Promise.withResolvers<void>();
  const asked: string[] = [];
  const query = database.pool.query.bind(database.pool);
  const slow = {
    ...database,
    pool: new Proxy(database.pool, {
      get(target, key) {
        if (key !== 'query') return Reflect.get(target, key);
        return async (...given: Parameters<typeof query>) => {
          const about = JSON.stringify(given);
          asked.push(about);
          if (about.includes(logId)) await held.promise;
          return query(...given);
        };
      },
    }),
  };
  const own = createLogs({ database: slow, blobs: createBlobsInMemory(), log });
  const server = Fastify();
  server.get('/', (request, reply) => answerLogRequest(own, logId, LogQuery.parse({ follow: 'true' }), request, reply));
  await server.listen({ port: 0, host: '127.0.0.1' });
  const sending = httpRequest({ port: (server.server.address() as AddressInfo).port, agent: false });
  sending.on('error', () => undefined).end();
  const askedAbout = (id: string) => asked.filter((about) => about.includes(id)).length;
  await until(() => askedAbout(logId) === 1);
  sending.destroy();
  await until(() => new Promise((resolve) => server.server.getConnections((_error, n) => resolve(n === 0))));
  held.resolve();

  // Once a later line of another log has come, this one was heard of, too: nobody reads it.
  const other = await follow(own, sees);
  await logs.append(logId, '1', batch(1, ['one']), MAX);
  await logs.append(sees, '1', batch(1, ['one']), MAX);
  await until(() => other.lines.length === 1);
  expect(askedAbout(logId)).toBe(1);
  await own.close();
  await server.close();
});

test('closing cuts followers off without an end, so that they come back', async () => {
  const own = createLogs({ database, blobs: createBlobsInMemory(), log });
  const server = Fastify();
  server.get('/', (request, reply) => answerLogRequest(own, 'j_3', LogQuery.parse({ follow: 'true' }), request, reply));
  await server.listen({ port: 0, host: '127.0.0.1' });
  const sending = httpRequest({ port: (server.server.address() as AddressInfo).port });
  const response = await new Promise<IncomingMessage>((resolve) => sending.on('response', resolve).end());
  const closed = new Promise((resolve) => response.on('error', resolve).on('close', resolve));
  let text = '';
  response.on('data', (bytes: Buffer) => {
    text += bytes;
  });
  await own.close();
  await closed;
  expect(text).not.toContain('event: end');
  await server.close();
});
