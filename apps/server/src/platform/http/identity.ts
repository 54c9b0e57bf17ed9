import { HangarError, type IdentityKind, type OperationMeta, type Role } from '@hangar/contract';

/** A person, as far as rights go. */
export interface Actor {
  readonly userId: string;
  readonly userName: string;
  readonly role: Role;
}

/** Somebody who is signed in, by whatever way. An agent will be one, with a kind of its own. */
export interface PersonIdentity {
  readonly kind: Exclude<IdentityKind, 'worker'>;
  /** Whose things are meant; features take the owner from here and nowhere else. */
  readonly userId: string;
  readonly userName: string;
  /** Whose rights count: today always the same person. */
  readonly actor: Actor;
  /** What signed in: a browser, a device, an API key. */
  readonly label: string;
  readonly expiresAt: Date | null;
}

/** A program of ours that works for one thing, and for nobody else. */
export interface WorkerIdentity {
  readonly kind: 'worker';
  readonly worksFor: string;
  readonly attempt: number;
}

/** Who calls. Resolved once a request, by the ways to identify that capabilities hand over. */
export type Identity = PersonIdentity | WorkerIdentity;

/** For whom a use case works. */
export interface Caller extends PersonIdentity {
  /** What is everybody's and not only theirs: an admin, where the operation has a wider form for admins. */
  readonly everybody: boolean;
}

/** What a handler knows of its request. */
export interface RequestContext {
  readonly identity: Identity | null;
  /** Decided by `allow`, see Caller. */
  readonly everybody: boolean;
  /** Address of the caller, as the trusted proxy or the socket says. */
  readonly place: string;
  readonly userAgent: string;
  readonly cookie: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** Adds a Set-Cookie header to the answer. */
  readonly setCookie: (header: string) => void;
}

interface Asked {
  authorization: string | undefined;
  cookie: string | undefined;
  place: string;
  userAgent: string;
  /** Nobody did anything: it is not written down as use. */
  justLooking?: boolean;
}

/** The access feature gives this to the HTTP platform. Null: nobody. Throws token_expired, account_disabled and the like. */
export type Identify = (request: Asked) => Promise<PersonIdentity | null>;

/** One way to find out who calls; asked where an operation takes one of its kinds. */
export interface WayToIdentify {
  readonly kinds: readonly IdentityKind[];
  readonly identify: (request: Asked) => Promise<Identity | null>;
}

/**
 * The one check of who may call an operation. Answers whether they reach what is everybody's.
 * @throws HangarError not_signed_in, worker_token_invalid, session_only, wrong_identity, admin_only
 */
export function allow(identity: Identity | null, { identities, admin }: Pick<OperationMeta, 'identities' | 'admin'>) {
  if (identities === 'public') return false;
  if (!identity) throw new HangarError(identities.includes('worker') ? 'worker_token_invalid' : 'not_signed_in');
  if (!identities.includes(identity.kind))
    throw new HangarError(identities.every((kind) => kind === 'session') ? 'session_only' : 'wrong_identity');
  const isAdmin = identity.kind !== 'worker' && identity.actor.role === 'admin';
  if (admin === 'only' && !isAdmin) throw new HangarError('admin_only');
  return isAdmin && admin !== false;
}

/** @throws HangarError not_signed_in */
export function signedIn({ identity, everybody }: RequestContext): Caller {
  if (!identity || identity.kind === 'worker') throw new HangarError('not_signed_in');
  return { ...identity, everybody };
}

/** Who asks by name for what is everybody's. @throws HangarError admin_only */
export function forEverybody(context: RequestContext): Caller {
  const caller = signedIn(context);
  if (!caller.everybody) throw new HangarError('admin_only');
  return caller;
}

/** @throws HangarError worker_token_invalid */
export function workerOf({ identity }: RequestContext): WorkerIdentity {
  if (identity?.kind !== 'worker') throw new HangarError('worker_token_invalid');
  return identity;
}
