import type { ActivityMessage } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import { bigserial, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** The bus: append-only. Activities are folded from it and kept nowhere else. */
export const activityMessages = pgTable(
  'activity_message',
  {
    n: bigserial({ mode: 'number' }).primaryKey(),
    activityId: text('activity_id').notNull(),
    at: timestamp('at', { withTimezone: true, mode: 'date', precision: 3 }).notNull(),
    receivedAt: timestamp('received_at', { withTimezone: true, mode: 'date', precision: 3 }).notNull().defaultNow(),
    type: text().$type<ActivityMessage['type']>().notNull(),
    message: jsonb().$type<ActivityMessage>().notNull(),
    actorId: text('actor_id'),
    actorName: text('actor_name').notNull(),
    correlationId: text('correlation_id'),
  },
  (message) => [
    index('activity_messages_of').on(message.activityId, message.n),
    index('activity_started').on(message.actorId, message.n).where(sql`type = 'DEVOPS_STARTED'`),
    index('activity_newest').on(message.n).where(sql`type = 'DEVOPS_STARTED'`),
    index('activity_correlation').on(message.correlationId),
  ],
);
