import { HangarError } from '@hangar/contract';
import { and, eq, notExists, sql } from 'drizzle-orm';
import type { Database, Tx } from '../../platform/database/index.ts';
import { profileHostKeys, profileRevisions } from './profiles-tables.ts';

const MOST_LINES = 32;
const MOST_LINE = 16_384;

/** Host keys of the machines of one profile, by `host:port`. What is seen first is kept; `lines` are those of known_hosts without the host. */
export interface HostKeys {
  known(address: string): Promise<readonly string[]>;
  /** Kept unless some are known already, from a connection at the same time. Answers those that are known now. */
  pin(address: string, lines: readonly string[]): Promise<readonly string[]>;
}

export function createHostKeys({ db }: Pick<Database, 'db'>) {
  return {
    of(profile: string): HostKeys {
      const at = (address: string) => and(eq(profileHostKeys.profile, profile), eq(profileHostKeys.address, address));
      const known = async (address: string): Promise<readonly string[]> =>
        (await db.select().from(profileHostKeys).where(at(address)))[0]?.lines ?? [];
      return {
        known,
        async pin(address, lines) {
          if (lines.length === 0 || lines.length > MOST_LINES || lines.some((line) => line.length > MOST_LINE))
            throw new HangarError('driver_unavailable', {
              message: `${address.slice(0, 300)} shows no usable host key.`,
            });
          await db.insert(profileHostKeys).values({ profile, address, lines }).onConflictDoNothing();
          return known(address);
        },
      };
    },
    /** The next key that is seen is believed. */
    async forget(tx: Tx, profile: string): Promise<void> {
      await tx.delete(profileHostKeys).where(eq(profileHostKeys.profile, profile));
    },
    /** Of profiles of which no settings are kept any more. */
    async sweep(): Promise<void> {
      const kept = db
        .select({ one: sql`1` })
        .from(profileRevisions)
        .where(eq(profileRevisions.profile, profileHostKeys.profile));
      await db.delete(profileHostKeys).where(notExists(kept));
    },
  };
}
