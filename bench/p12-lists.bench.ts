// P12: lists and statuses with 1,000 jobs, and how they grow to 100,000. Sessions and clusters do not exist yet.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { ServerProcess } from '../tests/e2e/server-process.ts';
import { jobClient } from './job-client.ts';
import { runLoad } from './load.ts';
import { type Growth, quantile, record } from './measure.ts';

const SIZES = [1_000, 100_000];
const CLIENTS = 50;
const PAUSE_MS = 500;
const SECONDS = 2;
/** Of the bar. */
const SIZE = 1_000;
const RUNS = 5;
/** Of the first job and its activity: ids look like chance. */
const FIRST = createHash('md5').update('1').digest('hex').slice(0, 16);
/** Every other list and status. A filter says what it finds: something, or nothing although it looks at all. */
const OTHER_RUNS = 2;
const FILTERS = `mine=false state=succeeded state=failed&state=lost mine=false&state=failed&state=lost agent=shell agent=nobody
  mine=false&agent=nobody profile=local profile=nowhere mine=false&profile=nowhere repo=team/repo-7 repo=none mine=false&repo=none
  group=g_none search=repo-7 search=nothing%20like%20it mine=false&search=nothing%20like%20it search=zz search=j_${FIRST}
  search=repo-7&state=failed agent=shell&search=nothing%20like%20it`;
const STATUSES = `jobs/j_${FIRST}/artifacts devops/activity?status=failed devops/activity?status=completed
  devops/activity?actor=nobody devops/activity?correlationId=j_${FIRST} devops/activity/a_${FIRST}
  search?q=nothing%20like%20it search?q=Job users invites api-keys devices plans profiles profiles/local driver-types agents credentials server`;
const words = (text: string): string[] => text.split(/\s+/);
const OTHERS = [
  ...words(FILTERS).map((filter) => `/api/jobs?${filter}`),
  ...words(STATUSES).map((path) => `/api/${path}`),
  '/metrics',
];

const server = await (await ServerProcess.make()).start();
const db = new pg.Client({ host: join(server.dir, 'data/postgres'), user: 'hangar', database: 'postgres' });
try {
  const client = await jobClient(server);
  const me = await client.call<{ user: { id: string; name: string } }>('GET', '/users/me');
  await db.connect();
  const paths = ['/api/jobs', `/api/jobs/j_${FIRST}`, '/api/devops/activity', '/api/users/me', '/healthz'];
  const byKey = { authorization: `Bearer ${client.key}` };
  const asPerson = { cookie: await signIn(server) };
  const all = new Map(paths.map((path) => [path, [] as number[][]]));
  const others = new Map<string, number[]>();
  /** The 99th percentile of each run, in milliseconds; the first run warms up. */
  async function ask(path: string, runs: number, seconds: number, headers: Record<string, string>): Promise<number[]> {
    const p99: number[] = [];
    for (let run = -1; run < runs; run++) {
      const { ms } = await runLoad({
        kind: 'ask',
        host: '127.0.0.1',
        port: server.port,
        headers,
        connections: CLIENTS,
        seconds: run < 0 ? 1 : seconds,
        paths: [path],
        pauseMs: PAUSE_MS,
      });
      if (run >= 0) p99.push(quantile(ms, 0.99));
    }
    return p99;
  }
  let there = 0;
  for (const size of SIZES) {
    if (size > there) await add(db, me.user, there, size);
    there = Math.max(there, size);
    await db.query('analyze');
    for (const path of paths) all.get(path)?.push(await ask(path, RUNS, SECONDS, byKey));
    for (const path of OTHERS)
      others.set(path, [
        ...(others.get(path) ?? []),
        quantile(await ask(path, OTHER_RUNS, 1, path === '/metrics' ? byKey : asPerson), 0.5),
      ]);
  }
  const series = [...all].map(([path, runs]) => ({ label: `${path}, p99`, ms: runs[SIZES.indexOf(SIZE)] ?? [] }));
  const worst = Math.max(...series.map(({ ms }) => quantile(ms, 0.5)));
  const growth = [...all].map(
    ([path, runs]): Growth => ({
      of: path,
      unit: 'ms',
      sizes: runs.map((p99, index) => ({ size: `${SIZES[index]} jobs`, value: quantile(p99, 0.5) })),
    }),
  );
  for (const [path, p99] of others)
    growth.push({
      of: path,
      unit: 'ms',
      sizes: p99.map((value, index) => ({ size: `${SIZES[index]} jobs`, value })),
    });
  record({
    id: 'P12',
    what: `lists and statuses with ${SIZE} jobs, ${CLIENTS} clients that each ask every ${PAUSE_MS} ms`,
    bar: 'p99 < 50 ms',
    met: worst < 50,
    result: `p99 ${worst.toFixed(1)} ms, the slowest of ${paths.length}`,
    series,
    growth,
    notes: ['Sessions and clusters do not exist yet: jobs only, all of one person.'],
    command: 'node bench/p12-lists.bench.ts',
  });
} finally {
  await db.end().catch(() => undefined);
  await server.remove();
}

/** A session as a browser has it: some lists are for people alone. */
async function signIn({ url, output }: ServerProcess): Promise<string> {
  const token = /\/sign-in\/link#(\S+)/.exec(output)?.[1];
  const answer = await fetch(`${url}/api/auth/sign-in/link`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ token }),
  });
  const cookie = answer.headers.getSetCookie()[0]?.split(';')[0];
  if (cookie === undefined) throw new Error(`signing in: ${answer.status} ${await answer.text()}`);
  return cookie;
}

/** Jobs that ended over the last month, with what each leaves in other tables. */
async function add(on: pg.Client, person: { id: string; name: string }, after: number, upTo: number): Promise<void> {
  await on.query(
    `insert into job (id, user_id, user_name, created_at, title, agent, profile, driver, repo_name, timeout_seconds, request_hash, reason,
       state, state_since, admitted_at, started_at, finished_at, cleaned_at, wake_at, activity_id, phases)
     select 'j_' || substr(md5(n::text), 1, 16), $1, $2, at, 'Job ' || n, 'shell', 'local', 'local',
       'team/repo-' || n % 50, 60, 'x', 'Done', 'succeeded', at, at, at, at + interval '40 s', at, null, 'a_' || substr(md5(n::text), 1, 16),
       '[{"name":"queued","startedAt":"2026-01-01T00:00:00Z","endedAt":"2026-01-01T00:00:01Z","reason":null}]'
     from (select n, now() - (($4::int - n) * interval '20 s') as at from generate_series($3::int + 1, $4::int) n) made`,
    [person.id, person.name, after, upTo],
  );
  await on.query(
    `insert into job_order (job_id, spec) select 'j_' || substr(md5(n::text), 1, 16), repeat('Read the notes and change the parser. ', 20)
     from generate_series($1::int + 1, $2::int) n`,
    [after, upTo],
  );
  await on.query(
    `insert into job_event (job_id, n, at, state, reason, attempt)
     select 'j_' || substr(md5(n::text), 1, 16), e, now(), 'succeeded', 'Done', 1 from generate_series($1::int + 1, $2::int) n, generate_series(1, 6) e`,
    [after, upTo],
  );
  await on.query(
    `insert into activity_message (activity_id, at, type, message, actor_id, actor_name, correlation_id)
     select 'a_' || substr(md5(n::text), 1, 16), now(), m->>'type', m, $1, $2, 'j_' || substr(md5(n::text), 1, 16)
     from generate_series($3::int + 1, $4::int) n,
       jsonb_array_elements('[{"type":"DEVOPS_STARTED","operation":"Job","steps":["Run"]},{"type":"DEVOPS_STEP_UPDATE","step":"Run","status":"running"},{"type":"DEVOPS_STEP_UPDATE","step":"Run","status":"completed"},{"type":"DEVOPS_COMPLETE","note":"Done"}]'::jsonb) m`,
    [person.id, person.name, after, upTo],
  );
  await on.query(
    `insert into activity (id, version, owner, actor_name, correlation_id, is_open, at, last_at, kept, summary)
     select id, 3, $1, $2, job, false, at, at, 4, jsonb_build_object('id', id, 'operation', 'Job', 'status', 'completed',
       'startedAt', '2026-01-01T00:00:00.000Z', 'completedAt', '2026-01-01T00:00:00.000Z', 'error', null, 'link', '/jobs/' || job,
       'steps', '[{"name":"Run","status":"completed","startedAt":null,"completedAt":null,"error":null}]'::jsonb,
       'actor', jsonb_build_object('id', $1::text, 'name', $2::text), 'correlationId', job)
     from (select 'a_' || substr(md5(n::text), 1, 16) as id, 'j_' || substr(md5(n::text), 1, 16) as job, now() - (($4::int - n) * interval '20 s') as at
       from generate_series($3::int + 1, $4::int) n) made`,
    [person.id, person.name, after, upTo],
  );
  // What the server keeps of one person, and the first, which is asked for.
  await on.query(
    `delete from activity where id <> 'a_${FIRST}' and id not in (select id from activity order by at desc limit 2000)`,
  );
  await on.query(
    `insert into log (id, revision, last_line, bytes, ended_at, end_state, compacted_at)
     select 'j_' || substr(md5(n::text), 1, 16), 1, 100, 1000, now(), 'succeeded', now() from generate_series($1::int + 1, $2::int) n`,
    [after, upTo],
  );
}
