import { type ErrorCode, HangarError } from '@hangar/contract';
import { eq, type InferSelectModel, sql } from 'drizzle-orm';
import { getTableConfig, type PgColumn, type PgTable } from 'drizzle-orm/pg-core';
import type { Database, Tx } from '../database/index.ts';
import { type Note, sending } from '../database/listener.ts';

/** A table with `id` and `reconcileColumns()`. */
export type ReconciledTable = PgTable &
  Record<'id' | 'version' | 'wakeAt' | 'leaseUntil' | 'claim' | 'failures', PgColumn>;
export type RowOf<T extends ReconciledTable> = InferSelectModel<T> & {
  readonly id: string;
  readonly claim: number;
  readonly version: number;
};

/** What a pure function makes of all that is wanted and seen. */
export interface Decided {
  /** `none`: nothing is to be done now. */
  readonly action: { readonly kind: string };
  /** When to look again after that, in milliseconds; null: only when something is written. */
  readonly wakeMs: number | null;
}

/** What somebody saw or wants, of the row as it is now; never the state, which only `decide` makes. */
export type Change<Row, Seen> = (row: Row, now: Date) => Seen;

export interface Move<Row, Seen, D> {
  readonly before: Row;
  readonly row: Row;
  readonly seen: Seen;
  readonly decision: D;
  /** The database's clock. */
  readonly now: Date;
}

/** A reconciled noun: one row with what is wanted, what was seen, and the state that was decided. */
export interface Noun<T extends ReconciledTable, Seen extends Partial<InferSelectModel<T>>, D extends Decided> {
  readonly table: T;
  /** Of the error when there is no such row. */
  readonly missing: ErrorCode;
  /** Pure. */
  decide(row: RowOf<T>, now: Date): D;
  /** What is written beside what was seen: the state that was decided, and what follows from it. Pure; `row` is with what was seen. */
  settle(move: Move<RowOf<T>, Seen, D>): Partial<InferSelectModel<T>>;
  /** Writes in the same transaction what is known elsewhere of this move; answers whom to tell. `row` is as it is written. */
  announce(tx: Tx, move: Move<RowOf<T>, Seen, D>): Promise<readonly Note[]>;
}

export interface Advanced<Row, D> {
  readonly row: Row;
  readonly decision: D;
}

export interface AdvanceOptions {
  /** Nothing is written when another handler took the row meanwhile. @throws Fenced */
  readonly claim?: number;
  /** It is not looked at again before that, whatever is decided. */
  readonly pauseMs?: number;
}

/** NOTIFY with the name of a table wakes its reconciler; sent in the transaction that changes the row, it arrives with the commit. */
export const WAKE_CHANNEL = 'hangar_wake';
export const waking = (table: string): Note => ({ channel: WAKE_CHANNEL, payload: table });

/** Another handler took the row meanwhile; what this one saw is not written. */
export class Fenced extends Error {
  constructor(id: string) {
    super(`${id} was claimed by another handler`);
    this.name = 'Fenced';
  }
}

/** The one way to change a reconciled row. */
export interface Reconciled<T extends ReconciledTable, Seen extends Partial<InferSelectModel<T>>, D extends Decided> {
  /** Of its table. */
  readonly name: string;
  readonly noun: Noun<T, Seen, D>;
  /** Lock, fence, change, decide, write, tell, wake, in one transaction. @throws Fenced, and `missing` of the noun */
  advance(id: string, change: Change<RowOf<T>, Seen>, o?: AdvanceOptions): Promise<Advanced<RowOf<T>, D>>;
}

export function createReconciled<
  T extends ReconciledTable,
  Seen extends Partial<InferSelectModel<T>>,
  D extends Decided,
>({ db }: Pick<Database, 'db'>, noun: Noun<T, Seen, D>): Reconciled<T, Seen, D> {
  type Row = RowOf<T>;
  const { table } = noun;
  const { name } = getTableConfig(table);

  return {
    noun,
    name,

    async advance(
      id: string,
      change: Change<Row, Seen>,
      { claim, pauseMs = 0 }: AdvanceOptions = {},
    ): Promise<Advanced<Row, D>> {
      return db.transaction(async (tx) => {
        const [found] = await tx
          .select({ row: table, now: sql<Date>`clock_timestamp()`.mapWith(table.wakeAt) })
          .from(table as PgTable)
          .where(eq(table.id, id))
          .for('update');
        if (!found) throw new HangarError(noun.missing);
        const before = found.row as Row;
        const now = found.now as Date;
        if (claim !== undefined && before.claim !== claim) throw new Fenced(id);
        const seen = change(before, now);
        const row: Row = { ...before, ...dropUndefined(seen) };
        const decision = noun.decide(row, now);
        const written = dropUndefined({
          ...seen,
          ...noun.settle({ before, row, seen, decision, now }),
          wakeAt: decision.wakeMs === null ? null : new Date(now.getTime() + Math.max(pauseMs, decision.wakeMs)),
        });
        const [stored] = await tx
          .update(table as PgTable)
          .set(written)
          .where(eq(table.id, id))
          .returning({ version: table.version });
        const after: Row = { ...row, ...written, ...(stored as { version: number }) };
        const notes = await noun.announce(tx, { before, row: after, seen, decision, now });
        await tx.execute(sending([waking(name), ...notes]));
        return { row: after, decision };
      });
    },
  };
}

const dropUndefined = <V extends object>(value: V): V =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as V;
