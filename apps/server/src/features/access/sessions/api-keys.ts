import { type ApiKey, HangarError } from '@hangar/contract';
import { and, asc, eq, inArray } from 'drizzle-orm';
import type { Tx } from '../../../platform/database/index.ts';
import { lookup } from '../../../platform/database/together.ts';
import { hashToken, newId, newToken } from '../../../platform/secrets/index.ts';
import { apiKey, person } from '../access-tables.ts';
import { DAY_MS, isStale, later, TOKEN } from '../devices/access-tokens.ts';
import type { PersonRow } from '../people/people-store.ts';

/** Characters shown in lists: the kind and 36 of 256 random bits. */
const SHOWN = 10;

type ApiKeyRow = typeof apiKey.$inferSelect;

/** Keys of a person for machines. */
export interface ApiKeys {
  list(personId: string): Promise<ApiKey[]>;
  /** The key itself is in this answer and never again. */
  create(
    personId: string,
    wanted: { name: string; expiresInDays?: number | undefined },
  ): Promise<ApiKey & { key: string }>;
  /** @throws HangarError api_key_not_found */
  remove(personId: string, id: string): Promise<void>;
  /** One indexed read. Null when there is no such key. */
  find(key: string): Promise<{ apiKey: ApiKeyRow; person: PersonRow } | null>;
  /** Writes down that it was used, at most once a minute. */
  touch(row: ApiKeyRow): Promise<void>;
}

export function createApiKeys(o: { db: Tx; clock: () => Date }): ApiKeys {
  const { db, clock } = o;
  const byHash = lookup(async (hashes) => {
    const rows = await db
      .select({ apiKey, person })
      .from(apiKey)
      .innerJoin(person, eq(person.id, apiKey.personId))
      .where(inArray(apiKey.keyHash, [...hashes]));
    return new Map(rows.map((row) => [row.apiKey.keyHash, row]));
  });

  return {
    async list(personId) {
      const rows = await db.select().from(apiKey).where(eq(apiKey.personId, personId)).orderBy(asc(apiKey.createdAt));
      return rows.map(toApiKey);
    },
    async create(personId, wanted) {
      const key = newToken(TOKEN.apiKey);
      const now = clock();
      const row: ApiKeyRow = {
        id: newId('k'),
        personId,
        name: wanted.name,
        prefix: key.slice(0, SHOWN),
        keyHash: hashToken(key),
        createdAt: now,
        expiresAt: wanted.expiresInDays === undefined ? null : later(now, wanted.expiresInDays * DAY_MS),
        lastUsedAt: null,
      };
      await db.insert(apiKey).values(row);
      return { ...toApiKey(row), key };
    },
    async remove(personId, id) {
      const removed = await db
        .delete(apiKey)
        .where(and(eq(apiKey.id, id), eq(apiKey.personId, personId)))
        .returning({ id: apiKey.id });
      if (removed.length === 0) throw new HangarError('api_key_not_found');
    },
    find: async (key) => (await byHash(hashToken(key))) ?? null,
    async touch(row) {
      const now = clock();
      if (isStale(row.lastUsedAt, now)) await db.update(apiKey).set({ lastUsedAt: now }).where(eq(apiKey.id, row.id));
    },
  };
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
  };
}
