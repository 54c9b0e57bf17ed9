import type { DriverName } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import { boolean, jsonb, pgTable, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core';

export const profiles = pgTable(
  'profile',
  {
    name: text().primaryKey(),
    driver: text().$type<DriverName>().notNull(),
    settings: jsonb().$type<Record<string, unknown>>().notNull(),
    limits: jsonb()
      .$type<{
        cpus?: number | undefined;
        memoryBytes?: number | undefined;
        pids?: number | undefined;
        jobsAtOnce?: number | undefined;
      }>()
      .notNull(),
    isDefault: boolean('is_default').notNull().default(false),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'date', precision: 3 }).notNull().defaultNow(),
  },
  (profile) => [uniqueIndex('profile_default').on(profile.isDefault).where(sql`is_default`)],
);
