import type { Activity, ActivityMessage } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import { bigserial, boolean, index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import { at } from '../../platform/database/columns.ts';

/** What was folded from the messages of one activity. */
export type Summary = Omit<Activity, 'version'>;

/** What people see: one row an activity, written with every message that changes it. Lists read nothing else. */
export const activities = pgTable(
  'activity',
  {
    id: text().primaryKey(),
    version: integer().notNull(),
    /** Whose it is: the id of the actor; empty when nobody's. */
    owner: text().notNull(),
    actorName: text('actor_name').notNull(),
    correlationId: text('correlation_id'),
    isOpen: boolean('is_open').notNull(),
    /** Its place in lists: when it ended, or began while it is open. */
    at: at('at').notNull(),
    /** The time of the latest message: one that is earlier has come late. */
    lastAt: at('last_at').notNull(),
    summary: jsonb().$type<Summary>().notNull(),
    /** How many of its messages are kept, and what was folded from those that are not. */
    kept: integer().notNull(),
    base: jsonb().$type<Summary>(),
  },
  (activity) => [
    index('activity_list').on(activity.isOpen, activity.owner, activity.at),
    index('activity_of_name').on(activity.actorName, activity.isOpen, activity.at),
    index('activity_of_thing').on(activity.correlationId).where(sql`correlation_id is not null`),
  ],
);

/** The bus: append-only. A message is kept as long as another one may come late and belong before it. */
export const activityMessages = pgTable(
  'activity_message',
  {
    n: bigserial({ mode: 'number' }).primaryKey(),
    activityId: text('activity_id').notNull(),
    at: at('at').notNull(),
    receivedAt: at('received_at').notNull().defaultNow(),
    type: text().$type<ActivityMessage['type']>().notNull(),
    message: jsonb().$type<ActivityMessage>().notNull(),
    actorId: text('actor_id'),
    actorName: text('actor_name').notNull(),
    correlationId: text('correlation_id'),
  },
  (message) => [index('activity_messages_of').on(message.activityId, message.n)],
);
