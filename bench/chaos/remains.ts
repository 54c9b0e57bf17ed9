import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { readPostmaster } from '../../apps/server/src/platform/database/embedded/postmaster.ts';
import type { Check } from './verdict.ts';
import type { Scene } from './victims.ts';

const QUESTIONS: readonly { what: string; sql: string }[] = [
  { what: 'jobs not at their end', sql: 'select id from job where finished_at is null' },
  { what: 'jobs not cleaned', sql: 'select id from job where admitted_at is not null and cleaned_at is null' },
  { what: 'leases held', sql: 'select id from job where lease_until is not null' },
  { what: 'wake-ups due', sql: 'select id from job where wake_at is not null' },
  { what: 'logs not ended', sql: 'select id from log where ended_at is null' },
  {
    what: 'advisory locks of nobody who lives',
    sql: `select pid::text as id from pg_locks where locktype = 'advisory' and granted
          and pid not in (select pid from pg_stat_activity where application_name = 'hangar-server')`,
  },
  {
    what: 'transactions left open',
    sql: `select pid::text as id from pg_stat_activity where state like 'idle in transaction%' and state_change < now() - interval '5 seconds'`,
  },
];

async function connect(dataDir: string): Promise<pg.Client> {
  const socketDir = (await readPostmaster(join(dataDir, 'postgres')))?.socketDir ?? '';
  const client = new pg.Client({ host: socketDir, port: 5432, user: 'hangar', database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** One question to the server's own database. */
export async function askDatabase<Row extends pg.QueryResultRow>(dataDir: string, sql: string): Promise<Row[]> {
  const client = await connect(dataDir);
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Waits until nothing is left of any job, or the time is over; then says what is. */
export async function remains(o: {
  dataDir: string;
  scene: Scene;
  accepted: number;
  deadlineMs: number;
}): Promise<Check[]> {
  const deadline = performance.now() + o.deadlineMs;
  for (;;) {
    const checks = await look(o);
    if (checks.every(({ wrong }) => wrong.length === 0) || performance.now() > deadline) return checks;
    await sleep(1_000);
  }
}

async function look(o: { dataDir: string; scene: Scene; accepted: number }): Promise<Check[]> {
  const client = await connect(o.dataDir);
  try {
    const rows: string[] = [];
    for (const { what, sql } of QUESTIONS) {
      const found = await client.query<{ id: string }>(sql);
      if (found.rows.length > 0) rows.push(`${what}: ${found.rows.map(({ id }) => id).join(', ')}`);
    }
    const { rows: counted } = await client.query<{ n: number }>('select count(*)::int as n from job');
    const stored = counted[0]?.n ?? 0;
    const folders = readdirSync(join(o.dataDir, 'units')).filter((name) => !name.startsWith('.'));
    return [
      {
        name: 'each accepted job is there once',
        looked: o.accepted,
        wrong: stored === o.accepted ? [] : [`${stored} jobs are stored, ${o.accepted} were accepted`],
      },
      { name: 'nothing left in the database', looked: QUESTIONS.length, wrong: rows },
      { name: 'no process or container left', looked: 1, wrong: await o.scene.leftovers() },
      { name: 'no folder of a unit left', looked: 1, wrong: folders },
    ];
  } finally {
    await client.end();
  }
}
