import { sql } from 'drizzle-orm';
import { boolean, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { at } from '../database/columns.ts';

/**
 * What each table of a noun has whose things take places. Its migration ends with `SELECT "take_places"('<table>')`, which keeps a row of
 * `place` for each of its rows; the noun is called like its table.
 */
export const placeColumns = () => ({
  userId: text('user_id').notNull(),
  profile: text().notNull(),
  /** Of the profile's settings, which its unit was started with: it is asked after, ended and removed through the same. */
  profileRevision: integer('profile_revision'),
  createdAt: at('created_at').notNull().defaultNow(),
  cancelRequestedAt: at('cancel_requested_at'),
  /** Written by admission. */
  admittedAt: at('admitted_at'),
  finishedAt: at('finished_at'),
  /** Nothing is left of its unit. */
  cleanedAt: at('cleaned_at'),
});

/**
 * Who waits for a place on a profile, who has one, and of whom something may be left there; one row for each thing of each noun, gone
 * when that is cleaned up. Triggers on the noun's table write it, so that no writer can forget it.
 */
export const places = pgTable(
  'place',
  {
    noun: text().notNull(),
    id: text().notNull(),
    userId: text('user_id').notNull(),
    profile: text().notNull(),
    /** Of the profile's settings, once something was started with them. */
    revision: integer(),
    askedAt: at('asked_at').notNull(),
    /** Nobody took back that it is wanted. */
    isWanted: boolean('is_wanted').notNull(),
    takenAt: at('taken_at'),
    freedAt: at('freed_at'),
  },
  (place) => [
    primaryKey({ columns: [place.noun, place.id] }),
    index('place_waiting')
      .on(place.noun, place.userId, place.askedAt, place.id)
      .where(sql`taken_at is null and freed_at is null`),
    index('place_taken')
      .on(place.noun, place.userId, place.profile)
      .where(sql`taken_at is not null and freed_at is null`),
  ],
);

/** When each person was let in last, for who comes next; by the same triggers. */
export const placeTurns = pgTable(
  'place_turn',
  { noun: text().notNull(), userId: text('user_id').notNull(), at: at('at').notNull() },
  (turn) => [primaryKey({ columns: [turn.noun, turn.userId] })],
);
