import { integer, text } from 'drizzle-orm/pg-core';
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
