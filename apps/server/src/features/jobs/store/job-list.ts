import type { JobState } from '@hangar/contract';
import { and, desc, eq, inArray, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import type { Database } from '../../../platform/database/index.ts';
import { type JobRow, jobSearch, jobs } from './jobs-tables.ts';

export interface ListFilter {
  readonly states?: JobState[];
  readonly agent?: string;
  readonly profile?: string;
  readonly repo?: string;
  readonly group?: string;
  /** In title, repository and id. */
  readonly search?: string;
  readonly before?: { createdAt: Date; id: string };
  readonly limit: number;
}

/** The index of texts knows three letters or digits in a row; of others than ASCII each is a word. Less is looked for in so many jobs. */
const INDEXED = /[a-z\d]{3}|[^\0-\x7f]/i;
const SHORT_TEXT_JOBS = 2_000;

/** Jobs of one person, or of everybody, newest first. What they are found by stands in `job_search`, what becomes of them in `job`. */
export async function listJobs(db: Database['db'], userId: string | null, filter: ListFilter): Promise<JobRow[]> {
  const where = by(filter);
  const byState = filter.states ? inArray(jobs.state, filter.states) : undefined;
  if (where.length === 0) {
    const owned = userId === null ? undefined : eq(jobs.userId, userId);
    return db
      .select()
      .from(jobs)
      .where(and(owned, byState, before(filter, jobs.createdAt, jobs.id)))
      .orderBy(desc(jobs.createdAt), desc(jobs.id))
      .limit(filter.limit);
  }
  const owned = userId === null ? undefined : eq(jobSearch.userId, userId);
  const newest = sql`(select * from ${jobSearch} where ${owned ?? sql`true`} order by created_at desc, job_id desc limit ${SHORT_TEXT_JOBS}) ${jobSearch}`;
  const found = await db
    .select({ job: jobs })
    .from(filter.search && !INDEXED.test(filter.search) ? newest : sql`${jobSearch}`)
    .innerJoin(jobs, eq(jobs.id, jobSearch.jobId))
    .where(and(owned, ...where, byState, before(filter, jobSearch.createdAt, jobSearch.jobId)))
    .orderBy(desc(jobSearch.createdAt), desc(jobSearch.jobId))
    .limit(filter.limit);
  return found.map(({ job }) => job);
}

function by({ agent, profile, repo, group, search }: ListFilter): SQL[] {
  const where: SQL[] = [];
  if (agent) where.push(eq(jobSearch.agent, agent));
  if (profile) where.push(eq(jobSearch.profile, profile));
  if (repo) where.push(eq(jobSearch.repoName, repo));
  if (group) where.push(eq(jobSearch.group, group));
  if (search) {
    const like = `%${search.replaceAll(/[\\%_]/g, '\\$&')}%`;
    // A line end stands between what is searched, and nowhere in it.
    where.push(search.includes('\n') ? sql`false` : sql`${jobSearch.key} like job_search_key(${like})`);
    // Both say almost the same. Side by side the planner would take what they find for far less than it is, and read all of it.
    where.push(sql`case when ${jobSearch.text} ilike ${like} then true else false end`);
  }
  return where;
}

/** As a comparison of rows: the index leads to the page, however far down it is. */
const before = ({ before: last }: ListFilter, createdAt: SQLWrapper, id: SQLWrapper): SQL | undefined =>
  last && sql`(${createdAt}, ${id}) < (${last.createdAt.toISOString()}::timestamptz, ${last.id}::text)`;
