import { pgTable, text, timestamp, unique } from 'drizzle-orm/pg-core';

const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const credential = pgTable(
  'credential',
  {
    id: text('id').primaryKey(),
    userId: text('user_id').notNull(),
    name: text('name').notNull(),
    kind: text('kind', { enum: ['https-token', 'ssh-key'] }).notNull(),
    /** The only host it is given to; null for any. */
    host: text('host'),
    username: text('username'),
    /** Sealed, bound to this row. */
    value: text('value').notNull(),
    knownHosts: text('known_hosts'),
    createdAt: time('created_at').notNull().defaultNow(),
    lastUsedAt: time('last_used_at'),
  },
  (table) => [unique('credential_name_unique').on(table.userId, table.name)],
);
