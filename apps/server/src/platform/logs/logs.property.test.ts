import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Blobs } from '../blobs/blobs.ts';
import { createBlobsInMemory } from '../blobs/testing/index.ts';
import { openDatabase } from '../database/index.ts';
import { createTestDatabase } from '../database/testing/index.ts';
import { createLogs, type Logs } from './index.ts';
import { batch, follow, until } from './testing/index.ts';

const log = pino({ level: 'silent' });
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let second: Awaited<ReturnType<typeof openDatabase>>;
let blobs: Blobs;

beforeAll(async () => {
  database = await createTestDatabase();
  second = await openDatabase({ url: database.url, dataDir: '', log });
  blobs = createBlobsInMemory();
});
afterAll(async () => {
  await second.close();
  await database.drop();
});

interface Plan {
  /** Lines of each batch, by source. */
  readonly sources: readonly (readonly number[])[];
  /** For each batch in turn: which servers it is sent to at the same time, and whether the next one overtakes it. */
  readonly sends: readonly { readonly to: readonly (0 | 1)[]; readonly together: boolean }[];
  readonly followers: readonly { readonly server: 0 | 1; readonly stays: readonly number[]; readonly slow: boolean }[];
}

const plans: fc.Arbitrary<Plan> = fc.record({
  sources: fc.array(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 25 }), {
    minLength: 1,
    maxLength: 3,
  }),
  sends: fc.array(
    fc.record({
      to: fc.array(fc.constantFrom(0 as const, 1 as const), { minLength: 1, maxLength: 3 }),
      together: fc.boolean(),
    }),
    { minLength: 1, maxLength: 20 },
  ),
  followers: fc.array(
    fc.record({
      server: fc.constantFrom(0 as const, 1 as const),
      stays: fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 4 }),
      slow: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});

/** A worker: sends until everything is acknowledged, some batches twice, some before the one that they follow. */
async function work(servers: readonly Logs[], logId: string, source: string, sizes: readonly number[], plan: Plan) {
  let acked = 0;
  for (let turn = 0; acked < sizes.length; turn += 1) {
    const { to, together } = plan.sends[turn % plan.sends.length] ?? { to: [0 as const], together: false };
    const seqs = together ? [acked + 2, acked + 1] : [acked + 1];
    const sent = seqs.flatMap((seq) => {
      const size = sizes[seq - 1];
      if (size === undefined) return [];
      const texts = Array.from({ length: size }, (_, index) => `${source}:${seq}:${index}`);
      return to.map((server) => servers[server]?.append(logId, source, batch(seq, texts), { maxBytes: 1e9 }) ?? 0);
    });
    const answers = await Promise.all(sent);
    const best = Math.max(...answers);
    expect(best).toBeGreaterThanOrEqual(acked);
    acked = best;
  }
}

/** A client that loses its connection now and then, to come back to the other server. */
async function watch(servers: readonly Logs[], logId: string, plan: Plan['followers'][number]) {
  const lines: { n: number; text: string }[] = [];
  const stays = [...plan.stays];
  for (let turn: number = plan.server; ; turn += 1) {
    const logs = servers[turn % servers.length];
    if (!logs) throw new Error('no server');
    const follower = await follow(logs, logId, { after: lines.at(-1)?.n ?? 0 });
    if (plan.slow) {
      follower.unsent = 2 * 1024 * 1024;
      await sleep(20);
      follower.drain();
    }
    const stay = stays.shift();
    if (stay === undefined) await until(() => follower.closed);
    else await sleep(stay);
    follower.disconnect();
    lines.push(...follower.lines);
    if (follower.end) return { lines, end: follower.end };
  }
}

test('no line is lost, doubled or out of order, whatever is sent twice, overtaken or cut', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      run += 1;
      const logId = `j_${run}`;
      const servers = [createLogs({ database, blobs, log }), createLogs({ database: second, blobs, log })];
      const [logs] = servers;
      if (!logs) return;
      const watching = plan.followers.map((follower) => watch(servers, logId, follower));
      await Promise.all(plan.sources.map((sizes, source) => work(servers, logId, String(source), sizes, plan)));
      await logs.end(logId, { state: 'succeeded' });

      const page = await logs.read(logId, { limit: 10_000 });
      const total = plan.sources.flat().reduce((sum, size) => sum + size, 0);
      expect(page.lines.map(({ n }) => n)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
      for (const [source, sizes] of plan.sources.entries()) {
        const wanted = sizes.flatMap((size, at) =>
          Array.from({ length: size }, (_, index) => `${source}:${at + 1}:${index}`),
        );
        const got = page.lines.map(({ text }) => text).filter((text) => text.startsWith(`${source}:`));
        expect(got).toEqual(wanted);
      }
      for (const { lines, end } of await Promise.all(watching)) {
        expect(lines).toEqual(page.lines);
        expect(end).toEqual({ total, state: 'succeeded' });
      }
      await Promise.all(servers.map((server) => server.close()));
    }),
    { numRuns: 40 },
  );
}, 120_000);
