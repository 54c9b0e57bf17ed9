import { type DriverName, DriverSettings, HangarError, secretsOf } from '@hangar/contract';
import { and, eq, inArray, isNotNull, isNull, max, or, type SQL, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../platform/database/index.ts';
import { LOCKS, lockFor } from '../../platform/database/locks.ts';
import { profileOwner } from '../../platform/places/profile-key.ts';
import { profileRevisions, profiles } from './profiles-tables.ts';

/** A profile with what its newest revision says of its secrets. */
export type Row = typeof profiles.$inferSelect & Pick<typeof profileRevisions.$inferSelect, 'blobKey' | 'secretNames'>;
export type Settings = Pick<Row, 'key' | 'driver' | 'settings' | 'limits' | 'blobKey' | 'secretNames'>;

export async function rowsOf(db: Db | Tx, where: SQL | undefined): Promise<Row[]> {
  const rows = await db
    .select({
      profile: profiles,
      blobKey: profileRevisions.blobKey,
      secretNames: profileRevisions.secretNames,
    })
    .from(profiles)
    .innerJoin(
      profileRevisions,
      and(eq(profileRevisions.profile, profiles.key), eq(profileRevisions.revision, profiles.revision)),
    )
    .where(where)
    .orderBy(profiles.key);
  return rows.map(({ profile, ...more }) => ({ ...profile, ...more }));
}

/** Another revision of a profile, which takes the place of the one before. Answers its number. */
export async function revise(
  tx: Tx,
  { key, driver, settings, limits, blobKey, secretNames }: Settings,
): Promise<number> {
  await supersede(tx, key);
  const [newest] = await tx
    .select({ revision: max(profileRevisions.revision) })
    .from(profileRevisions)
    .where(eq(profileRevisions.profile, key));
  const revision = (newest?.revision ?? 0) + 1;
  await tx.insert(profileRevisions).values({ profile: key, revision, driver, settings, limits, blobKey, secretNames });
  return revision;
}

export async function supersede(tx: Tx, key: string): Promise<void> {
  await tx
    .update(profileRevisions)
    .set({ supersededAt: sql`now()` })
    .where(and(eq(profileRevisions.profile, key), isNull(profileRevisions.supersededAt)));
}

/** Before another one becomes the default of the server or of a person: one at a time, and none without when that one is missing. */
export async function noDefault(tx: Tx, userId: string | null): Promise<void> {
  await tx.execute(lockFor(LOCKS.defaultProfile));
  await tx
    .update(profiles)
    .set({ isDefault: false })
    .where(and(eq(profiles.isDefault, true), userId === null ? isNull(profiles.userId) : eq(profiles.userId, userId)));
}

/** A key that ends in `/`, or is empty, means the default of a person, or of the server. */
export const defaultKey = (userId: string | null): string => (userId === null ? '' : `${userId}/`);

export async function byKeys(db: Db, keys: readonly string[]): Promise<Map<string, Row>> {
  const people = keys.flatMap((key) => (key.endsWith('/') ? [profileOwner(key) ?? ''] : []));
  const standard = and(
    eq(profiles.isDefault, true),
    or(
      keys.includes('') ? isNull(profiles.userId) : undefined,
      people.length > 0 ? and(isNotNull(profiles.userId), inArray(profiles.userId, people)) : undefined,
    ),
  );
  const wantsDefault = keys.includes('') || people.length > 0;
  const rows = await rowsOf(db, or(inArray(profiles.key, [...keys]), wantsDefault ? standard : undefined));
  return new Map(
    rows.flatMap((found) => [
      [found.key, found] as const,
      ...(found.isDefault ? [[defaultKey(found.userId), found] as const] : []),
    ]),
  );
}

export interface Divided {
  /** For the database. */
  readonly settings: Record<string, unknown>;
  /** For the store of secrets alone. */
  readonly secret: Record<string, string>;
}

/** Settings as a driver takes them, with what is secret apart. */
export function divided(driver: DriverName, all: Readonly<Record<string, unknown>>): Divided {
  const names = secretsOf(driver);
  const entries = Object.entries(all);
  return {
    settings: Object.fromEntries(entries.filter(([name, value]) => !names.includes(name) && value !== undefined)),
    secret: Object.fromEntries(
      entries.filter((entry): entry is [string, string] => names.includes(entry[0]) && typeof entry[1] === 'string'),
    ),
  };
}

/** Settings after a change: null takes one away. @throws HangarError validation_failed, without a value in it */
export function changed(before: Pick<Row, 'driver' | 'settings'>, change: Readonly<Record<string, unknown>>): Divided {
  const all = Object.fromEntries(
    Object.entries({ ...before.settings, ...change }).filter(([, value]) => value !== null),
  );
  const parsed = DriverSettings[before.driver].safeParse(all);
  if (parsed.success) return divided(before.driver, parsed.data);
  const issues = parsed.error.issues.map((issue) => ({
    field: `settings.${issue.path.join('.')}`,
    message: issue.message,
  }));
  throw new HangarError('validation_failed', {
    message: `${issues[0]?.field}: ${issues[0]?.message}`,
    details: { issues },
  });
}
