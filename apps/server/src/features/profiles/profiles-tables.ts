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
    /** The name of one of the server, see `profileKey`. */
    key: text('name').primaryKey(),
    /** Whose alone it is; null: the server's. */
    userId: text('user_id'),
    driver: text().$type<DriverName>().notNull(),
    /** Without what is secret. */
    settings: jsonb().$type<Record<string, unknown>>().notNull(),
    limits: jsonb().$type<Limits>().notNull(),
    /** Of its settings: the newest of `profile_revision`. */
    revision: integer().notNull().default(1),
    isDefault: boolean('is_default').notNull().default(false),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (profile) => [
    uniqueIndex('profile_default').on(profile.isDefault).where(sql`is_default and user_id is null`),
    uniqueIndex('profile_default_of').on(profile.userId).where(sql`is_default and user_id is not null`),
  ],
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
    /** Where its secret settings are: `profile_secret`, and the bytes of that name in whichever store there is. */
    blobKey: text('blob_key'),
    /** Secret settings that are set. */
    secretNames: jsonb('secret_names').$type<readonly string[]>().notNull().default([]),
    /** When another took its place, or its profile was removed. */
    supersededAt: at('superseded_at'),
  },
  (revision) => [primaryKey({ columns: [revision.profile, revision.revision] })],
);

/** What may be in the store of secrets: written before it is put there, gone after it is removed. Never the secrets themselves. */
export const profileSecrets = pgTable('profile_secret', {
  ref: text().primaryKey(),
  createdAt: at('created_at').notNull().defaultNow(),
  /** Nobody may name it any more; it is being removed. */
  goneAt: at('gone_at'),
});

/** Host keys that machines have shown, by profile and `host:port`. */
export const profileHostKeys = pgTable(
  'profile_host_key',
  {
    profile: text().notNull(),
    address: text().notNull(),
    lines: jsonb().$type<readonly string[]>().notNull(),
    pinnedAt: at('pinned_at').notNull().defaultNow(),
  },
  (pinned) => [primaryKey({ columns: [pinned.profile, pinned.address] })],
);
