/** Kinds of our tokens: a leaked one can be told and found by how it begins. */
export const TOKEN = {
  session: 'hgs',
  signInLink: 'hgl',
  invite: 'hgi',
  apiKey: 'hgr',
  deviceCode: 'hgd',
  refresh: 'hgf',
  /** Made and checked by the jobs feature. */
  worker: 'hgw',
} as const;

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export const later = (from: Date, ms: number): Date => new Date(from.getTime() + ms);

/** Use is written down at most this often, so that reading does not write. */
export const isStale = (lastUsedAt: Date | null, now: Date): boolean =>
  lastUsedAt === null || now.getTime() - lastUsedAt.getTime() >= MINUTE_MS;
