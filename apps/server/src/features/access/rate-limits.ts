export interface RateLimit {
  /** Counts one more. Null: go on. A number: too many, with the seconds until the window ends. */
  take(key: string): number | null;
  /** For limits that count failures alone: what was taken turned out to be no failure. */
  giveBack(key: string): void;
}

/** Keys held at most; when more come in one window the oldest are forgotten rather than memory filled. */
const MOST_KEYS = 20_000;

/** Counts in fixed windows of one minute, in this process alone: with n replicas the limit is n times as high. */
export function rateLimit(o: { perMinute: number; clock: () => Date }): RateLimit {
  let window = -1;
  let counts = new Map<string, number>();
  return {
    take(key) {
      const now = o.clock().getTime();
      const current = Math.floor(now / 60_000);
      if (current !== window) {
        window = current;
        counts = new Map();
      }
      const count = (counts.get(key) ?? 0) + 1;
      if (count > o.perMinute) return Math.max(1, Math.ceil(((current + 1) * 60_000 - now) / 1000));
      counts.set(key, count);
      if (counts.size > MOST_KEYS) {
        const oldest = counts.keys().next();
        if (!oldest.done) counts.delete(oldest.value);
      }
      return null;
    },
    giveBack(key) {
      const count = counts.get(key);
      if (count !== undefined && count > 0) counts.set(key, count - 1);
    },
  };
}

/** Requests a minute. */
export interface AccessRates {
  /** Device authorizations, by address. */
  device: number;
  /** Token requests, by address and code. */
  token: number;
  /** Sign-ins, by address and email; six times as many by address alone. */
  signIn: number;
  /** User codes that were not found, by person and by address. */
  userCode: number;
}

export const DEFAULT_RATES: AccessRates = { device: 10, token: 60, signIn: 10, userCode: 5 };
