import { type SQL, sql } from 'drizzle-orm';

/** What is told with the commit of a transaction, to whoever listens on the channel at any server. */
export interface Note {
  readonly channel: string;
  readonly payload: string;
}

/** All of them in one statement. PostgreSQL sends equal ones once. */
export const sending = (notes: readonly Note[]): SQL =>
  sql`select pg_notify(channel, payload) from unnest(${sql.param(notes.map(({ channel }) => channel))}::text[],
    ${sql.param(notes.map(({ payload }) => payload))}::text[]) note(channel, payload)`;
