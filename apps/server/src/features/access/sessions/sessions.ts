import { and, eq, gt, ne } from 'drizzle-orm';
import type { Tx } from '../../../platform/database/index.ts';
import { hashToken, newToken } from '../../../platform/secrets/index.ts';
import { person, session } from '../access-tables.ts';
import { DAY_MS, isStale, later, TOKEN } from '../devices/access-tokens.ts';
import type { PersonRow } from '../people/people-store.ts';

/** A session ends when it was not used for this long. */
const LIFETIME_MS = 30 * DAY_MS;

export type SessionRow = typeof session.$inferSelect;

/** Where a request came from. */
export interface Caller {
  place: string;
  userAgent: string;
}

/** Browsers that are signed in. The cookie holds a random token; the table only its hash. */
export interface Sessions {
  readonly cookieName: string;
  /** A new session, as a Set-Cookie header. */
  begin(personId: string, how: 'link' | 'password' | 'invite', caller: Caller): Promise<string>;
  /** Who the Cookie header names; null when nobody. */
  find(cookie: string | undefined): Promise<{ session: SessionRow; person: PersonRow } | null>;
  /** Writes down that it was used, at most once a minute, and lets it live on from there. */
  touch(row: SessionRow): Promise<void>;
  /** The same cookie with its life begun anew; null when there is none. */
  renewed(cookie: string | undefined): string | null;
  /** Ends the session of this browser, and says so in a Set-Cookie header. */
  end(cookie: string | undefined): Promise<string>;
  /** Ends all sessions of a person but the one of this cookie. */
  endOthers(personId: string, cookie: string | undefined): Promise<void>;
}

export function createSessions(o: { db: Tx; publicUrl: string; clock: () => Date }): Sessions {
  const { db, clock } = o;
  const { protocol, port } = new URL(o.publicUrl);
  const secure = protocol === 'https:';
  // Servers on different ports of one host share its cookies, so over http the port is part of the name.
  const cookieName = secure ? '__Host-hangar' : `hangar-${port || '80'}`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  const setCookie = (token: string) => `${cookieName}=${token}; Max-Age=${LIFETIME_MS / 1000}; ${attributes}`;

  return {
    cookieName,
    async begin(personId, how, caller) {
      const token = newToken(TOKEN.session);
      const now = clock();
      await db.insert(session).values({
        tokenHash: hashToken(token),
        personId,
        byLink: how === 'link',
        place: caller.place,
        userAgent: caller.userAgent.slice(0, 400),
        createdAt: now,
        lastUsedAt: now,
        expiresAt: later(now, LIFETIME_MS),
      });
      return setCookie(token);
    },
    async find(cookie) {
      const token = tokenIn(cookie, cookieName);
      if (token === null) return null;
      const [found] = await db
        .select({ session, person })
        .from(session)
        .innerJoin(person, eq(person.id, session.personId))
        .where(
          and(eq(session.tokenHash, hashToken(token)), gt(session.expiresAt, clock()), eq(person.disabled, false)),
        );
      return found ?? null;
    },
    async touch(row) {
      const now = clock();
      if (!isStale(row.lastUsedAt, now)) return;
      await db
        .update(session)
        .set({ lastUsedAt: now, expiresAt: later(now, LIFETIME_MS) })
        .where(eq(session.tokenHash, row.tokenHash));
    },
    renewed(cookie) {
      const token = tokenIn(cookie, cookieName);
      return token === null ? null : setCookie(token);
    },
    async end(cookie) {
      const token = tokenIn(cookie, cookieName);
      if (token !== null) await db.delete(session).where(eq(session.tokenHash, hashToken(token)));
      return `${cookieName}=; Max-Age=0; ${attributes}`;
    },
    async endOthers(personId, cookie) {
      const token = tokenIn(cookie, cookieName);
      const others = token === null ? undefined : ne(session.tokenHash, hashToken(token));
      await db.delete(session).where(and(eq(session.personId, personId), others));
    },
  };
}

/** Only what looks like one of our tokens is taken: it goes back out in a header. */
function tokenIn(cookie: string | undefined, name: string): string | null {
  for (const part of cookie?.split(';') ?? []) {
    const at = part.indexOf('=');
    if (part.slice(0, at).trim() !== name) continue;
    const value = part.slice(at + 1).trim();
    return /^hgs_[\w-]{20,200}$/.test(value) ? value : null;
  }
  return null;
}
