import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { lt, sql } from 'drizzle-orm';
import type { Tx } from '../../../platform/database/index.ts';
import { rateCount } from '../access-tables.ts';
import { HOUR_MS, later } from '../devices/access-tokens.ts';

export interface RateLimit {
  /** Counts one more. Null: go on. A number: too many, with the seconds until the window ends. */
  take(key: string): Promise<number | null>;
  /** For limits that count failures alone: what was taken turned out to be no failure. */
  giveBack(key: string): Promise<void>;
}

const MINUTE_MS = 60_000;

/**
 * Counts in fixed windows of one minute, for all servers of a database together. A server whose clock is behind counts in the window
 * of the others, so that a difference of clocks gives nobody a fresh start. Keys are kept as hashes: they name people and places.
 */
export function rateLimit(o: { db: Tx; name: string; perMinute: number; clock: () => Date }): RateLimit {
  const { db, perMinute, clock } = o;
  const hashOf = (key: string) => createHash('sha256').update(`${o.name} ${key}`).digest('base64url');
  return {
    async take(key) {
      const now = clock().getTime();
      const began = new Date(Math.floor(now / MINUTE_MS) * MINUTE_MS);
      const [counted] = await db
        .insert(rateCount)
        .values({ key: hashOf(key), began, count: 1 })
        .onConflictDoUpdate({
          target: rateCount.key,
          set: {
            began: sql`greatest(${rateCount.began}, excluded.began)`,
            count: sql`case when excluded.began > ${rateCount.began} then 1 else least(${rateCount.count}, ${perMinute}) + 1 end`,
          },
        })
        .returning({ began: rateCount.began, count: rateCount.count });
      if (!counted || counted.count <= perMinute) return null;
      return Math.max(1, Math.ceil((counted.began.getTime() + MINUTE_MS - now) / 1000));
    },
    async giveBack(key) {
      await db
        .update(rateCount)
        .set({ count: sql`greatest(${rateCount.count} - 1, 0)` })
        .where(sql`${rateCount.key} = ${hashOf(key)}`);
    },
  };
}

/** Whom an address counts for: with IPv6 everybody has 2^64 of them, so it is the network. */
export function networkOf(place: string): string {
  const address = place.replace(/%.*$/, '');
  if (isIP(address) !== 6) return place;
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [first, last] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''));
  const missing = 8 - (first?.length ?? 0) - (last?.length ?? 0);
  const groups = [...(first ?? []), ...Array.from({ length: missing }, () => '0'), ...(last ?? [])];
  const isIpv4 = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff';
  if (!isIpv4) return `${groups.slice(0, 4).join(':')}::/64`;
  const bytes = groups.slice(6).flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
  return bytes.join('.');
}

/** Forgets windows that are long over. */
export async function forgetRates(db: Tx, now: Date): Promise<void> {
  await db.delete(rateCount).where(lt(rateCount.began, later(now, -HOUR_MS)));
}

/** Requests a minute. */
export interface AccessRates {
  /** Device authorizations, by address. */
  device: number;
  /** Token requests, by address and code; by address alone where there is no such code. */
  token: number;
  /** Sign-ins, by address and email; six times as many by address alone. */
  signIn: number;
  /** User codes that were not found, by person and by address. */
  userCode: number;
}

export const DEFAULT_RATES: AccessRates = { device: 10, token: 60, signIn: 10, userCode: 5 };
