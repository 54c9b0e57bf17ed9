import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, rawOperations } from '@hangar/contract';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Database } from '../database/index.ts';
import { createApp } from '../http/app.ts';
import type { Identify, PersonIdentity } from '../http/identity.ts';
import { announcing } from './announce.ts';
import { type Live, openLive } from './live.ts';

const log = pino({ level: 'silent' });
const ADMIN: PersonIdentity = {
  kind: 'apiKey',
  actor: { userId: 'u_ada', userName: 'Ada', role: 'admin' },
  userId: 'u_ada',
  userName: 'Ada',
  label: '',
  expiresAt: null,
};

let identify: Identify;
let say: (payload: string) => void;
let loaded: string[];
let load: (id: string) => Promise<{ version: number } | null>;
let live: Live;
let app: FastifyInstance;
let port: number;

beforeEach(async () => {
  identify = async () => ADMIN;
  loaded = [];
  load = async (id) => ({ id, version: 1 });
  const listen: Database['listen'] = async (_channel, onMessage) => {
    say = onMessage;
    return { close: async () => undefined };
  };
  live = await openLive({
    database: { listen },
    log,
  });
  live.show('thing', async (id) => {
    loaded.push(id);
    return load(id);
  });
  app = await createApp({
    router: {},
    rawRoutes: [live.routes(rawOperations.system.events, null)],
    identify: (request) => identify(request),
    refuseForeignOrigin: () => undefined,
    isDraining: () => false,
    ...{ log, trustProxy: false, secure: false, webDir: null },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  port = (app.server.address() as AddressInfo).port;
});
afterEach(async () => {
  vi.useRealTimers();
  await live.close();
  const closed = app.close();
  app.server.closeAllConnections();
  await closed;
});

const ask = () =>
  httpRequest({ port, path: '/api/events', headers: { authorization: 'Bearer one' }, agent: false }).on(
    'error',
    () => undefined,
  );

interface Reader {
  text: string;
  isOpen: boolean;
}
async function follow(): Promise<Reader> {
  const response = await new Promise<IncomingMessage>((resolve) => ask().on('response', resolve).end());
  const reader = { text: '', isOpen: true };
  response.setEncoding('utf8').on('data', (text: string) => {
    reader.text += text;
  });
  response
    .on('error', () => undefined)
    .on('close', () => {
      reader.isOpen = false;
    });
  return reader;
}
const change = (id: string) => say(announcing({ noun: 'thing', id, audience: 'u_bob' }).payload);

it('who leaves while it is found out who they are is not kept as a listener', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<PersonIdentity>();
  identify = () => {
    asked.resolve();
    return answer.promise;
  };
  const sending = ask();
  sending.end();
  await asked.promise;
  sending.destroy();
  await expect.poll(() => new Promise((resolve) => app.server.getConnections((_error, n) => resolve(n)))).toBe(0);
  answer.resolve(ADMIN);
  await sleep(50);
  change('j_1');
  await sleep(200);
  // A thing is read only when there is somebody to send it to.
  expect(loaded).toEqual([]);
});

it('of two changes of a thing the later is sent last, however long each takes to read', async () => {
  const reads: PromiseWithResolvers<{ version: number }>[] = [];
  load = () => {
    const read = Promise.withResolvers<{ version: number }>();
    reads.push(read);
    return read.promise;
  };
  const reader = await follow();
  change('j_1');
  await expect.poll(() => reads.length).toBe(1);
  change('j_1');
  change('j_2');
  // Another thing does not wait for it; a second look at the same thing does.
  await expect.poll(() => reads.length).toBe(2);
  expect(loaded).toEqual(['j_1', 'j_2']);
  reads[1]?.resolve({ version: 1 });
  reads[0]?.resolve({ version: 7 });
  await expect.poll(() => loaded).toEqual(['j_1', 'j_2', 'j_1']);
  reads[2]?.resolve({ version: 8 });
  await expect.poll(() => [...reader.text.matchAll(/"version":([78])/g)].map(([, n]) => n)).toEqual(['7', '8']);
});

it('a thing that cannot be read is read again when it changes again', async () => {
  load = async () => Promise.reject(new Error('the database is away'));
  const reader = await follow();
  change('j_1');
  await expect.poll(() => loaded).toEqual(['j_1']);
  load = async () => ({ version: 3 });
  await expect
    .poll(() => {
      change('j_1');
      return reader.text;
    })
    .toContain('"version":3');
});

it('who is no longer an admin is no longer sent what is everybody’s', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const [one, two] = [await follow(), await follow()];
  change('j_1');
  await expect.poll(() => two.text).toContain('j_1');
  const asked = vi.fn<Identify>(async () => ADMIN);
  identify = asked;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveBeenCalledTimes(2); // once a round, however many read with this key
  expect(one.isOpen && two.isOpen).toBe(true);

  identify = async () => {
    throw new Error('connect ECONNREFUSED');
  };
  await vi.advanceTimersByTimeAsync(60_000);
  await sleep(50);
  expect(one.isOpen && two.isOpen).toBe(true);

  identify = async () => ({ ...ADMIN, actor: { ...ADMIN.actor, role: 'member' } });
  await vi.advanceTimersByTimeAsync(30_000);
  await expect.poll(() => one.isOpen || two.isOpen).toBe(false);
  change('j_2');
  await sleep(200);
  expect(loaded).toEqual(['j_1']);
});

it.each([
  ['is refused', async () => Promise.reject(new HangarError('account_disabled'))],
  ['is nobody', async () => null],
  ['is somebody else', async () => ({ ...ADMIN, userId: 'u_eve' })],
])('a stream whose reader %s ends', async (_what, answer: Identify) => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const reader = await follow();
  identify = answer;
  await vi.advanceTimersByTimeAsync(30_000);
  await expect.poll(() => reader.isOpen).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});
