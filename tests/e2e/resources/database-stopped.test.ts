import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromWire } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbedded } from '../../../apps/server/src/platform/database/embedded/embedded.ts';
import { counted, countedTo, counting, ServerHere } from '../cuts/server-here.ts';

const LINES = 500;
let dir: string;
let postgres: EmbeddedPostgres;
let server: ServerHere;
let frozen: number[] = [];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hangar-stopped-'));
  postgres = await begin();
  const { user, host, port, database } = postgres.connection;
  server = await ServerHere.start({
    databaseUrl: `postgresql://${user}@${encodeURIComponent(host)}:${port}/${database}`,
  });
}, 120_000);
afterAll(async () => {
  for (const pid of frozen) process.kill(pid, 'SIGCONT');
  await server?.close();
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
});

const begin = () =>
  startEmbedded({ dataDir: join(dir, 'database'), log: pino({ level: 'silent' }), settings: { fsync: 'off' } });

/** Every process of this PostgreSQL: the postmaster and its children. */
function processes(): number[] {
  const postmaster = Number(readFileSync(join(dir, 'database/postgres/postmaster.pid'), 'utf8').split('\n')[0]);
  const children = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const parent = / \S (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\)/, ' '))?.[1];
      return Number(parent) === postmaster;
    } catch {
      return false;
    }
  });
  return [postmaster, ...children.map(Number)];
}
/** @throws when there is no answer in 25 s */
async function answer(): Promise<string> {
  const headers = { authorization: `Bearer ${server.key}` };
  const response = await fetch(`${server.cli.url}/api/jobs`, { headers, signal: AbortSignal.timeout(25_000) });
  return `${response.status} ${fromWire(await response.json())?.code ?? ''}`.trim();
}
async function until(wanted: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (let seen = ''; seen !== wanted; await sleep(200)) {
    seen = await answer();
    expect(seen).toMatch(/^200$|^503 database_unavailable$/);
    if (Date.now() > deadline) throw new Error(`the API still answers ${seen}`);
  }
}

it('stopped for a while, then frozen for a while: no line is lost or doubled, also none that was late', async () => {
  const id = await server.send(counting(LINES, 0.05));
  await server.saw(id, 'line 20');

  await postgres.stop();
  await until('503 database_unavailable');
  await sleep(3_000);
  postgres = await begin();
  await until('200');

  // Frozen, it takes connections and statements, and carries them out when nobody waits for them any more.
  frozen = processes();
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  await until('503 database_unavailable');
  for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
  await until('200');

  const { job, states } = await server.ended(id);
  expect(job).toMatchObject({ state: 'succeeded', failure: null, diff: { filesChanged: 1, partial: false } });
  expect(states).not.toContain('lost');
  expect(counted(await server.log(id))).toEqual(countedTo(LINES));
  expect(server.said.filter(({ level }) => level === 'error')).toEqual([]);
}, 150_000);
