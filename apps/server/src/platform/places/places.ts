import type { Database } from '../database/index.ts';

/** What is used of profiles. */
export interface Places {
  /** How many of a noun have a place now, by profile. */
  inUse(noun: string): Promise<Map<string, number>>;
  /** How many of a noun one person has that have a place now. */
  heldBy(noun: string, userId: string): Promise<number>;
  /** Those that wait or run on a profile, by noun. */
  unfinishedOn(profile: string): Promise<Map<string, number>>;
  /** Settings of profiles that something was started with of which something may be left. */
  revisionsInUse(): Promise<{ profile: string; revision: number }[]>;
}

export function createPlaces({ pool }: Pick<Database, 'pool'>): Places {
  return {
    async inUse(noun) {
      const { rows } = await pool.query<{ profile: string; n: number }>(
        `select profile, count(*)::int as n from place
         where noun = $1 and taken_at is not null and freed_at is null group by 1`,
        [noun],
      );
      return new Map(rows.map(({ profile, n }) => [profile, n]));
    },

    async heldBy(noun, userId) {
      const { rows } = await pool.query<{ n: number }>(
        `select count(*)::int as n from place
         where noun = $1 and user_id = $2 and taken_at is not null and freed_at is null`,
        [noun, userId],
      );
      return rows[0]?.n ?? 0;
    },

    async unfinishedOn(profile) {
      const { rows } = await pool.query<{ noun: string; n: number }>(
        'select noun, count(*)::int as n from place where profile = $1 and freed_at is null group by 1',
        [profile],
      );
      return new Map(rows.map(({ noun, n }) => [noun, n]));
    },

    async revisionsInUse() {
      const { rows } = await pool.query<{ profile: string; revision: number }>(
        `select distinct profile, revision from place
         where revision is not null and (taken_at is not null or freed_at is not null)`,
      );
      return rows;
    },
  };
}
