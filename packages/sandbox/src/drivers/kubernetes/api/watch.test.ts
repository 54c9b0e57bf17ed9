import http from 'node:http';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiError, type ClusterApi, createApi } from './api.ts';
import { type Change, type Watch, watch } from './watch.ts';

const log = pino({ level: 'silent' });
const pod = (name: string, version: number) => ({
  metadata: { name, namespace: 'n', resourceVersion: String(version) },
});

/** An API server for one list, told what to answer; it notes what it was asked. */
class FakeApi {
  readonly asked: URLSearchParams[] = [];
  readonly server: http.Server;
  pods = ['a', 'b', 'c'];
  version = 10;
  /** Answers the next requests in place of what it has. */
  readonly instead: ((response: http.ServerResponse) => void)[] = [];
  following: http.ServerResponse | null = null;

  constructor() {
    this.server = http.createServer((request, response) => {
      const query = new URL(request.url ?? '', 'http://x').searchParams;
      this.asked.push(query);
      const instead = this.instead.shift();
      if (instead) return instead(response);
      if (query.get('watch') === '1') {
        this.following = response;
        response.writeHead(200).flushHeaders();
        return;
      }
      const from = Number(query.get('continue') ?? 0);
      const limit = Number(query.get('limit'));
      const items = this.pods.slice(from, from + limit).map((name) => pod(name, this.version));
      const more = from + limit < this.pods.length ? { continue: String(from + limit) } : {};
      response.end(JSON.stringify({ metadata: { resourceVersion: String(this.version), ...more }, items }));
    });
  }
  get watches() {
    return this.asked.filter((query) => query.get('watch') === '1');
  }
  tell(type: string, object: object): void {
    this.following?.write(`${JSON.stringify({ type, object })}\n`);
  }
}

let fake: FakeApi;
let api: ClusterApi;
let seen: Watch<string>;
const open: Watch<string>[] = [];
const changes: Change<string>[] = [];

beforeEach(async () => {
  fake = new FakeApi();
  changes.length = 0;
  await new Promise<void>((resolve) => fake.server.listen(0, '127.0.0.1', resolve));
  const address = fake.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  api = createApi({ server: `http://127.0.0.1:${port}`, insecure: false, credentials: async () => ({}) });
});
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
  api.close();
  fake.server.closeAllConnections();
  fake.server.close();
});

function begin(): Watch<string> {
  seen = watch({ api, path: '/api/v1/pods', read: ({ metadata }) => metadata.name, log, page: 2 });
  seen.subscribe((some) => changes.push(...some));
  open.push(seen);
  return seen;
}
const names = () => [...seen.objects.values()].sort();
const inTime = () => AbortSignal.timeout(10_000);
const follows = (count: number) => expect.poll(() => fake.watches.length, { timeout: 10_000 }).toBe(count);

test('lists page by page, then follows, and tells each change', async () => {
  await begin().ready(inTime());
  expect(names()).toEqual(['a', 'b', 'c']);
  expect(fake.asked.slice(0, 2).map((query) => query.get('continue'))).toEqual([null, '2']);
  await follows(1);
  expect(fake.watches[0]?.get('resourceVersion')).toBe('10');
  fake.tell('ADDED', pod('d', 11));
  fake.tell('DELETED', pod('a', 12));
  await expect.poll(names).toEqual(['b', 'c', 'd']);
  expect(changes.at(-1)).toEqual({ kind: 'gone', key: 'n/a', object: 'a' });
  expect(seen.state().kind).toBe('watching');
});

test('goes on where it was cut, bookmarks counted, in the middle of an event too', async () => {
  await begin().ready(inTime());
  await follows(1);
  fake.tell('MODIFIED', pod('b', 20));
  fake.tell('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: '30', creationTimestamp: null } });
  fake.following?.write('{"type":"ADDED","object":{"metadata":{"na');
  await expect.poll(() => changes.length).toBe(4);
  fake.following?.destroy();
  await follows(2);
  expect(fake.watches[1]?.get('resourceVersion')).toBe('30');
  expect(names()).toEqual(['a', 'b', 'c']);
});

test.each([
  ['as an event', () => fake.tell('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' })],
  [
    'as an answer',
    () => {
      fake.instead.push((response) =>
        response.writeHead(410).end(JSON.stringify({ reason: 'Expired', message: 'too old' })),
      );
      fake.following?.destroy();
    },
  ],
])('lists anew when the server has forgotten its place: %s', async (_how, expire) => {
  await begin().ready(inTime());
  await follows(1);
  fake.pods = ['b', 'e'];
  fake.version = 50;
  expire();
  await expect.poll(names, { timeout: 10_000 }).toEqual(['b', 'e']);
  expect(changes.filter(({ kind }) => kind === 'gone').map(({ key }) => key)).toEqual(['n/a', 'n/c']);
  await expect.poll(() => fake.watches.at(-1)?.get('resourceVersion'), { timeout: 10_000 }).toBe('50');
});

test('a server that is away is told of, and nothing is forgotten meanwhile', async () => {
  await begin().ready(inTime());
  await follows(1);
  for (let n = 0; n < 3; n++) fake.instead.push((response) => response.writeHead(503).end('{}'));
  fake.following?.destroy();
  await expect.poll(() => seen.state().kind, { timeout: 10_000 }).toBe('away');
  expect(names()).toEqual(['a', 'b', 'c']);
  await expect.poll(() => seen.state().kind, { timeout: 10_000 }).toBe('watching');
  expect(fake.watches.at(-1)?.get('resourceVersion')).toBe('10');
});

test('a refusal reaches who waits, and the watch tries on', async () => {
  const refuse = (response: http.ServerResponse) =>
    void response.writeHead(403).end(JSON.stringify({ reason: 'Forbidden', message: 'pods is forbidden' }));
  fake.instead.push(refuse, refuse);
  await expect(begin().ready(inTime())).rejects.toThrow(ApiError);
  await expect.poll(names, { timeout: 10_000 }).toEqual(['a', 'b', 'c']);
  await seen.ready(inTime());
});

test('a busy server is asked again after the time it names', async () => {
  fake.instead.push((response) => response.writeHead(429, { 'retry-after': '1' }).end('{}'));
  await begin().ready(inTime());
  expect(names()).toEqual(['a', 'b', 'c']);
  expect(fake.asked.filter((query) => query.get('continue') === null && query.get('watch') === null)).toHaveLength(2);
});
