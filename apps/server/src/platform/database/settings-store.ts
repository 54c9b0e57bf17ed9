import { eq, sql } from 'drizzle-orm';
import type { Tx } from './database.ts';
import { setting } from './settings-tables.ts';

/** Small facts of this installation that all replicas share: its id, canaries, switches. Values are JSON. */
export interface SettingsStore {
  /** Undefined when never set. The caller checks its shape. */
  get(key: string): Promise<unknown>;
  set(key: string, value: NonNullable<unknown>): Promise<void>;
  /** Sets it only when nobody has, and returns what is there now: all replicas get the same answer. */
  getOrSet(key: string, value: NonNullable<unknown>): Promise<unknown>;
}

export function settingsStore(db: Tx): SettingsStore {
  const get = async (key: string): Promise<unknown> =>
    (await db.select({ value: setting.value }).from(setting).where(eq(setting.key, key)))[0]?.value;
  return {
    get,
    async set(key, value) {
      await db
        .insert(setting)
        .values({ key, value })
        .onConflictDoUpdate({ target: setting.key, set: { value, updatedAt: sql`now()` } });
    },
    async getOrSet(key, value) {
      await db.insert(setting).values({ key, value }).onConflictDoNothing();
      return get(key);
    },
  };
}
