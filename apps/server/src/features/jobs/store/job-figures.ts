import { JOB_PHASES, type JobPhase } from '@hangar/contract';
import type { Database } from '../../../platform/database/index.ts';

export const durationKey = (repoName: string, agent: string) => `${repoName}\n${agent}`;
export function pairOf(key: string): { repoName: string; agent: string } {
  const at = key.indexOf('\n');
  return { repoName: key.slice(0, at), agent: key.slice(at + 1) };
}

export interface JobsUse {
  readonly running: number;
  readonly waiting: number;
  readonly minutes: number;
  readonly periodEndsAt: Date;
}

/** What is counted over many jobs: places in queues, how long jobs like this one take, what a person has used. */
export function createJobFigures({ pool }: Database) {
  return {
    /** Place in the own queue and running jobs, for each person that has a waiting job in `ids`. */
    async queuePlaces(ids: readonly string[]): Promise<Map<string, { position: number; running: number }>> {
      if (ids.length === 0) return new Map();
      const { rows } = await pool.query<{ id: string; position: number; running: number }>(
        `select p.id,
           (select count(*)::int from place q where q.noun = 'job' and q.user_id = p.user_id and q.taken_at is null and q.freed_at is null
              and (q.asked_at, q.id) <= (p.asked_at, p.id)) as position,
           (select count(*)::int from place a where a.noun = 'job' and a.user_id = p.user_id and a.taken_at is not null and a.freed_at is null) as running
         from place p where p.noun = 'job' and p.id = any($1) and p.taken_at is null and p.freed_at is null`,
        [ids],
      );
      return new Map(rows.map((row) => [row.id, { position: row.position, running: row.running }]));
    },

    /** Quartiles of the last 20 jobs that succeeded, from admission to end, in milliseconds. */
    async durations(
      pairs: readonly { repoName: string; agent: string }[],
    ): Promise<Map<string, { low: number; high: number; basis: number }>> {
      if (pairs.length === 0) return new Map();
      const { rows } = await pool.query<{ repo_name: string; agent: string; low: string; high: string; basis: number }>(
        `select p.repo_name, p.agent, d.low, d.high, d.basis from unnest($1::text[], $2::text[]) p(repo_name, agent)
         cross join lateral (
           select percentile_cont(0.25) within group (order by ms) as low, percentile_cont(0.75) within group (order by ms) as high, count(*)::int as basis
           from (select extract(epoch from finished_at - admitted_at) * 1000 as ms from job
             where repo_name = p.repo_name and agent = p.agent and state = 'succeeded' order by finished_at desc limit 20) last
         ) d where d.basis >= 2`,
        [pairs.map((pair) => pair.repoName), pairs.map((pair) => pair.agent)],
      );
      return new Map(
        rows.map((row) => [
          durationKey(row.repo_name, row.agent),
          { low: Number(row.low), high: Number(row.high), basis: row.basis },
        ]),
      );
    },

    /** Medians of each phase over the last 20 jobs of the same repository and agent that succeeded; none below two. */
    async typicalPhases(job: {
      repoName: string;
      agent: string;
    }): Promise<{ name: JobPhase; medianSeconds: number; basis: number }[]> {
      const { rows } = await pool.query<{ name: JobPhase; median: string; basis: number }>(
        `select phase->>'name' as name, count(*)::int as basis,
           percentile_cont(0.5) within group (order by extract(epoch from (phase->>'endedAt')::timestamptz - (phase->>'startedAt')::timestamptz)) as median
         from (select phases from job where repo_name = $1 and agent = $2 and state = 'succeeded' order by finished_at desc limit 20) last
         cross join lateral jsonb_array_elements(phases) phase
         where phase->>'endedAt' is not null group by 1 having count(*) >= 2`,
        [job.repoName, job.agent],
      );
      return JOB_PHASES.flatMap((name) => {
        const row = rows.find((found) => found.name === name);
        return row ? [{ name, medianSeconds: Math.round(Number(row.median) * 1_000) / 1_000, basis: row.basis }] : [];
      });
    },

    /** Running, waiting, and minutes since the first of the month in UTC, of each of these people. */
    async uses(userIds: readonly string[]): Promise<Map<string, JobsUse>> {
      if (userIds.length === 0) return new Map();
      const { rows } = await pool.query<{
        user_id: string;
        running: number;
        waiting: number;
        minutes: string;
        period_ends: Date;
      }>(
        `with month as materialized (select date_trunc('month', now() at time zone 'utc') at time zone 'utc' as begins)
         select person.id as user_id, active.n as running, queued.n as waiting,
           (coalesce(used.ms, 0) / 1000.0 + active.seconds) / 60 as minutes,
           (date_trunc('month', now() at time zone 'utc') + interval '1 month') at time zone 'utc' as period_ends
         from month cross join unnest($1::text[]) person(id)
         cross join lateral (
           select count(*)::int as n, coalesce(extract(epoch from sum(now() - greatest(started_at, month.begins)) filter (where started_at is not null)), 0) as seconds
           from place p join job on job.id = p.id
           where p.noun = 'job' and p.user_id = person.id and p.taken_at is not null and p.freed_at is null) active
         cross join lateral (
           select count(*)::int as n from place p where p.noun = 'job' and p.user_id = person.id and p.taken_at is null and p.freed_at is null) queued
         left join minutes_used used on used.user_id = person.id and used.month = (month.begins at time zone 'utc')::date`,
        [userIds],
      );
      return new Map(
        rows.map((row) => [
          row.user_id,
          {
            running: row.running,
            waiting: row.waiting,
            minutes: Math.max(0, Number(row.minutes)),
            periodEndsAt: row.period_ends,
          },
        ]),
      );
    },
  };
}
