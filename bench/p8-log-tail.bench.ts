// P8: the last 1,000 lines of a log of 5 GB, beside those of a log of 1 MB; its first page, and a search from its end.
// The logs are in the form that a job which has ended leaves: gzip members in blobs, named by rows.
import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { LogPage } from '@hangar/contract';
import pg from 'pg';
import { ServerProcess } from '../tests/e2e/server-process.ts';
import { jobClient } from './job-client.ts';
import { type Growth, median, record, timed } from './measure.ts';

const MB = 1024 * 1024;
const SIZES = [
  { name: '1 MB', bytes: MB },
  { name: '100 MB', bytes: 100 * MB },
  { name: '5 GB', bytes: Number(process.env.HANGAR_BENCH_LOG_BYTES ?? 5 * 1024 * MB) },
];
const RUNS = 15;
/** As the server packs them; see log-compaction.ts. */
const MEMBER_CHARS = 256 * 1024;
const BLOB_CHARS = 64 * MB;
const AT_ONCE = 8;
const TEXT =
  'src/parser/grammar.ts compiled, 214 modules, nothing to do for tests/unit; cache of the registry is warm and was used'.padEnd(
    190,
    '.',
  );

const pack = promisify(gzip);
const server = await (await ServerProcess.make()).start();
const db = new pg.Client({ host: join(server.dir, 'data/postgres'), user: 'hangar', database: 'postgres' });
try {
  const client = await jobClient(server);
  const { user } = await client.call<{ user: { id: string; name: string } }>('GET', '/users/me');
  await db.connect();
  const logs: { name: string; id: string }[] = [];
  for (const [index, { name, bytes }] of SIZES.entries()) {
    const id = `j_${String(index + 1).padStart(16, '0')}`;
    const took = await timed(() => makeLog(id, user, bytes));
    console.log(`   made a log of ${name} in ${(took / 1000).toFixed(0)} s`);
    logs.push({ name, id });
  }
  const asks = {
    'last 1,000 lines': 'tail=1000&limit=1000',
    'first 1,000 lines': 'limit=1000',
    'search from the end': 'tail=100&limit=100&grep=nothing%20to%20do',
  };
  const all = new Map<string, number[]>();
  for (let run = -2; run < RUNS; run++) {
    for (const { name, id } of logs) {
      for (const [what, query] of Object.entries(asks)) {
        let page: LogPage | null = null;
        const ms = await timed(async () => {
          page = await client.call<LogPage>('GET', `/jobs/${id}/logs?${query}`);
        });
        const wanted = what === 'search from the end' ? 100 : 1000;
        if ((page as LogPage | null)?.lines.length !== wanted) throw new Error(`${what} of ${name} is not whole`);
        if (run >= 0) all.set(`${what} of ${name}`, [...(all.get(`${what} of ${name}`) ?? []), ms]);
      }
    }
  }
  const of = (what: string, name: string) => all.get(`${what} of ${name}`) ?? [];
  const [small, large] = [of('last 1,000 lines', '1 MB'), of('last 1,000 lines', '5 GB')];
  const ratio = median(large) / median(small);
  record({
    id: 'P8',
    what: 'last 1,000 lines of a log of 5 GB, compacted',
    bar: '≤ 2 × of a log of 1 MB, < 100 ms',
    met: ratio <= 2 && median(large) < 100,
    result: `${ratio.toFixed(2)} ×, ${median(large).toFixed(0)} ms`,
    series: [...all].filter(([what]) => !what.includes('100 MB')).map(([label, ms]) => ({ label, ms })),
    growth: Object.keys(asks).map(
      (what): Growth => ({
        of: what,
        unit: 'ms',
        sizes: SIZES.map(({ name }) => ({ size: name, value: median(of(what, name)) })),
      }),
    ),
    command: 'node bench/p8-log-tail.bench.ts',
  });
} finally {
  await db.end().catch(() => undefined);
  await server.remove();
}

interface Member {
  readonly first: number;
  readonly last: number;
  readonly key: string;
  readonly start: number;
  readonly bytes: number;
}

async function makeLog(id: string, user: { id: string; name: string }, bytes: number): Promise<void> {
  const at = new Date().toISOString();
  const rest = `","stream":"stdout","text":"`;
  const lines = Math.floor(bytes / (TEXT.length + 11));
  const lineChars = 20 + at.length + rest.length + TEXT.length + 10;
  const perMember = Math.ceil(MEMBER_CHARS / lineChars);
  const perBlob = Math.ceil(BLOB_CHARS / lineChars);
  const folder = join(server.dir, 'data/blobs/logs', id);
  mkdirSync(folder, { recursive: true });
  const members: Member[] = [];
  const member = (first: number, last: number): Promise<Buffer> => {
    const parts: string[] = [];
    for (let n = first; n <= last; n++)
      parts.push(`{"n":${n},"at":"${at}${rest}${String(n).padStart(9, '0')} ${TEXT}"}`);
    return pack(`[${parts.join(',')}]`, { level: 1 });
  };
  for (let from = 1; from <= lines; from += perBlob) {
    const to = Math.min(lines, from + perBlob - 1);
    const key = `logs/${id}/${from}-bench`;
    const file = await open(join(server.dir, 'data/blobs', key), 'w');
    let start = 0;
    for (let group = from; group <= to; group += perMember * AT_ONCE) {
      const firsts = Array.from({ length: AT_ONCE }, (_, index) => group + index * perMember).filter((n) => n <= to);
      const packed = await Promise.all(firsts.map((first) => member(first, Math.min(to, first + perMember - 1))));
      for (const [index, piece] of packed.entries()) {
        const first = firsts[index] ?? 0;
        members.push({ first, last: Math.min(to, first + perMember - 1), key, start, bytes: piece.length });
        start += piece.length;
      }
      await file.write(Buffer.concat(packed));
    }
    await file.close();
  }
  await db.query(
    `insert into job (id, user_id, user_name, title, agent, profile, driver, repo_name, timeout_seconds, request_hash, reason, state,
       admitted_at, started_at, finished_at, cleaned_at, wake_at)
     values ($1, $2, $3, 'Long log', 'shell', 'local', 'local', 'a/b', 60, 'x', 'Done', 'succeeded', now(), now(), now(), now(), null)`,
    [id, user.id, user.name],
  );
  await db.query(
    `insert into log (id, revision, last_line, bytes, last_line_at, ended_at, end_state, compacted_at) values ($1, 1, $2, $3, $4, now(), 'succeeded', now())`,
    [id, lines, bytes, at],
  );
  for (let from = 0; from < members.length; from += 5_000) {
    const some = members.slice(from, from + 5_000);
    await db.query(
      `insert into log_chunk (log_id, first, last, first_at, last_at, blob_key, blob_start, blob_bytes)
       select $1, f, l, $2::timestamptz, $2::timestamptz, k, s, b from unnest($3::int[], $4::int[], $5::text[], $6::bigint[], $7::int[]) m(f, l, k, s, b)`,
      [
        ...[id, at],
        some.map(({ first }) => first),
        some.map(({ last }) => last),
        some.map(({ key }) => key),
        some.map(({ start }) => start),
        some.map(({ bytes: size }) => size),
      ],
    );
  }
}
