import { and, asc, eq, sql } from 'drizzle-orm';
import type { Tx } from '../../platform/database/index.ts';
import { credential } from './credentials-tables.ts';

export type CredentialRow = typeof credential.$inferSelect;

/** One person's credentials: no query here sees another's. */
export function storeFor(db: Tx, userId: string) {
  const mine = eq(credential.userId, userId);
  const named = (name: string) => and(mine, eq(credential.name, name));
  return {
    list: (): Promise<CredentialRow[]> => db.select().from(credential).where(mine).orderBy(asc(credential.name)),
    async get(name: string): Promise<CredentialRow | null> {
      return (await db.select().from(credential).where(named(name)))[0] ?? null;
    },
    async add(row: Omit<typeof credential.$inferInsert, 'userId'>): Promise<CredentialRow | null> {
      return (
        (
          await db
            .insert(credential)
            .values({ ...row, userId })
            .returning()
        )[0] ?? null
      );
    },
    async remove(name: string): Promise<boolean> {
      return (await db.delete(credential).where(named(name)).returning({ id: credential.id })).length > 0;
    },
    /** Written at most once a minute. */
    async used(name: string): Promise<void> {
      await db
        .update(credential)
        .set({ lastUsedAt: sql`now()` })
        .where(and(named(name), sql`coalesce(${credential.lastUsedAt} < now() - interval '1 minute', true)`));
    },
  };
}
