import { boolean, pgTable, text } from 'drizzle-orm/pg-core';
import { at } from '../../database/columns.ts';
import type { Database, Tx } from '../../database/index.ts';
import { announcing } from '../../live/announce.ts';
import { placesMoved } from '../../places/admission.ts';
import { placeColumns } from '../../places/places-tables.ts';
import { reconcileColumns } from '../columns.ts';
import type { Noun, RowOf } from '../reconciled.ts';

/** The smallest noun there is: a lamp that somebody wants to burn, on a profile with few sockets. */
export const lamps = pgTable('lamp', {
  id: text().primaryKey(),
  // Seen
  burns: boolean().notNull().default(false),
  awaySince: at('away_since'),
  // Decided
  state: text().$type<'dark' | 'burning' | 'out'>().notNull().default('dark'),
  ...placeColumns(),
  ...reconcileColumns(),
});
export type Lamp = RowOf<typeof lamps>;
export type SeenOfLamp = Partial<Pick<Lamp, 'burns' | 'awaySince' | 'cleanedAt' | 'cancelRequestedAt'>>;

export type LampAction = { kind: 'none' } | { kind: 'light' } | { kind: 'quench' } | { kind: 'clean' };
export interface LampDecision {
  readonly state: Lamp['state'];
  readonly action: LampAction;
  readonly wakeMs: number | null;
}

export const LAMP = 'lamp';

export const lampNoun = (
  told: (tx: Tx, id: string, state: Lamp['state']) => Promise<void> = async () => undefined,
): Noun<typeof lamps, SeenOfLamp, LampDecision> => ({
  table: lamps,
  missing: 'route_not_found',
  decide(row) {
    const act = (state: Lamp['state'], kind: LampAction['kind']): LampDecision => ({
      ...{ state, action: { kind }, wakeMs: kind === 'none' ? null : 0 },
    });
    if (row.cancelRequestedAt !== null) {
      if (row.burns) return act('burning', 'quench');
      return act('out', row.cleanedAt === null ? 'clean' : 'none');
    }
    if (row.admittedAt === null) return act('dark', 'none');
    return row.burns ? act('burning', 'none') : act('dark', 'light');
  },
  settle({ before, decision, now }) {
    if (decision.state === before.state) return {};
    return { state: decision.state, ...(decision.state === 'out' ? { finishedAt: now } : {}) };
  },
  async announce(tx, { before, row, decision }) {
    if (decision.state === before.state) return [];
    await told(tx, row.id, decision.state);
    return [announcing({ noun: LAMP, id: row.id, audience: row.userId }), placesMoved(LAMP)];
  },
});

/** The table as a migration would make it. */
export async function installLamps({ pool }: Pick<Database, 'pool'>): Promise<void> {
  await pool.query(`create table lamp (
    id text primary key, user_id text not null, profile text not null default 'hall', created_at timestamptz(3) not null default now(),
    cancel_requested_at timestamptz(3), admitted_at timestamptz(3), profile_revision integer, burns boolean not null default false,
    away_since timestamptz(3), cleaned_at timestamptz(3), state text not null default 'dark', finished_at timestamptz(3),
    version integer not null default 0, wake_at timestamptz(3) default now(), lease_until timestamptz(3),
    claim integer not null default 0, failures integer not null default 0)`);
  for (const text of [
    'create trigger lamp_version before update on lamp for each row execute function count_version()',
    `select take_places('lamp')`,
  ])
    await pool.query(text);
}
