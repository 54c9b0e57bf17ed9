import { HangarError } from '@hangar/contract';
import { and, eq, isNull, lt, notExists, sql } from 'drizzle-orm';
import type { Foundation } from '../../../platform/capability.ts';
import type { Tx } from '../../../platform/database/index.ts';
import { type Binding, newId } from '../../../platform/secrets/index.ts';
import { profileRevisions, profileSecrets } from '../profiles-tables.ts';

/** The first part of every reference; the orphan sweep of blobs and backups know it. */
export const SECRETS_PREFIX = 'profiles';

/**
 * Where sealed secrets lie outside of the database, by reference: keychain, files of the data directory, or blobs. What is put under a
 * reference never changes but for a new master key.
 */
export interface SecretStore {
  /** @throws HangarError keychain_failed, data_dir_unusable, disk_full, blob_store_unavailable */
  put(ref: string, sealed: string): Promise<void>;
  /** Null: nothing there. */
  get(ref: string): Promise<string | null>;
  /** What is not there is no error. */
  remove(ref: string): Promise<void>;
  /** References that were put before a moment, where the store can tell. */
  list?(before: Date): Promise<readonly string[]>;
}

/** A value opens under its own reference alone. */
export const secretBinding = (ref: string): Binding => ({
  table: 'profile_secret',
  owner: 'server',
  row: ref,
  field: 'values',
});

/** A put that takes longer than this has failed: whoever did it is refused when it names what it put. */
const UNNAMED_MS = 3600_000;

export interface ProfileSecrets {
  /** Keeps values, before the row that will name them. Answers their reference. */
  put(values: Readonly<Record<string, string>>): Promise<string>;
  /** @throws HangarError profile_secret_missing, keychain_failed, blob_store_unavailable */
  get(ref: string): Promise<Readonly<Record<string, string>>>;
  /** In the transaction that names a reference: it stays as long as a revision names it. @throws HangarError profile_secret_missing */
  claim(tx: Tx, ref: string): Promise<void>;
  /** Of a row that was not written after all. What fails is removed by the chore. */
  remove(ref: string): Promise<void>;
  /** Removes what no revision names any more. Answers how many. */
  sweep(signal: AbortSignal): Promise<number>;
}

export function createProfileSecrets(
  o: Pick<Foundation, 'database' | 'secrets' | 'whileNoBackup'> & { readonly store: SecretStore },
): ProfileSecrets {
  const { store, secrets } = o;
  const { db } = o.database;
  const named = db
    .select({ one: sql`1` })
    .from(profileRevisions)
    .where(eq(profileRevisions.blobKey, profileSecrets.ref));

  /** Whether nobody named it. */
  async function remove(ref: string): Promise<boolean> {
    // First nobody can name it any more: a crash below leaves what the next sweep takes up.
    const gone = await db.transaction(async (tx) => {
      // Whoever claims it right now comes first, and is seen by what follows.
      await tx.select().from(profileSecrets).where(eq(profileSecrets.ref, ref)).for('update');
      return tx
        .update(profileSecrets)
        .set({ goneAt: sql`now()` })
        .where(and(eq(profileSecrets.ref, ref), notExists(named)))
        .returning({ ref: profileSecrets.ref });
    });
    if (gone.length === 0) return false;
    await store.remove(ref);
    await db.delete(profileSecrets).where(eq(profileSecrets.ref, ref));
    return true;
  }

  return {
    async put(values) {
      const ref = `${SECRETS_PREFIX}/${newId('ps')}/secrets`;
      await db.insert(profileSecrets).values({ ref });
      await store.put(ref, secrets.seal(JSON.stringify(values), secretBinding(ref)));
      return ref;
    },

    async get(ref) {
      const sealed = await store.get(ref);
      if (sealed === null) throw new HangarError('profile_secret_missing');
      return JSON.parse(secrets.open(sealed, secretBinding(ref)).reveal()) as Record<string, string>;
    },

    async claim(tx, ref) {
      const [there] = await tx
        .select({ ref: profileSecrets.ref })
        .from(profileSecrets)
        .where(and(eq(profileSecrets.ref, ref), isNull(profileSecrets.goneAt)))
        .for('share');
      if (!there) throw new HangarError('profile_secret_missing');
    },

    remove: async (ref) => void (await o.whileNoBackup(() => remove(ref))),

    async sweep(signal) {
      const before = new Date(Date.now() - UNNAMED_MS);
      const unnamed = await db
        .select({ ref: profileSecrets.ref })
        .from(profileSecrets)
        .where(and(lt(profileSecrets.createdAt, before), notExists(named)));
      const refs = unnamed.map(({ ref }) => ref);
      let removed = 0;
      for (const ref of refs) {
        signal.throwIfAborted();
        if (await o.whileNoBackup(() => remove(ref))) removed += 1;
      }
      // Of a database that was replaced by a backup no row is left.
      for (const ref of (await store.list?.(before)) ?? []) {
        signal.throwIfAborted();
        const [known] = await db.select().from(profileSecrets).where(eq(profileSecrets.ref, ref));
        if (known) continue;
        if (await o.whileNoBackup(() => store.remove(ref).then(() => true))) removed += 1;
      }
      return removed;
    },
  };
}
