import type { Person, Role } from '@hangar/contract';
import { and, asc, eq, exists, gt, isNotNull, isNull, lt, or, sql } from 'drizzle-orm';
import type { Tx } from '../../../platform/database/index.ts';
import { RIGHTS_CHANNEL } from '../../../platform/http/still-allowed.ts';
import { apiKey, device, deviceRequest, invite, person, session, signInLink } from '../access-tables.ts';
import { isStale } from '../devices/access-tokens.ts';

export type PersonRow = typeof person.$inferSelect;
export type InviteRow = typeof invite.$inferSelect & { createdByName: string };

export interface PeopleStore {
  find(id: string): Promise<PersonRow | null>;
  findByEmail(email: string): Promise<PersonRow | null>;
  list(): Promise<PersonRow[]>;
  add(row: typeof person.$inferInsert): Promise<PersonRow>;
  change(id: string, values: Partial<typeof person.$inferInsert>): Promise<PersonRow | null>;
  touch(row: Pick<PersonRow, 'id' | 'lastSeenAt'>, now: Date): Promise<void>;
  signedIn(id: string, now: Date): Promise<void>;
  /** Admins that are not disabled, oldest first; in a transaction they stay as they are until it ends. */
  lockAdmins(): Promise<PersonRow[]>;
  /** Nobody else adds or changes a person until the transaction ends. */
  lockAll(): Promise<void>;
  /** Whether somebody has ever signed in to a browser, however long ago. */
  anybodySignedIn(): Promise<boolean>;
  addLink(row: typeof signInLink.$inferInsert): Promise<void>;
  /** Takes a link out, so that of two who use it at the same time one gets it. Null, too, when its maker may make none any more. */
  takeLink(tokenHash: string): Promise<typeof signInLink.$inferSelect | null>;
  removeLinks(personId: string): Promise<void>;
  addInvite(row: typeof invite.$inferInsert): Promise<void>;
  findInvite(tokenHash: string, now: Date): Promise<InviteRow | null>;
  listInvites(now: Date): Promise<InviteRow[]>;
  takeInvite(tokenHash: string, now: Date): Promise<typeof invite.$inferSelect | null>;
  removeInvite(id: string): Promise<boolean>;
  /** Ends what this person made as an admin and others have not used yet. */
  takeBackGrants(personId: string): Promise<void>;
  /** Ends all that lets this person in, and what they made for others. */
  shutOut(personId: string, now: Date): Promise<void>;
  /** Says to all servers, with the commit, that this person may do less from now on. */
  tellRights(personId: string): Promise<void>;
  sweep(now: Date): Promise<void>;
}

const isAdmin = and(eq(person.role, 'admin'), eq(person.disabled, false));

export function peopleStore(db: Tx): PeopleStore {
  const one = <T>(rows: T[]): T | null => rows[0] ?? null;
  const invites = () =>
    db
      .select({ invite, createdByName: person.name })
      .from(invite)
      .innerJoin(person, and(eq(person.id, invite.createdBy), isAdmin));
  const madeByAdmin = (maker: typeof invite.createdBy | typeof signInLink.createdBy) =>
    exists(
      db
        .select({ one: sql`1` })
        .from(person)
        .where(and(eq(person.id, maker), isAdmin)),
    );
  async function takeBackGrants(personId: string): Promise<void> {
    await db.delete(signInLink).where(eq(signInLink.createdBy, personId));
    await db.delete(invite).where(eq(invite.createdBy, personId));
  }
  return {
    find: async (id) => one(await db.select().from(person).where(eq(person.id, id))),
    findByEmail: async (email) => one(await db.select().from(person).where(eq(person.email, email))),
    list: () => db.select().from(person).orderBy(asc(person.createdAt), asc(person.id)),
    async add(row) {
      const [added] = await db.insert(person).values(row).returning();
      if (!added) throw new Error('insert into person returned nothing');
      return added;
    },
    change: async (id, values) => one(await db.update(person).set(values).where(eq(person.id, id)).returning()),
    async touch(row, now) {
      if (isStale(row.lastSeenAt, now)) await db.update(person).set({ lastSeenAt: now }).where(eq(person.id, row.id));
    },
    async signedIn(id, now) {
      await db.update(person).set({ signedInAt: now, lastSeenAt: now }).where(eq(person.id, id));
    },
    lockAdmins: () =>
      db.select().from(person).where(isAdmin).orderBy(asc(person.createdAt), asc(person.id)).for('update'),
    async lockAll() {
      await db.execute('lock table person in share row exclusive mode');
    },
    async anybodySignedIn() {
      const found = await db.select({ id: person.id }).from(person).where(isNotNull(person.signedInAt)).limit(1);
      return found.length > 0;
    },
    async addLink(row) {
      await db.insert(signInLink).values(row);
    },
    takeLink: async (tokenHash) =>
      one(
        await db
          .delete(signInLink)
          .where(
            and(
              eq(signInLink.tokenHash, tokenHash),
              or(isNull(signInLink.createdBy), madeByAdmin(signInLink.createdBy)),
            ),
          )
          .returning(),
      ),
    async removeLinks(personId) {
      await db.delete(signInLink).where(eq(signInLink.personId, personId));
    },
    async addInvite(row) {
      await db.insert(invite).values(row);
    },
    async findInvite(tokenHash, now) {
      const found = one(await invites().where(and(eq(invite.tokenHash, tokenHash), gt(invite.expiresAt, now))));
      return found && { ...found.invite, createdByName: found.createdByName };
    },
    async listInvites(now) {
      const rows = await invites().where(gt(invite.expiresAt, now)).orderBy(asc(invite.createdAt));
      return rows.map((row) => ({ ...row.invite, createdByName: row.createdByName }));
    },
    takeInvite: async (tokenHash, now) =>
      one(
        await db
          .delete(invite)
          .where(and(eq(invite.tokenHash, tokenHash), gt(invite.expiresAt, now), madeByAdmin(invite.createdBy)))
          .returning(),
      ),
    removeInvite: async (id) =>
      (await db.delete(invite).where(eq(invite.id, id)).returning({ id: invite.id })).length > 0,
    takeBackGrants,
    async shutOut(personId, now) {
      await takeBackGrants(personId);
      await db.delete(session).where(eq(session.personId, personId));
      await db.delete(signInLink).where(eq(signInLink.personId, personId));
      // Approved and not redeemed yet: it would become a device that is signed in.
      await db.delete(deviceRequest).where(eq(deviceRequest.decidedBy, personId));
      await db.delete(apiKey).where(eq(apiKey.personId, personId));
      await db
        .update(device)
        .set({ revokedAt: now })
        .where(and(eq(device.personId, personId), isNull(device.revokedAt)));
    },
    async tellRights(personId) {
      await db.execute(sql`select pg_notify(${RIGHTS_CHANNEL}, ${personId})`);
    },
    async sweep(now) {
      await db.delete(signInLink).where(lt(signInLink.expiresAt, now));
      await db.delete(invite).where(lt(invite.expiresAt, now));
      await db.delete(session).where(lt(session.expiresAt, now));
      await db.delete(device).where(or(lt(device.expiresAt, now), lt(device.revokedAt, now)));
    },
  };
}

/** As the contract shows a person. */
export function toPerson(row: PersonRow): Person {
  return {
    id: row.id,
    name: row.name,
    email: row.email ?? '',
    role: row.role satisfies Role,
    planId: row.planId,
    disabled: row.disabled,
    hasPassword: row.passwordHash !== null,
    createdAt: row.createdAt.toISOString(),
    lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
  };
}
