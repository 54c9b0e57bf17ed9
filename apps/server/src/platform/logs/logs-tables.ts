import { sql } from 'drizzle-orm';
import { bigint, boolean, index, integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** One row a log. Every change counts `revision` up: a writer that did not see the row as it is now changes nothing. */
export const log = pgTable(
  'log',
  {
    id: text('id').primaryKey(),
    revision: integer('revision').notNull().default(0),
    lastLine: integer('last_line').notNull().default(0),
    /** Of the text of the lines, with LOG_LINE_BYTES for each of them. */
    bytes: bigint('bytes', { mode: 'number' }).notNull().default(0),
    lastLineAt: time('last_line_at'),
    truncated: boolean('truncated').notNull().default(false),
    /** Highest batch stored, by source. */
    sources: jsonb('sources').$type<Record<string, number>>().notNull().default({}),
    endedAt: time('ended_at'),
    endState: text('end_state'),
    compactedAt: time('compacted_at'),
  },
  (table) => [
    index('log_to_compact').on(table.endedAt).where(sql`${table.endedAt} is not null and ${table.compactedAt} is null`),
  ],
);

/** Lines first..last of a log: a JSON array of LogLine, here or as a range of a blob, there packed with gzip. */
export const logChunk = pgTable(
  'log_chunk',
  {
    logId: text('log_id').notNull(),
    first: integer('first').notNull(),
    last: integer('last').notNull(),
    /** Earliest and latest time of its lines; a worker's clock may jump. */
    firstAt: time('first_at').notNull(),
    lastAt: time('last_at').notNull(),
    data: text('data'),
    blobKey: text('blob_key'),
    blobStart: bigint('blob_start', { mode: 'number' }),
    blobBytes: integer('blob_bytes'),
  },
  (table) => [primaryKey({ columns: [table.logId, table.last] })],
);
