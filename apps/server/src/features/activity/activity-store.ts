import { isDeepStrictEqual } from 'node:util';
import { type SQL, sql } from 'drizzle-orm';
import type { Tx } from '../../platform/database/index.ts';
import { type Note, sending } from '../../platform/database/listener.ts';
import { announcing } from '../../platform/live/announce.ts';
import { foldActivity, type StoredMessage } from './activity-fold.ts';
import type { Summary } from './activity-tables.ts';

/** One activity as it is kept. */
interface Row {
  readonly version: number;
  readonly lastAt: Date;
  readonly summary: Summary;
  readonly kept: number;
  readonly base: Summary | null;
}

/** As live frames call it. */
export const ACTIVITY = 'activity';

/** More than these are not kept of one activity: who says so much says little with each. */
const MOST_KEPT = 200;

/** The SQL of activities. Whatever writes one holds its row, so that its messages are folded one after the other. */
export function activityStore(db: Tx) {
  return {
    /** What was said, with what it makes of the activities, in the caller's transaction. Answers of which something changed. */
    async publish(tx: Tx, said: ReadonlyMap<string, readonly StoredMessage[]>): Promise<void> {
      const rows = await lock(tx, [...said.keys()]);
      const written: object[] = [];
      const kept: object[] = [];
      const settled: string[] = [];
      const told: Note[] = [];
      for (const [id, messages] of said) {
        const before = rows.get(id) ?? null;
        // Let go meanwhile, or never begun: nobody could tell what it is.
        if (!before && !begins(messages)) continue;
        const after = await folded(tx, before, messages);
        if (!after || (before && isDeepStrictEqual(after, before.summary))) continue;
        const count = (before?.kept ?? 0) + messages.length;
        const isFull = count > MOST_KEPT;
        if (isFull) settled.push(id);
        else kept.push(...messages.map(asMessage));
        const lastAt = Math.max(before?.lastAt.getTime() ?? 0, ...messages.map(({ at }) => at.getTime()));
        const version = (before?.version ?? 0) + 1;
        written.push({
          ...{ id, version, owner: after.actor.id ?? '', actor_name: after.actor.name },
          ...{ correlation_id: after.correlationId, is_open: after.status === 'in_progress', summary: after },
          ...{ at: after.completedAt ?? after.startedAt, last_at: new Date(lastAt) },
          ...(isFull ? { kept: 0, base: after } : { kept: count, base: before?.base ?? null }),
        });
        told.push(announcing({ noun: ACTIVITY, id, audience: after.actor.id }));
      }
      if (written.length === 0) return;
      if (settled.length > 0)
        await tx.execute(sql`delete from activity_message where activity_id = any(${sql.param(settled)}::text[])`);
      await tx.execute(sql`
        with said as (insert into activity_message (activity_id, at, type, message, actor_id, actor_name, correlation_id)
          select r.activity_id, r.at, r.type, r.message, r.actor_id, r.actor_name, r.correlation_id
          from jsonb_array_elements(${JSON.stringify(kept)}::jsonb) with ordinality e(value, place)
          cross join lateral jsonb_populate_record(null::activity_message, e.value) r order by e.place),
        written as (insert into activity select * from jsonb_populate_recordset(null::activity, ${JSON.stringify(written)}::jsonb)
          on conflict (id) do update set version = excluded.version, is_open = excluded.is_open, at = excluded.at,
            last_at = excluded.last_at, summary = excluded.summary, kept = excluded.kept, base = excluded.base)
        ${sending(told)}`);
    },

    async find(id: string): Promise<(Summary & { version: number }) | null> {
      const { rows } = await db.execute<Listed>(sql`select version, summary from activity where id = ${id}`);
      return rows[0] ? { ...rows[0].summary, version: rows[0].version } : null;
    },

    /** The newest of one person. */
    newestOf: (isOpen: boolean, of: SQL, limit: number) =>
      read(
        sql`select version, summary from activity where is_open = ${isOpen} and ${of} order by at desc, id limit ${limit}`,
      ),

    /** The newest of one name or about one thing, as fair as that of everybody: whoever publishes says what theirs is about. */
    newestAmong: (isOpen: boolean, which: SQL, limit: number) =>
      read(sql`
        select version, summary from (
          select id from (
            select id, at, row_number() over (partition by owner order by at desc, id) as turn from activity
            where is_open = ${isOpen} and ${which}) mine order by turn, at desc, id limit ${limit}) fair
        join activity using (id) order by at desc, id`),

    /** The newest of everybody, each person's newest before anybody's second: no flood hides what others do. */
    newestOfAll: (isOpen: boolean, where: SQL, limit: number) =>
      read(sql`
        with recursive ${owners(isOpen)}, newest as (
          select mine.*, row_number() over (partition by o.owner order by mine.at desc, mine.id) as turn from owners o
          cross join lateral (select id, at, version, summary from activity
            where is_open = ${isOpen} and owner = o.owner and ${where} order by at desc, id limit ${limit}) mine)
        select version, summary from (select * from newest order by turn, at desc, id limit ${limit}) fair order by at desc, id`),

    /** Forgets messages before which none will come any more: what they said stays. Answers how many; some are left when it is `most`. */
    async settle(most: number): Promise<number> {
      const { rowCount } = await db.execute(sql`
        with old as (select distinct activity_id as id from (select activity_id, received_at from activity_message order by n limit ${most}) m
          where received_at < now() - interval '1 day'),
        held as (select a.id from activity a join old on old.id = a.id order by a.id for update of a),
        settled as (update activity set base = summary, kept = 0 from held where activity.id = held.id)
        delete from activity_message m using old where m.activity_id = old.id`);
      return rowCount ?? 0;
    },

    /** Lets go what is older than so many days, and of each person what is more than so many. Answers how many. */
    async letGo(isOpen: boolean, keep: { days: number; each: number }, most: number): Promise<number> {
      const { rowCount } = await db.execute(sql`
        with recursive ${owners(isOpen)}, gone as (
          select old.id from owners o cross join lateral (
            (select id from activity where is_open = ${isOpen} and owner = o.owner order by at desc, id offset ${keep.each} limit ${most})
            union
            (select id from activity where is_open = ${isOpen} and owner = o.owner and at < now() - ${keep.days} * interval '1 day'
               and last_at < now() - ${keep.days} * interval '1 day' order by at limit ${most})) old limit ${most}),
        said as (delete from activity_message m using gone where m.activity_id = gone.id)
        delete from activity a using gone where a.id = gone.id`);
      return rowCount ?? 0;
    },
  };

  async function read(query: SQL): Promise<(Summary & { version: number })[]> {
    const { rows } = await db.execute<Listed>(query);
    return rows.map(({ version, summary }) => ({ ...summary, version }));
  }
}

type Listed = { version: number; summary: Summary };

const begins = (messages: readonly StoredMessage[]): boolean =>
  messages.some(({ message }) => message.type === 'DEVOPS_STARTED');

/** The people who have any, by one look into the index for each. */
const owners = (isOpen: boolean): SQL => sql`owners(owner) as (
  (select owner from activity where is_open = ${isOpen} order by owner limit 1)
  union all select next.owner from owners o cross join lateral
    (select owner from activity where is_open = ${isOpen} and owner > o.owner order by owner limit 1) next)`;

async function lock(tx: Tx, ids: readonly string[]): Promise<Map<string, Row>> {
  const { rows } = await tx.execute<{ id: string } & Row & Record<string, unknown>>(sql`
    select id, version, last_at as "lastAt", summary, kept, base from activity
    where id = any(${sql.param([...ids])}::text[]) order by id for update`);
  return new Map(rows.map((row) => [row.id, { ...row, lastAt: new Date(row.lastAt) }]));
}

/** What comes in order goes on from what is known; what comes late is folded with all that is kept. */
async function folded(tx: Tx, before: Row | null, messages: readonly StoredMessage[]): Promise<Summary | null> {
  const isLate = before !== null && messages.some(({ at }) => at < before.lastAt);
  if (!isLate) return foldActivity(messages, before?.summary);
  const { rows } = await tx.execute<Record<string, unknown> & Omit<StoredMessage, 'at'> & { at: string }>(sql`
    select n::int, activity_id as "activityId", at, message, actor_id as "actorId", actor_name as "actorName",
      correlation_id as "correlationId"
    from activity_message where activity_id = ${before.summary.id} order by n limit ${MOST_KEPT}`);
  const kept = rows.map((row): StoredMessage => ({ ...row, at: new Date(row.at) }));
  const after = kept.length + messages.length;
  return foldActivity(
    [...kept, ...messages.map((message, index) => ({ ...message, n: after + index + MOST }))],
    before.base,
  );
}

/** Beyond every number that a message has: it is the newest that came. */
const MOST = 2 ** 52;

const asMessage = ({ activityId, at, message, actorId, actorName, correlationId }: StoredMessage): object => ({
  ...{ activity_id: activityId, at, type: message.type, message },
  ...{ actor_id: actorId, actor_name: actorName, correlation_id: correlationId },
});
