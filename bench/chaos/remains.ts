import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { readPostmaster } from '../../apps/server/src/platform/database/embedded/postmaster.ts';
import type { Check } from './verdict.ts';

export interface Question {
  readonly what: string;
  readonly sql: string;
}

/** Of whatever ran: what may not be there once it is over. */
const OF_ALL: readonly Question[] = [
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

/** Of a noun that is reconciled, and cleans up after `admitted`. */
export const questionsOf = (table: string, admitted = 'true'): Question[] => [
  { what: `${table}s not at their end`, sql: `select id from ${table} where finished_at is null` },
  { what: `${table}s not cleaned`, sql: `select id from ${table} where ${admitted} and cleaned_at is null` },
  { what: `leases of ${table}s held`, sql: `select id from ${table} where lease_until is not null` },
  { what: `wake-ups of ${table}s due`, sql: `select id from ${table} where wake_at is not null` },
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

export interface Remains {
  readonly dataDir: string;
  readonly questions: readonly Question[];
  /** By table: how many were accepted. */
  readonly accepted: Readonly<Record<string, number>>;
  /** Processes and containers that are still there. */
  readonly leftovers: () => Promise<string[]>;
  /** Folders that are still there, other than those of units of this machine. */
  readonly folders?: () => Promise<string[]>;
}

/** Waits until nothing is left of anything, or the time is over; then says what is. */
export async function remains(o: Remains & { readonly deadlineMs: number }): Promise<Check[]> {
  const deadline = performance.now() + o.deadlineMs;
  for (;;) {
    const checks = await look(o);
    if (checks.every(({ wrong }) => wrong.length === 0) || performance.now() > deadline) return checks;
    await sleep(1_000);
  }
}

async function look(o: Remains): Promise<Check[]> {
  const client = await connect(o.dataDir);
  const ids = async (sql: string) => (await client.query<{ id: string }>(sql)).rows.map(({ id }) => id);
  try {
    const rows: string[] = [];
    const questions = [...o.questions, ...OF_ALL];
    for (const { what, sql } of questions) {
      const found = await ids(sql);
      if (found.length > 0) rows.push(`${what}: ${found.join(', ')}`);
    }
    const stored: Check[] = [];
    for (const [table, accepted] of Object.entries(o.accepted)) {
      const { length } = await ids(`select id from ${table}`);
      const wrong = length === accepted ? [] : [`${length} are stored, ${accepted} were accepted`];
      stored.push({ name: `each accepted ${table} is there once`, looked: accepted, wrong });
    }
    const folders = readdirSync(join(o.dataDir, 'units')).filter((name) => !name.startsWith('.'));
    return [
      ...stored,
      { name: 'nothing left in the database', looked: questions.length, wrong: rows },
      { name: 'no process or container left', looked: 1, wrong: await o.leftovers() },
      { name: 'no folder left', looked: 1, wrong: [...folders, ...((await o.folders?.()) ?? [])] },
    ];
  } finally {
    await client.end();
  }
}
