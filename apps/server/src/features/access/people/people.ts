import { HangarError, type Invite, type Person, type Role } from '@hangar/contract';
import { type Db, isForeignKeyViolation, isUniqueViolation } from '../../../platform/database/index.ts';
import { hashToken, newId, newToken } from '../../../platform/secrets/index.ts';
import { DAY_MS, HOUR_MS, later, TOKEN } from '../devices/access-tokens.ts';
import { networkOf, type RateLimit } from '../sessions/rate-limits.ts';
import type { Caller, Sessions } from '../sessions/sessions.ts';
import { hashPassword, passwordMatches } from './passwords.ts';
import { type InviteRow, type PeopleStore, type PersonRow, peopleStore, toPerson } from './people-store.ts';
import { type Plans, STANDARD_PLAN } from './plans.ts';

const LINK_MS = DAY_MS;
const INVITE_MS = 7 * DAY_MS;
/** After a sign-in by link the old password is not asked for: who lost it came by a link. */
const LINK_TRUST_MS = HOUR_MS;

export interface SignInLink {
  token: string;
  url: string;
  expiresAt: Date;
}

interface SignedIn {
  person: Person;
  setCookie: string;
}

/** People of this server, how they come to be and how they sign in to a browser. */
export interface People {
  /** Whether nobody has ever signed in to a browser. */
  nobodyCameYet(): Promise<boolean>;
  /** Makes the first admin when there is nobody. True as long as nobody has ever signed in to a browser. */
  ensureAdmin(): Promise<boolean>;
  /** Makes the first admin. A link as long as nobody has ever signed in; null afterwards. */
  ensureFirstAdmin(): Promise<SignInLink | null>;
  /** @throws HangarError when there is no admin: user_not_found */
  firstAdmin(): Promise<Person>;
  /** @throws HangarError user_not_found */
  find(id: string): Promise<Person>;
  list(): Promise<Person[]>;
  /** @throws HangarError wrong_password, account_disabled, rate_limited */
  signIn(input: { email: string; password: string }, caller: Caller): Promise<SignedIn>;
  /** @throws HangarError sign_in_link_used, account_disabled, rate_limited */
  signInByLink(token: string, caller: Caller): Promise<SignedIn>;
  /** `by`: the admin who makes it; null when the server itself does. @throws HangarError user_not_found, account_disabled */
  createSignInLink(personId: string, by: string | null): Promise<SignInLink>;
  /** @throws HangarError email_taken */
  change(personId: string, input: { name?: string | undefined; email?: string | undefined }): Promise<Person>;
  /** Ends all other sessions. @throws HangarError wrong_password, rate_limited */
  setPassword(
    personId: string,
    input: { current?: string | undefined; password: string },
    cookie: string | undefined,
  ): Promise<void>;
  /** @throws HangarError user_not_found, plan_not_found, last_admin */
  update(
    id: string,
    input: { role?: Role | undefined; planId?: string | undefined; disabled?: boolean | undefined },
  ): Promise<Person>;

  createInvite(by: { id: string; name: string }, role: Role): Promise<Invite & { url: string }>;
  listInvites(): Promise<Invite[]>;
  /** @throws HangarError not_found */
  removeInvite(id: string): Promise<void>;
  /** @throws HangarError invite_invalid, rate_limited */
  lookAtInvite(token: string, caller: Caller): Promise<Invite>;
  /** @throws HangarError invite_invalid, email_taken, rate_limited */
  acceptInvite(
    input: { token: string; name: string; email: string; password: string },
    caller: Caller,
  ): Promise<SignedIn>;
}

export function createPeople(o: {
  db: Db;
  sessions: Sessions;
  plans: Plans;
  publicUrl: string;
  alone: boolean;
  clock: () => Date;
  limits: { signIn: RateLimit; signInByPlace: RateLimit };
}): People {
  const { db, sessions, clock } = o;
  const store = peopleStore(db);
  const page = (path: string, token: string) => `${o.publicUrl.replace(/\/+$/, '')}${path}#${token}`;

  const inTransaction = <T>(work: (store: PeopleStore) => Promise<T>): Promise<T> =>
    db.transaction((tx) => work(peopleStore(tx)));

  async function link(personId: string, createdBy: string | null): Promise<SignInLink> {
    const token = newToken(TOKEN.signInLink);
    const now = clock();
    const expiresAt = later(now, LINK_MS);
    await store.addLink({ tokenHash: hashToken(token), personId, createdBy, createdAt: now, expiresAt });
    return { token, url: page('/sign-in/link', token), expiresAt };
  }

  async function enter(row: PersonRow, how: 'link' | 'password' | 'invite', caller: Caller): Promise<SignedIn> {
    if (row.disabled) throw new HangarError('account_disabled');
    const setCookie = await sessions.begin(row.id, how, caller);
    await store.signedIn(row.id, clock());
    return { person: toPerson({ ...row, lastSeenAt: clock() }), setCookie };
  }

  async function found(id: string): Promise<PersonRow> {
    const row = await store.find(id);
    if (!row) throw new HangarError('user_not_found');
    return row;
  }

  /** The first admin, who may just have been made, as long as nobody has ever signed in. */
  async function ensuredAdmin(): Promise<PersonRow | null> {
    await o.plans.ensureStandard();
    return inTransaction(async (locked) => {
      await locked.lockAll();
      const people = await locked.list();
      const [only] = people;
      if (only) return people.length === 1 && !(await locked.anybodySignedIn()) ? only : null;
      return locked.add({ id: newId('u'), name: 'Admin', role: 'admin', planId: STANDARD_PLAN.id, createdAt: clock() });
    });
  }

  return {
    nobodyCameYet: async () => !(await store.anybodySignedIn()),
    ensureAdmin: async () => (await ensuredAdmin()) !== null,
    async ensureFirstAdmin() {
      const first = await ensuredAdmin();
      if (!first) return null;
      // The link of an earlier start was printed to a terminal that may be gone; that of a server beside this one was not.
      if (o.alone) await store.removeLinks(first.id);
      return link(first.id, null);
    },
    async firstAdmin() {
      const first = (await store.list()).find((row) => row.role === 'admin' && !row.disabled);
      if (!first) throw new HangarError('user_not_found', { message: 'This server has no admin yet.' });
      return toPerson(first);
    },
    find: async (id) => toPerson(await found(id)),
    list: async () => (await store.list()).map(toPerson),

    async signIn(input, caller) {
      const email = input.email.toLowerCase();
      // The address first: who guesses does not make a row for each email.
      const network = networkOf(caller.place);
      limited(await o.limits.signInByPlace.take(network));
      const wait = await o.limits.signIn.take(`${network} ${email}`);
      if (wait !== null) await o.limits.signInByPlace.giveBack(network);
      limited(wait);
      const row = await store.findByEmail(email);
      if (!(await passwordMatches(input.password, row?.passwordHash ?? null)) || !row) {
        throw new HangarError('wrong_password');
      }
      return enter(row, 'password', caller);
    },
    async signInByLink(token, caller) {
      limited(await o.limits.signInByPlace.take(networkOf(caller.place)));
      const taken = await store.takeLink(hashToken(token));
      if (!taken || taken.expiresAt <= clock()) throw new HangarError('sign_in_link_used');
      return enter(await found(taken.personId), 'link', caller);
    },
    async createSignInLink(personId, by) {
      const row = await found(personId);
      if (row.disabled) throw new HangarError('account_disabled');
      return link(personId, by);
    },

    async change(personId, input) {
      const values = {
        ...(input.name === undefined ? {} : { name: input.name }),
        ...(input.email === undefined ? {} : { email: input.email.toLowerCase() }),
      };
      if (Object.keys(values).length === 0) return toPerson(await found(personId));
      const changed = await uniqueEmail(() => store.change(personId, values));
      if (!changed) throw new HangarError('user_not_found');
      return toPerson(changed);
    },
    async setPassword(personId, input, cookie) {
      limited(await o.limits.signIn.take(`password ${personId}`));
      const row = await found(personId);
      const current = await sessions.find(cookie);
      const byLink = current?.session.byLink && later(current.session.createdAt, LINK_TRUST_MS) > clock();
      if (row.passwordHash !== null && !(byLink && input.current === undefined)) {
        if (!(await passwordMatches(input.current ?? '', row.passwordHash))) {
          throw new HangarError('wrong_password', {
            message: 'The current password is wrong.',
            wayOut: 'Try again, or ask an admin for a sign-in link.',
          });
        }
      }
      await store.change(personId, { passwordHash: await hashPassword(input.password) });
      await store.removeLinks(personId);
      await sessions.endOthers(personId, cookie);
    },
    async update(id, input) {
      const values = {
        ...(input.role === undefined ? {} : { role: input.role }),
        ...(input.planId === undefined ? {} : { planId: input.planId }),
        ...(input.disabled === undefined ? {} : { disabled: input.disabled }),
      };
      if (Object.keys(values).length === 0) return toPerson(await found(id));
      try {
        const changed = await inTransaction(async (locked) => {
          const admins = await locked.lockAdmins();
          const falls = input.role === 'member' || input.disabled === true;
          if (falls && admins.length === 1 && admins[0]?.id === id) throw new HangarError('last_admin');
          const row = await locked.change(id, values);
          if (row && input.disabled === true) await locked.shutOut(id, clock());
          else if (row && input.role === 'member') await locked.takeBackGrants(id);
          if (row && falls) await locked.tellRights(id);
          return row;
        });
        if (!changed) throw new HangarError('user_not_found');
        return toPerson(changed);
      } catch (error) {
        if (isForeignKeyViolation(error)) throw new HangarError('plan_not_found', { cause: error });
        throw error;
      }
    },

    async createInvite(by, role) {
      const token = newToken(TOKEN.invite);
      const now = clock();
      const row = {
        id: newId('i'),
        tokenHash: hashToken(token),
        role,
        createdBy: by.id,
        createdAt: now,
        expiresAt: later(now, INVITE_MS),
      };
      await store.addInvite(row);
      return { ...toInvite({ ...row, createdByName: by.name }), url: page('/invite', token) };
    },
    listInvites: async () => (await store.listInvites(clock())).map(toInvite),
    async removeInvite(id) {
      if (!(await store.removeInvite(id)))
        throw new HangarError('not_found', { message: 'There is no such invitation.' });
    },
    async lookAtInvite(token, caller) {
      limited(await o.limits.signInByPlace.take(networkOf(caller.place)));
      const row = await store.findInvite(hashToken(token), clock());
      if (!row) throw new HangarError('invite_invalid');
      return toInvite(row);
    },
    async acceptInvite(input, caller) {
      limited(await o.limits.signInByPlace.take(networkOf(caller.place)));
      const tokenHash = hashToken(input.token);
      if (!(await store.findInvite(tokenHash, clock()))) throw new HangarError('invite_invalid');
      const passwordHash = await hashPassword(input.password);
      await o.plans.ensureStandard();
      // An email that is taken leaves the invitation as it was.
      const row = await uniqueEmail(() =>
        inTransaction(async (locked) => {
          const taken = await locked.takeInvite(tokenHash, clock());
          if (!taken) throw new HangarError('invite_invalid');
          return locked.add({
            id: newId('u'),
            name: input.name,
            email: input.email.toLowerCase(),
            role: taken.role,
            planId: STANDARD_PLAN.id,
            passwordHash,
            createdAt: clock(),
          });
        }),
      );
      return enter(row, 'invite', caller);
    },
  };
}

function toInvite(row: InviteRow): Invite {
  return {
    id: row.id,
    role: row.role,
    createdBy: row.createdByName,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
  };
}

async function uniqueEmail<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isUniqueViolation(error, 'person_email_unique')) throw new HangarError('email_taken', { cause: error });
    throw error;
  }
}

/** @throws HangarError rate_limited */
export function limited(retryAfterSeconds: number | null): void {
  if (retryAfterSeconds !== null) throw new HangarError('rate_limited', { details: { retryAfterSeconds } });
}
