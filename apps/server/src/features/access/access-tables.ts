import { sql } from 'drizzle-orm';
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

// Tokens are never stored, only their SHA-256; passwords only as a scrypt hash.

const time = (name: string) => timestamp(name, { withTimezone: true });

export const plan = pgTable('plan', {
  id: text('id').primaryKey(),
  title: text('title').notNull(),
  jobsAtOnce: integer('jobs_at_once').notNull(),
  jobsWaiting: integer('jobs_waiting').notNull(),
  sandboxesAtOnce: integer('sandboxes_at_once').notNull().default(10),
  minutesPerMonth: bigint('minutes_per_month', { mode: 'number' }),
  maxTimeoutSeconds: integer('max_timeout_seconds').notNull(),
  maxArtifactBytes: bigint('max_artifact_bytes', { mode: 'number' }).notNull(),
  maxLogBytes: bigint('max_log_bytes', { mode: 'number' }).notNull(),
  keepLogDays: integer('keep_log_days'),
  keepArtifactDays: integer('keep_artifact_days'),
  keepBytes: bigint('keep_bytes', { mode: 'number' }),
});

export const person = pgTable(
  'person',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    /** Lower case. Null until the first admin has given one. */
    email: text('email').unique('person_email_unique'),
    role: text('role', { enum: ['admin', 'member'] }).notNull(),
    planId: text('plan_id')
      .notNull()
      .references(() => plan.id),
    disabled: boolean('disabled').notNull().default(false),
    passwordHash: text('password_hash'),
    createdAt: time('created_at').notNull(),
    lastSeenAt: time('last_seen_at'),
    /** When a browser was last signed in; use of an API key alone is no sign-in. */
    signedInAt: time('signed_in_at'),
  },
  (table) => [check('person_role', sql`${table.role} in ('admin', 'member')`)],
);

const personId = () =>
  text('person_id')
    .notNull()
    .references(() => person.id, { onDelete: 'cascade' });

/** A browser that is signed in. */
export const session = pgTable(
  'session',
  {
    tokenHash: text('token_hash').primaryKey(),
    personId: personId(),
    /** A session that a one-time link began may set a password without knowing the old one, for a while. */
    byLink: boolean('by_link').notNull(),
    place: text('place').notNull(),
    userAgent: text('user_agent').notNull(),
    createdAt: time('created_at').notNull(),
    lastUsedAt: time('last_used_at').notNull(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('session_person').on(table.personId), index('session_expires').on(table.expiresAt)],
);

export const signInLink = pgTable(
  'sign_in_link',
  {
    tokenHash: text('token_hash').primaryKey(),
    personId: personId(),
    /** Null: the server itself, for whoever can read its data directory. */
    createdBy: text('created_by').references(() => person.id, { onDelete: 'cascade' }),
    createdAt: time('created_at').notNull(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [
    index('sign_in_link_person').on(table.personId),
    index('sign_in_link_created_by').on(table.createdBy).where(sql`created_by is not null`),
  ],
);

export const invite = pgTable('invite', {
  id: text('id').primaryKey(),
  tokenHash: text('token_hash').notNull().unique('invite_token_unique'),
  role: text('role', { enum: ['admin', 'member'] }).notNull(),
  createdBy: text('created_by')
    .notNull()
    .references(() => person.id, { onDelete: 'cascade' }),
  createdAt: time('created_at').notNull(),
  expiresAt: time('expires_at').notNull(),
});

export const apiKey = pgTable(
  'api_key',
  {
    id: text('id').primaryKey(),
    personId: personId(),
    name: text('name').notNull(),
    prefix: text('prefix').notNull(),
    keyHash: text('key_hash').notNull().unique('api_key_hash_unique'),
    createdAt: time('created_at').notNull(),
    expiresAt: time('expires_at'),
    lastUsedAt: time('last_used_at'),
  },
  (table) => [index('api_key_person').on(table.personId)],
);

/** A program that waits for a person's approval (RFC 8628). */
export const deviceRequest = pgTable(
  'device_request',
  {
    deviceCodeHash: text('device_code_hash').primaryKey(),
    userCodeHash: text('user_code_hash').notNull().unique('device_request_user_code_unique'),
    clientId: text('client_id').notNull(),
    client: text('client').notNull(),
    place: text('place').notNull(),
    userAgent: text('user_agent').notNull(),
    status: text('status', { enum: ['waiting', 'approved', 'denied'] }).notNull(),
    decidedBy: text('decided_by').references(() => person.id, { onDelete: 'cascade' }),
    intervalSeconds: integer('interval_seconds').notNull(),
    lastPolledAt: time('last_polled_at'),
    createdAt: time('created_at').notNull(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('device_request_expires').on(table.expiresAt)],
);

/** A program that is signed in: one family of refresh tokens. */
export const device = pgTable(
  'device',
  {
    id: text('id').primaryKey(),
    personId: personId(),
    clientId: text('client_id').notNull(),
    client: text('client').notNull(),
    createdAt: time('created_at').notNull(),
    lastUsedAt: time('last_used_at'),
    expiresAt: time('expires_at').notNull(),
    revokedAt: time('revoked_at'),
  },
  (table) => [index('device_person').on(table.personId), index('device_expires').on(table.expiresAt)],
);

export const refreshToken = pgTable(
  'refresh_token',
  {
    tokenHash: text('token_hash').primaryKey(),
    deviceId: text('device_id')
      .notNull()
      .references(() => device.id, { onDelete: 'cascade' }),
    createdAt: time('created_at').notNull(),
    /** When it was first redeemed. After a short grace a second redemption ends the family. */
    usedAt: time('used_at'),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('refresh_token_device').on(table.deviceId)],
);

/** How often something was tried in a minute; the key is a hash. */
export const rateCount = pgTable(
  'rate_count',
  {
    key: text('key').primaryKey(),
    began: time('began').notNull(),
    count: integer('count').notNull(),
  },
  (table) => [index('rate_count_began').on(table.began)],
);

/** Keys that sign access tokens. One generation after the other; the next is published before it is used. */
export const signingKey = pgTable('signing_key', {
  generation: integer('generation').primaryKey(),
  kid: text('kid').notNull().unique('signing_key_kid_unique'),
  publicJwk: jsonb('public_jwk').notNull(),
  sealedPrivateJwk: text('sealed_private_jwk').notNull(),
  notBefore: time('not_before').notNull(),
  retireAt: time('retire_at').notNull(),
});
