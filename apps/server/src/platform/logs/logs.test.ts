import { buffer, text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { LOG_LINE_BYTES } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Blobs } from '../blobs/blobs.ts';
import { createBlobsInMemory } from '../blobs/testing/index.ts';
import { createTestDatabase } from '../database/testing/index.ts';
import { createLogs, type Logs } from './index.ts';
import { batch, follow, until } from './testing/index.ts';

const MAX = { maxBytes: 1e9 };
const log = pino({ level: 'silent' });

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let blobs: Blobs;
let logs: Logs;
let other: Logs;
let logId: string;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  blobs = createBlobsInMemory();
});
afterAll(async () => {
  await database.drop();
});
beforeEach(() => {
  logs = createLogs({ database, blobs, log });
  other = createLogs({ database, blobs, log });
  count += 1;
  logId = `j_${count}`;
});
afterEach(async () => {
  await logs.close();
  await other.close();
});

const numbers = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);
const named = (from: number, to: number) => numbers(from, to).map((n) => `line ${n}`);
const texts = (lines: readonly { text: string }[]) => lines.map((line) => line.text);
const ns = (lines: readonly { n: number }[]) => lines.map((line) => line.n);

/** Lines 1..total, 10 a batch, every third on stderr. */
async function fill(total: number, o: { id?: string } = {}): Promise<void> {
  for (let first = 1, seq = 1; first <= total; first += 10, seq += 1) {
    const lines = numbers(first, Math.min(total, first + 9)).map((n) => ({
      at: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(),
      stream: n % 3 === 0 ? ('stderr' as const) : ('stdout' as const),
      text: `line ${n}`,
    }));
    await logs.append(o.id ?? logId, '1', { seq, lines }, MAX);
  }
}
const read = (query: Partial<Parameters<Logs['read']>[1]> = {}) => logs.read(logId, { limit: 1000, ...query });

test('a log that is not there is empty, and has not ended', async () => {
  expect(await read()).toEqual({ lines: [], total: 0, nextAfter: null, ended: false });
  expect(await logs.stats([logId])).toEqual(new Map());
});

test('batches are stored once, in order, by any server', async () => {
  expect(await logs.append(logId, '1', batch(1, ['a', 'b']), MAX)).toBe(1);
  expect(await other.append(logId, '1', batch(2, ['c']), MAX)).toBe(2);
  expect(await logs.append(logId, '1', batch(3, ['d']), MAX)).toBe(3);
  expect(await other.append(logId, '1', batch(5, ['gap']), MAX)).toBe(3);
  expect(await other.append(logId, '1', batch(4, ['e']), MAX)).toBe(4);
  expect(await logs.append(logId, '1', batch(2, ['c']), MAX)).toBeGreaterThanOrEqual(2);
  expect(await logs.append(logId, '2', batch(1, ['second attempt']), MAX)).toBe(1);
  const page = await read();
  expect(texts(page.lines)).toEqual(['a', 'b', 'c', 'd', 'e', 'second attempt']);
  expect(ns(page.lines)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await other.storedSeq(logId, '1')).toBe(4);
  expect(await other.storedSeq(logId, '9')).toBe(0);
  const stats = (await logs.stats([logId, 'j_none'])).get(logId);
  expect(stats).toMatchObject({ lines: 6, bytes: 5 + 14 + 6 * LOG_LINE_BYTES, endedAt: null });
  expect(stats?.lastLineAt).toBeInstanceOf(Date);
});

test('what Hangar says is said once a key', async () => {
  await Promise.all([1, 2, 3].map(() => logs.appendSystem(logId, 'queued', { key: 'queued' })));
  await other.appendSystem(logId, 'queued', { key: 'queued' });
  await other.appendSystem(logId, 'two\nlines');
  const page = await read();
  expect(texts(page.lines)).toEqual(['queued', 'two', 'lines']);
  expect(new Set(page.lines.map(({ stream }) => stream))).toEqual(new Set(['system']));
});

test('a stream that prints all the time makes few rows; nothing waits when it is quiet', async () => {
  await Promise.all(numbers(1, 200).map((seq) => logs.append(logId, '1', batch(seq, [`${seq}`]), MAX)));
  const { rows } = await database.pool.query('select count(*)::int as n from log_chunk where log_id = $1', [logId]);
  expect(rows[0]?.n).toBeLessThan(10);
  expect(texts((await read()).lines)).toEqual(numbers(1, 200).map(String));
});

test('the limit cuts once, and the log goes on accepting', async () => {
  await logs.append(logId, '1', batch(1, ['12345', '12345']), { maxBytes: 100 });
  expect(await other.append(logId, '1', batch(2, ['12345']), { maxBytes: 100 })).toBe(2);
  await logs.appendSystem(logId, 'It has ended');
  expect(texts((await read()).lines)).toEqual([
    '12345',
    'The log has reached its limit of 100 B; what follows is not kept.',
    'It has ended',
  ]);
});

test('pages go forward, backward, from the tail and from a time', async () => {
  await fill(95);
  expect(ns((await read({ limit: 40 })).lines)).toEqual(numbers(1, 40));
  expect(await read({ limit: 40 })).toMatchObject({ total: 95, nextAfter: 40, ended: false });
  expect(await read({ limit: 40, after: 80 })).toMatchObject({ nextAfter: null });
  expect(ns((await read({ limit: 40, after: 80 })).lines)).toEqual(numbers(81, 95));
  expect(ns((await read({ limit: 10, before: 50 })).lines)).toEqual(numbers(40, 49));
  expect(await read({ limit: 10, before: 50 })).toMatchObject({ nextAfter: 49 });
  expect(ns((await read({ limit: 10, before: 5 })).lines)).toEqual(numbers(1, 4));
  expect(ns((await read({ after: 20, before: 30 })).lines)).toEqual(numbers(21, 29));
  expect(ns((await read({ tail: 7 })).lines)).toEqual(numbers(89, 95));
  expect(await read({ tail: 7 })).toMatchObject({ nextAfter: null });
  expect(ns((await read({ tail: 30, limit: 10 })).lines)).toEqual(numbers(66, 75));
  expect(await read({ tail: 30, limit: 10 })).toMatchObject({ nextAfter: 75 });
  expect(ns((await read({ tail: 1000 })).lines)).toEqual(numbers(1, 95));
  expect(await read({ tail: 0 })).toMatchObject({ lines: [], nextAfter: null });
  expect(ns((await read({ since: '2026-01-01T00:01:30Z' })).lines)).toEqual(numbers(90, 95));
  expect(await read({ since: '1h' })).toMatchObject({ lines: [] });
  expect(await read({ after: 4000 })).toMatchObject({ lines: [], nextAfter: null });
});

test('searches: text in any case, stream, with tail and pages', async () => {
  await fill(95);
  expect(ns((await read({ grep: 'LINE 9' })).lines)).toEqual([9, ...numbers(90, 95)]);
  expect(ns((await read({ grep: 'line 9', tail: 3 })).lines)).toEqual([93, 94, 95]);
  expect(ns((await read({ grep: 'line 9', tail: 50 })).lines)).toEqual([9, ...numbers(90, 95)]);
  expect(ns((await read({ grep: 'line 9', before: 93, limit: 2 })).lines)).toEqual([91, 92]);
  expect(ns((await read({ stream: 'stderr', limit: 3 })).lines)).toEqual([3, 6, 9]);
  expect(await read({ stream: 'stderr', limit: 3 })).toMatchObject({ nextAfter: 9 });
  expect(await read({ grep: 'nowhere' })).toMatchObject({ lines: [], nextAfter: null });
  expect(await read({ grep: '.*' })).toMatchObject({ lines: [] });
});

test('a search finds text with quotes, backslashes, colours and other letters', async () => {
  const odd = ['say "hi"', 'C:\\dir', '\x1b[31mred\x1b[0m: alert', 'ÄRGER', 'tab\there', '(a|b)[c]'];
  await logs.append(logId, '1', batch(1, odd), MAX);
  for (const [index, grep] of ['"HI"', '\\DIR', 'red: alert', 'ärger', 'b\th', '|b)['].entries()) {
    expect(ns((await read({ grep })).lines), grep).toEqual([index + 1]);
  }
});

test.each(['yesterday', '10', '10 weeks', '2026-99-01T00:00:00Z', '-5m', ''])('since %j is refused', async (since) => {
  await expect(read({ since })).rejects.toMatchObject({ code: 'validation_failed' });
  await expect(follow(logs, logId, { since })).rejects.toMatchObject({ code: 'validation_failed' });
});

test('a log is downloaded whole', async () => {
  await fill(95);
  const whole = `${named(1, 95).join('\n')}\n`;
  expect(await text(logs.download(logId, 'text'))).toBe(whole);
  expect(gunzipSync(await buffer(logs.download(logId, 'gz'))).toString()).toBe(whole);
  expect(await text(logs.download('j_none', 'text'))).toBe('');
});

test('followers get the history, then what comes, then the end', async () => {
  await fill(25);
  const [here, there] = [await follow(logs, logId), await follow(other, logId)];
  await logs.append(logId, '1', batch(4, named(26, 30)), MAX);
  await other.append(logId, '1', batch(5, named(31, 32)), MAX);
  await logs.end(logId, { state: 'succeeded' });
  for (const follower of [here, there]) {
    await until(() => follower.closed);
    expect(ns(follower.lines)).toEqual(numbers(1, 32));
    expect(follower.end).toEqual({ total: 32, state: 'succeeded' });
    expect(follower.raw.startsWith('retry: 1000\n\n')).toBe(true);
  }
  const late = await follow(other, logId, { after: 30 });
  await until(() => late.closed);
  expect(late.end).toEqual({ total: 32, state: 'succeeded' });
  expect(ns(late.lines)).toEqual([31, 32]);
  expect(await read({ after: 30 })).toMatchObject({ ended: true, total: 32 });
});

test('a follower begins where it wants, on a server that has never seen the log', async () => {
  await fill(50);
  const cases = [
    [{ after: 45 }, numbers(46, 50)],
    [{ tail: 3 }, numbers(48, 50)],
    [{ tail: 0 }, []],
    [{ since: '2026-01-01T00:00:48Z' }, numbers(48, 50)],
    [{ grep: 'line 4' }, [4, ...numbers(40, 49)]],
    [{ grep: 'line 4', tail: 2 }, [48, 49]],
    [{ stream: 'stderr' as const, after: 40 }, [42, 45, 48]],
    [{ after: 50 }, []],
  ] as const;
  const followers = [];
  for (const [from] of cases) followers.push(await follow(other, logId, from));
  const marker = { at: new Date().toISOString(), stream: 'stderr' as const, text: 'line 4 again' };
  await logs.append(logId, '1', { seq: 6, lines: [marker] }, MAX);
  for (const [index, [from, expected]] of cases.entries()) {
    const follower = followers[index];
    await until(() => follower?.lines.at(-1)?.n === 51);
    expect(ns(follower?.lines ?? []), JSON.stringify(from)).toEqual([...expected, 51]);
  }
});

test('a log may be followed before it exists', async () => {
  const follower = await follow(other, logId);
  await logs.append(logId, '1', batch(1, ['first']), MAX);
  await until(() => follower.lines.length === 1);
  await logs.end(logId, { state: null });
  await until(() => follower.closed);
  expect(follower.end).toEqual({ total: 1, state: null });
});

test('a reader that does not keep up is not written to until it drains, and misses nothing', async () => {
  await logs.append(logId, '1', batch(1, ['1']), MAX);
  const slow = await follow(logs, logId);
  await until(() => slow.lines.length === 1);
  slow.unsent = 2 * 1024 * 1024;
  for (const seq of numbers(2, 260)) {
    await Promise.all([logs.append(logId, '1', batch(seq, [`${seq}`]), MAX)]);
    if (seq === 4) break;
  }
  // More than memory keeps for those who are behind.
  const large = 'x'.repeat(60_000);
  for (const seq of numbers(5, 40)) {
    await logs.append(
      logId,
      '1',
      batch(
        seq,
        Array.from({ length: 5 }, () => large),
      ),
      MAX,
    );
  }
  expect(slow.lines.length).toBe(1);
  slow.drain();
  await until(() => slow.lines.length === 4 + 36 * 5);
  expect(ns(slow.lines)).toEqual(numbers(1, 4 + 36 * 5));
});

test('followers who come back together share what is read for them', async () => {
  await fill(500);
  const asked = { queries: 0 };
  const query = database.pool.query.bind(database.pool);
  const counted = {
    ...database,
    pool: new Proxy(database.pool, {
      get(target, key) {
        if (key !== 'query') return Reflect.get(target, key);
        return (...given: Parameters<typeof query>) => {
          asked.queries += 1;
          return query(...given);
        };
      },
    }),
  };
  const third = createLogs({ database: counted, blobs, log });
  const followers = await Promise.all(numbers(1, 200).map(() => follow(third, logId)));
  for (const follower of followers) await until(() => follower.lines.length === 500);
  expect(asked.queries).toBeLessThan(40);
  await third.close();
  for (const follower of followers) expect(follower).toMatchObject({ closed: true, end: null });
});

test('the end counts once, and nothing comes after it', async () => {
  await logs.append(logId, '1', batch(1, ['a']), MAX);
  await logs.end(logId, { state: 'failed' });
  await other.end(logId, { state: 'succeeded' });
  expect(await logs.append(logId, '1', batch(2, ['late']), MAX)).toBe(2);
  expect(await other.append(logId, '2', batch(9, ['late']), MAX)).toBe(9);
  await other.appendSystem(logId, 'late');
  expect(await read()).toMatchObject({ total: 1, ended: true });
  const follower = await follow(logs, logId);
  await until(() => follower.closed);
  expect(follower.end).toEqual({ total: 1, state: 'failed' });
  await logs.end('j_never_printed', { state: 'failed' });
  expect((await follow(logs, 'j_never_printed')).end).toEqual({ total: 0, state: 'failed' });
});

test('a log that is removed is gone for its followers too', async () => {
  await fill(20);
  const [here, there] = [await follow(logs, logId), await follow(other, logId)];
  // One that still waits for its lines when they go is cut off instead, and asks again.
  await until(() => here.lines.length === 20 && there.lines.length === 20);
  await logs.remove(logId);
  for (const follower of [here, there]) {
    await until(() => follower.closed);
    expect(follower.end).toEqual({ total: 20, state: null });
  }
  await logs.remove(logId);
  expect(await read()).toMatchObject({ lines: [], total: 0 });
});

test('a lost listening connection costs nothing', async () => {
  const there = await follow(other, logId);
  await logs.append(logId, '1', batch(1, ['before']), MAX);
  await until(() => there.lines.length === 1);
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'hangar-listen' and datname = current_database()`,
  );
  for (const seq of numbers(2, 6)) await logs.append(logId, '1', batch(seq, [`${seq}`]), MAX);
  await until(() => there.lines.length === 6);
  expect(ns(there.lines)).toEqual(numbers(1, 6));
});

test.each(['../x', 'a/b', '', 'x y', '.hidden', 'x'.repeat(200)])('%j is not the id of a log', async (id) => {
  await expect(logs.append(id, '1', batch(1, ['x']), MAX)).rejects.toMatchObject({ code: 'internal' });
});
