// P14: from starting the server's process to its first answered request, empty and with 10,000 jobs; memory when idle.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ServerProcess } from '../tests/e2e/server-process.ts';
import { median, record, timed } from './measure.ts';

const JOBS = 10_000;
const server = await ServerProcess.make();
try {
  const fresh = await timed(() => server.start());
  const restart = async (signal: NodeJS.Signals) => {
    await server.kill(signal);
    return timed(() => server.start());
  };
  const empty: number[] = [];
  for (let round = 0; round < 7; round++) empty.push(await restart('SIGTERM'));
  const client = new pg.Client({ host: join(server.dir, 'data/postgres'), user: 'hangar', database: 'postgres' });
  await client.connect();
  await client.query(
    `insert into job (id, user_id, user_name, title, agent, profile, driver, repo_name, timeout_seconds, request_hash, reason, state, finished_at, admitted_at, cleaned_at, wake_at)
     select 'j_' || lpad(n::text, 16, '0'), (select id from person limit 1), 'Admin', 'Job ' || n, 'shell', 'local', 'local', 'a/b', 60, 'x', 'Done', 'succeeded', now(), now(), now(), null
     from generate_series(1, $1) n`,
    [JOBS],
  );
  await client.query(`insert into job_order (job_id, spec) select id, '# X' from job`);
  await client.end();
  const full: number[] = [];
  const killed: number[] = [];
  for (let round = 0; round < 7; round++) full.push(await restart('SIGTERM'));
  for (let round = 0; round < 7; round++) killed.push(await restart('SIGKILL'));
  await sleep(10_000);
  const rssMb = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
  const worst = Math.max(median(empty), median(full), median(killed));
  record({
    id: 'P14',
    what: `cold start to first answer, empty and with ${JOBS} jobs; idle memory`,
    bar: '< 2 s; < 200 MB',
    met: worst < 2_000 && rssMb < 200,
    result: `${(worst / 1000).toFixed(2)} s; ${rssMb.toFixed(0)} MB (a fresh data directory ${(fresh / 1000).toFixed(2)} s)`,
    series: [
      { label: 'empty', ms: empty },
      { label: `${JOBS} jobs`, ms: full },
      { label: 'after kill -9', ms: killed },
    ],
    command: 'node bench/p14-cold-start.bench.ts',
  });
} finally {
  await server.remove();
}
