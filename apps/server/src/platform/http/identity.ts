import { HangarError, type IdentityKind, type Role } from '@hangar/contract';

/** Who calls. Resolved once a request by the access feature; features take `userId` from here and nowhere else. */
export interface Identity {
  readonly kind: Exclude<IdentityKind, 'public'>;
  readonly userId: string;
  readonly userName: string;
  readonly role: Role;
  /** What signed in: a browser, a device, an API key. */
  readonly label: string;
  readonly expiresAt: Date | null;
}

/** What a handler knows of its request. */
export interface RequestContext {
  readonly identity: Identity | null;
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

/** The access feature gives this to the HTTP platform. Null: nobody. Throws token_expired, account_disabled and the like. */
export type Identify = (request: {
  authorization: string | undefined;
  cookie: string | undefined;
  place: string;
  userAgent: string;
  /** Nobody did anything: it is not written down as use. */
  justLooking?: boolean;
}) => Promise<Identity | null>;

/** @throws HangarError not_signed_in */
export function signedIn(context: RequestContext): Identity {
  if (!context.identity) throw new HangarError('not_signed_in');
  return context.identity;
}
