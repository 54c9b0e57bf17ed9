import { integer } from 'drizzle-orm/pg-core';
import { at } from '../database/columns.ts';

/**
 * What each table of a reconciled noun has. Its migration adds a trigger `count_version()` before each update, and partial indexes on
 * `wake_at` and `lease_until`.
 */
export const reconcileColumns = () => ({
  /** Counted by the database with every write of the row, so that no writer can forget it. */
  version: integer().notNull().default(0),
  /** When the reconciler looks at the row by itself. */
  wakeAt: at('wake_at').defaultNow(),
  /** Somebody has it in hand until then. */
  leaseUntil: at('lease_until'),
  /** Counts those who had it: whoever has an older number writes nothing any more. */
  claim: integer().notNull().default(0),
  /** How often in a row handling it has failed, or ended with its server. */
  failures: integer().notNull().default(0),
});
