import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { LogPage } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Blobs } from '../../blobs/blobs.ts';
import { createBlobsInMemory } from '../../blobs/testing/index.ts';
import { createTestDatabase } from '../../database/testing/index.ts';
import { createLogs, type Logs } from '../index.ts';
import { follow, until } from '../testing/index.ts';

const MAX = { maxBytes: 1e9 };
const LINES = 9_000;
const log = pino({ level: 'silent' });

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let blobs: Blobs;
let logs: Logs;
let logId: string;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  blobs = createBlobsInMemory();
});
afterAll(async () => {
  await database.drop();
});
beforeEach(async () => {
  logs = createLogs({ database, blobs, log });
  count += 1;
  logId = `j_${count}`;
  for (let seq = 1; seq <= LINES / 500; seq += 1) {
    const lines = Array.from({ length: 500 }, (_, index) => {
      const n = (seq - 1) * 500 + index + 1;
      return {
        at: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(),
        stream: n % 2 === 0 ? ('stderr' as const) : ('stdout' as const),
        text: `line ${n} ${'.'.repeat(n % 90)}`,
      };
    });
    await logs.append(logId, '1', { seq, lines }, MAX);
  }
});
afterEach(() => logs.close());

async function files(): Promise<number> {
  let found = 0;
  for await (const _ of blobs.list(`logs/${logId}/`)) found += 1;
  return found;
}
const inTable = async () =>
  Number((await database.pool.query('select count(data) as n from log_chunk where log_id = $1', [logId])).rows[0]?.n);

/** Everything a reader can see of a log. */
async function everything(): Promise<unknown[]> {
  const queries: Partial<Parameters<Logs['read']>[1]>[] = [
    {},
    { after: 3_995, limit: 10 },
    { before: 7_001, limit: 5 },
    { tail: 1_234, limit: 10_000 },
    { grep: 'LINE 77', limit: 10_000 },
    { grep: 'line 77', tail: 5 },
    { stream: 'stderr', before: 4_000, limit: 3 },
    { since: '2026-01-01T02:00:00Z', limit: 20 },
  ];
  const pages: LogPage[] = [];
  for (const query of queries) pages.push(await logs.read(logId, { limit: 1000, ...query }));
  const whole = await text(logs.download(logId, 'text'));
  const followed = [];
  for (const from of [{}, { after: 8_990 }, { tail: 7, grep: 'line' }, { since: '2026-01-01T02:29:00Z' }]) {
    const follower = await follow(logs, logId, from);
    await until(() => follower.closed);
    followed.push(follower.lines, follower.end);
  }
  return [pages, whole, followed, await logs.stats([logId])];
}

test('a compacted log reads the same, from blobs alone', async () => {
  expect(await logs.compact(logId)).toBe(false);
  await logs.end(logId, { state: 'succeeded' });
  expect(await logs.toCompact(10)).toEqual([logId]);
  const before = await everything();
  expect(await logs.compact(logId)).toBe(true);
  expect(await inTable()).toBe(0);
  expect(await files()).toBe(1);
  expect(await everything()).toEqual(before);
  expect(await logs.toCompact(10)).toEqual([]);
  expect(await logs.compact(logId)).toBe(true);
  expect(await files()).toBe(1);
  await logs.remove(logId);
  expect(await files()).toBe(0);
  await logs.remove(logId);
});

test('a crash between blobs and rows loses nothing and leaves nothing', async () => {
  await logs.end(logId, { state: 'failed' });
  const before = await everything();
  const dying: Blobs = {
    ...blobs,
    async put(key, body, o) {
      await blobs.put(key, body, o);
      throw new Error('killed');
    },
  };
  const crashed = createLogs({ database, blobs: dying, log });
  await expect(crashed.compact(logId)).rejects.toThrow('killed');
  await crashed.close();
  expect(await files()).toBe(1);
  expect(await everything()).toEqual(before);
  expect(await logs.compact(logId)).toBe(true);
  expect(await files()).toBe(1);
  expect(await everything()).toEqual(before);
});

test('a database that goes away while rows are exchanged changes nothing', async () => {
  await logs.end(logId, { state: 'failed' });
  const before = await everything();
  const cutting: Blobs = {
    ...blobs,
    async put(key, body, o) {
      const stored = await blobs.put(key, body, o);
      await database.pool.query(
        `select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.pid <> pg_backend_pid()
         and l.database = (select oid from pg_database where datname = current_database())`,
      );
      return stored;
    },
  };
  const cut = createLogs({ database, blobs: cutting, log });
  await expect(cut.compact(logId)).rejects.toThrow();
  await cut.close();
  expect(await everything()).toEqual(before);
  expect(await logs.compact(logId)).toBe(true);
  expect(await everything()).toEqual(before);
  expect(await files()).toBe(1);
});

test('several servers compact one log: one does, and readers and followers notice nothing', async () => {
  await logs.end(logId, { state: 'succeeded' });
  const servers = [1, 2, 3].map(() => createLogs({ database, blobs, log }));
  let compacting = true;
  const reading = (async () => {
    const seen: unknown[] = [];
    while (compacting) {
      const follower = await follow(logs, logId);
      await until(() => follower.closed);
      seen.push([follower.lines.length, follower.lines.at(-1)?.n, follower.end]);
    }
    return seen;
  })();
  const answers = await Promise.all(servers.map((server) => server.compact(logId)));
  compacting = false;
  expect(answers).toContain(true);
  for (const seen of await reading) expect(seen).toEqual([LINES, LINES, { total: LINES, state: 'succeeded' }]);
  expect(await files()).toBe(1);
  for (const server of servers) await server.close();
});

test('a log that is removed while it is compacted leaves nothing', async () => {
  await logs.end(logId, { state: 'succeeded' });
  const slow: Blobs = {
    ...blobs,
    async put(key, body, o) {
      const stored = await blobs.put(key, Readable.from(body), o);
      await logs.remove(logId);
      await blobs.put(key, Readable.from(['again']), o);
      return stored;
    },
  };
  const late = createLogs({ database, blobs: slow, log });
  expect(await late.compact(logId)).toBe(false);
  expect(await files()).toBe(0);
  await late.close();
});
