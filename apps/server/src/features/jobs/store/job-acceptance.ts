import { HangarError } from '@hangar/contract';
import { and, eq, getTableColumns, or, sql } from 'drizzle-orm';
import type { Publish } from '../../../platform/capability.ts';
import { type Database, isUnstorable, type Tx } from '../../../platform/database/index.ts';
import { sending } from '../../../platform/database/listener.ts';
import { lockThings } from '../../../platform/database/locks.ts';
import { together } from '../../../platform/database/together.ts';
import { placesMoved } from '../../../platform/places/admission.ts';
import { publications } from '../lifecycle/job-activity.ts';
import { JOB, jobChanged } from '../lifecycle/job-noun.ts';
import { type JobOrderRow, type JobRow, jobs } from './jobs-tables.ts';

/** A job to be taken in, as `submit` made it. When that was, the database says. */
export interface Submission {
  readonly row: Omit<Partial<JobRow>, 'createdAt' | 'stateSince' | 'phases'> & Pick<JobRow, 'id' | 'userId'>;
  readonly order: Omit<JobOrderRow, 'jobId'>;
  /** How many jobs of this person may wait. */
  readonly waitingLimit: number;
}

export interface Accepted {
  readonly row: JobRow;
  /** Null: the key was used before, and this is the job that was made then. */
  readonly place: { readonly position: number; readonly running: number } | null;
}

interface Outcome {
  readonly made: boolean;
  /** Among the waiting jobs of its person; null when the key was known. */
  readonly position: number | null;
  readonly waiting: number;
  readonly running: number;
}

/** What a round holds in memory and in one statement: specs may be 1 MiB each, and six times that as JSON. */
const ROUND_MOST = 100;
const ROUND_CHARACTERS = 4 * 1024 * 1024;
const charactersOf = ({ order }: Submission): number => order.spec.length + (order.envSealed?.length ?? 0);

/**
 * Takes jobs in: those that come while a round is being written make up the next one, so that under load a transaction, its
 * notifications and the count of waiting jobs are paid once a round. A job is answered for when its round is committed.
 */
export function createAcceptance(
  { db }: Pick<Database, 'db'>,
  publish: Publish,
): (submission: Submission) => Promise<Accepted> {
  const round = together(take, { atMost: ROUND_MOST, weightOf: charactersOf, heaviest: ROUND_CHARACTERS });

  return async (submission) => {
    const result = await round(submission);
    if (result instanceof Error) throw result;
    return result;
  };

  async function take(submissions: readonly Submission[]): Promise<(Accepted | Error)[]> {
    try {
      return await write(submissions);
    } catch (error) {
      if (!isUnstorable(error) || submissions.length === 1) throw error;
      // One of them cannot be stored: that is no reason to refuse the others.
      const results: (Accepted | Error)[] = [];
      for (const submission of submissions) {
        results.push(
          ...(await take([submission]).catch((cause: unknown) => [
            cause instanceof Error ? cause : new Error(String(cause)),
          ])),
        );
      }
      return results;
    }
  }

  async function write(submissions: readonly Submission[]): Promise<(Accepted | Error)[]> {
    const { rows, outcomes } = await db.transaction(async (tx) => {
      const times = await oneServerAtATime(tx, submissions);
      const rows = submissions.map(({ row }) => queued(row, times));
      const found = await insert(tx, rows, submissions);
      const made = rows.filter((_row, index) => found[index]?.made);
      if (made.length > 0) {
        await publish(tx, publications(made));
        await tx.execute(sending([placesMoved(JOB), ...made.map(jobChanged)]));
      }
      return { rows, outcomes: found };
    });
    const known = await earlier(rows.filter((_row, index) => needsEarlier(outcomes[index])));
    return rows.map((row, index) => {
      const outcome = outcomes[index];
      const limit = submissions[index]?.waitingLimit ?? 0;
      if (outcome?.made) return { row, place: { position: outcome.position ?? 1, running: outcome.running } };
      const same = row.idempotencyKey === null ? undefined : known.get(`${row.userId} ${row.idempotencyKey}`);
      if (same)
        return same.requestHash === row.requestHash
          ? { row: same, place: null }
          : new HangarError('idempotency_conflict');
      if (outcome && (outcome.position ?? 0) > limit)
        return new HangarError('quota_jobs', {
          message: `${outcome.waiting} of your jobs wait already; your plan allows ${limit}.`,
          details: { waiting: outcome.waiting, limit },
        });
      return new HangarError('internal', { message: 'The job could not be stored.' });
    });
  }

  /** Jobs whose key was known before the round, or was taken by another server or by this round itself. */
  async function earlier(rows: readonly JobRow[]): Promise<Map<string, JobRow>> {
    const keyed = rows.filter(({ idempotencyKey }) => idempotencyKey !== null);
    if (keyed.length === 0) return new Map();
    const found = await db
      .select()
      .from(jobs)
      .where(
        or(...keyed.map((row) => and(eq(jobs.userId, row.userId), eq(jobs.idempotencyKey, row.idempotencyKey ?? '')))),
      );
    return new Map(found.map((row) => [`${row.userId} ${row.idempotencyKey}`, row]));
  }
}

const needsEarlier = (outcome: Outcome | undefined): boolean => outcome?.made !== true;

/**
 * What waits is counted and added to by one server at a time for each person: together they take in no more than the plan says.
 * Answers when each person's next job was made: by the database's clock, and after those there are, so that their order stays.
 */
async function oneServerAtATime(tx: Tx, submissions: readonly Submission[]): Promise<Map<string, number>> {
  const people = [...new Set(submissions.map(({ row }) => row.userId))];
  await tx.execute(lockThings('accept', people));
  const { rows } = await tx.execute<{ user_id: string; next_ms: string }>(sql`
    with clock as materialized (select clock_timestamp() as now)
    select person.id as user_id, extract(epoch from greatest(now, least(now + interval '1 s',
      coalesce((select max(created_at) from job where user_id = person.id) + interval '1 ms', now)))) * 1000 as next_ms
    from clock, unnest(${sql.param(people)}::text[]) person(id)`);
  return new Map(rows.map((row) => [row.user_id, Math.ceil(Number(row.next_ms))]));
}

/** A millisecond apart: jobs that were sent one after the other start in that order, though one round takes them in. */
function queued(row: Submission['row'], times: Map<string, number>): JobRow {
  const ms = times.get(row.userId) ?? 0;
  times.set(row.userId, ms + 1);
  const createdAt = new Date(ms);
  return {
    ...EMPTY,
    ...row,
    createdAt,
    stateSince: createdAt,
    phases: [{ name: 'queued', startedAt: createdAt.toISOString(), endedAt: null, reason: null }],
    wakeAt: null,
  };
}

/** One statement: what is known, how many wait, the rows that fit, their orders and their first events. */
async function insert(tx: Tx, rows: readonly JobRow[], submissions: readonly Submission[]): Promise<Outcome[]> {
  const people = [...new Map(submissions.map(({ row, waitingLimit }) => [row.userId, waitingLimit]))];
  const given = rows.map((row, index) => ({ row: stored(row), order: submissions[index]?.order }));
  const { rows: found } = await tx.execute<{
    made: boolean;
    position: number | null;
    waiting: number;
    running: number;
  }>(sql`
    with given as materialized (
      select e.place, e.value->'order' as its_order, r.*
      from jsonb_array_elements(${JSON.stringify(given)}::jsonb) with ordinality e(value, place)
      cross join lateral jsonb_populate_record(null::job, e.value->'row') r),
    known as (select g.place from given g join job j on j.user_id = g.user_id and j.idempotency_key = g.idempotency_key),
    people as materialized (
      select p.user_id, p.most,
        (select count(*)::int from place w where w.noun = 'job' and w.user_id = p.user_id and w.taken_at is null and w.freed_at is null) as waiting,
        (select count(*)::int from place r where r.noun = 'job' and r.user_id = p.user_id and r.taken_at is not null and r.freed_at is null) as running
      from unnest(${sql.param(people.map(([id]) => id))}::text[], ${sql.param(people.map(([, most]) => most))}::int[]) p(user_id, most)),
    fresh as materialized (
      select g.*, p.most, p.waiting + (row_number() over (partition by g.user_id order by g.place))::int as position
      from given g join people p on p.user_id = g.user_id where g.place not in (select place from known)),
    made as (insert into job (${COLUMNS}) select ${COLUMNS} from fresh where position <= most order by place
      on conflict do nothing returning id),
    orders as (insert into job_order (job_id, spec, env_sealed, env_names)
      select f.id, f.its_order->>'spec', f.its_order->>'envSealed', f.its_order->'envNames' from fresh f join made on made.id = f.id),
    events as (insert into job_event (job_id, n, at, state, reason, attempt)
      select f.id, 1, f.created_at, f.state, f.reason, f.attempt from fresh f join made on made.id = f.id)
    select made.id is not null as made, f.position, p.waiting, p.running
    from given g join people p on p.user_id = g.user_id left join fresh f on f.place = g.place left join made on made.id = g.id
    order by g.place`);
  return found;
}

const BY_KEY = Object.entries(getTableColumns(jobs));
const COLUMNS = sql.raw(BY_KEY.map(([, { name }]) => `"${name}"`).join(', '));

/** A row as PostgreSQL reads it from JSON. */
const stored = (row: JobRow): Record<string, unknown> =>
  Object.fromEntries(BY_KEY.map(([key, { name }]) => [name, row[key as keyof JobRow]]));

/** What a job has that nobody has touched. */
const EMPTY = Object.fromEntries(
  BY_KEY.map(([key, column]) => [
    key,
    ['string', 'number', 'boolean'].includes(typeof column.default) || isPlain(column.default) ? column.default : null,
  ]),
) as JobRow;

function isPlain(value: unknown): boolean {
  return (
    Array.isArray(value) ||
    (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
  );
}
