import { type ErrorCode, HangarError } from '@hangar/contract';
import type { InferSelectModel } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database } from '../database/index.ts';
import { isCut } from '../waits.ts';
import { type Change, type Decided, Fenced, type Reconciled, type ReconciledTable, type RowOf } from './reconciled.ts';
import { createReconciler, type Reconciler } from './reconciler.ts';

export interface Acting {
  readonly claim: number;
  readonly signal: AbortSignal;
}

/** What is done about one kind of action. */
export interface Act<Row, Seen, Action> {
  /** Does it and answers what was seen of it. Idempotent: after a crash at any line it runs again. */
  run(row: Row, action: Action, o: Acting): Promise<Change<Row, Seen>>;
  /** So many at the same time in this process; more of them leave room for other actions and are looked at a moment later. */
  readonly atOnce?: number;
  /** What it saw is all there is to know now: the turn ends with it. */
  readonly isLast?: boolean;
  /** Is done though the driver is away. */
  readonly needsNobody?: boolean;
}

export type Acts<Row, Seen, Action extends { readonly kind: string }> = {
  readonly [K in Exclude<Action['kind'], 'none'>]: Act<Row, Seen, Extract<Action, { readonly kind: K }>>;
};

/** Whoever acts for us elsewhere cannot be reached: no failure, but something that is seen, with the time since when. */
export interface Away<Row, Seen> {
  seen(why: string, row: Row, now: Date): Seen;
  /** How long to wait before asking again. */
  againMs(row: Row): number;
}

/** A turn ends when so much was done; what is left has the next one. */
const ACTS_A_TURN = 7;
const NO_ROOM_PAUSE_MS = 500;

/** Takes the rows of a noun that are due and acts on what `decide` says, until nothing is to be done now. */
export function createActing<
  T extends ReconciledTable,
  Seen extends Partial<InferSelectModel<T>>,
  D extends Decided,
>(o: {
  readonly database: Database;
  readonly reconciled: Reconciled<T, Seen, D>;
  readonly acts: Acts<RowOf<T>, NoInfer<Seen>, D['action']>;
  readonly away: Away<RowOf<T>, NoInfer<Seen>>;
  /** How many rows are handled at the same time. */
  readonly concurrency: number;
  readonly leaseSeconds?: number;
  readonly log: Logger;
}): Reconciler {
  type Row = RowOf<T>;
  const { reconciled, away, log } = o;
  const acts = o.acts as Readonly<Record<string, Act<Row, Seen, D['action']> | undefined>>;
  const busy = new Map<string, number>();
  const nothing: Change<Row, Seen> = () => ({}) as Seen;

  async function counted<R>(kind: string, work: () => Promise<R>): Promise<R> {
    busy.set(kind, (busy.get(kind) ?? 0) + 1);
    try {
      return await work();
    } finally {
      busy.set(kind, (busy.get(kind) ?? 1) - 1);
    }
  }

  async function turn(id: string, { claim, signal }: Acting): Promise<number | null> {
    let advanced = await reconciled.advance(id, nothing, { claim });
    // Each action is followed by a look at what it made of the row.
    for (let acted = 0; acted < ACTS_A_TURN; acted++) {
      const { row, decision } = advanced;
      const { kind } = decision.action;
      const act = acts[kind];
      if (act === undefined) break;
      if ((busy.get(kind) ?? 0) >= (act.atOnce ?? Number.POSITIVE_INFINITY)) {
        await reconciled.advance(id, nothing, { claim, pauseMs: NO_ROOM_PAUSE_MS });
        return NO_ROOM_PAUSE_MS;
      }
      const seen = await counted(kind, () => act.run(row, decision.action, { claim, signal })).catch((error: unknown) =>
        whyAway(error, signal),
      );
      if (typeof seen === 'string') {
        const pauseMs = away.againMs(row);
        log.info({ id, action: kind, why: seen, again: pauseMs }, 'the driver cannot be reached');
        advanced = await reconciled.advance(id, (now, at) => away.seen(seen, now, at), { claim, pauseMs });
        if (acts[advanced.decision.action.kind]?.needsNobody) continue;
        return pauseMs;
      }
      advanced = await reconciled.advance(id, seen, { claim });
      if (act.isLast) break;
    }
    return advanced.decision.wakeMs;
  }

  return createReconciler({
    ...{ database: o.database, table: reconciled.name, concurrency: o.concurrency, log },
    ...(o.leaseSeconds === undefined ? {} : { leaseSeconds: o.leaseSeconds }),
    handle: ({ id, claim }, signal) => turn(id, { claim, signal }),
  });
}

/**
 * A driver that this server does not offer, that nobody reaches or that lets nobody in, settings that nobody knows any more or that cannot
 * be used now: as if nobody answered. All of it is said where the row is shown; anything else is a fault of ours.
 */
const AWAY: ReadonlySet<ErrorCode> = new Set([
  ...(['driver_unavailable', 'driver_unknown', 'driver_auth_failed', 'driver_busy', 'driver_quota'] as const),
  ...(['host_key_changed', 'connection_lost', 'cluster_not_connected', 'cluster_forbidden'] as const),
  ...(['profile_not_found', 'profile_host_refused', 'profile_secret_missing', 'keychain_failed'] as const),
]);

/** What to say of a driver that does not answer; anything else is thrown again. */
function whyAway(error: unknown, signal: AbortSignal): string {
  if (signal.aborted || error instanceof Fenced) throw error;
  if (error instanceof HangarError && AWAY.has(error.code)) return error.message;
  if (isCut(error)) return 'Its driver does not answer in time.';
  throw error;
}
