import type { DriverName } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import { boolean, integer, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { at } from '../../platform/database/columns.ts';

export interface Limits {
  cpus?: number | undefined;
  memoryBytes?: number | undefined;
  pids?: number | undefined;
  jobsAtOnce?: number | undefined;
}

export const profiles = pgTable(
  'profile',
  {
    name: text().primaryKey(),
    driver: text().$type<DriverName>().notNull(),
    settings: jsonb().$type<Record<string, unknown>>().notNull(),
    limits: jsonb().$type<Limits>().notNull(),
    /** Of its settings: the newest of `profile_revision`. */
    revision: integer().notNull().default(1),
    isDefault: boolean('is_default').notNull().default(false),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (profile) => [uniqueIndex('profile_default').on(profile.isDefault).where(sql`is_default`)],
);

/** Each settings that a profile has had: units live on with those they were started with, though the profile is changed or gone. */
export const profileRevisions = pgTable(
  'profile_revision',
  {
    profile: text().notNull(),
    revision: integer().notNull(),
    driver: text().$type<DriverName>().notNull(),
    settings: jsonb().$type<Record<string, unknown>>().notNull(),
    limits: jsonb().$type<Limits>().notNull(),
    /** When another took its place, or its profile was removed. */
    supersededAt: at('superseded_at'),
  },
  (revision) => [primaryKey({ columns: [revision.profile, revision.revision] })],
);
