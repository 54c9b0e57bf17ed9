import { randomInt } from 'node:crypto';
import { type DeviceAuthorization, OAUTH_CLIENT_ID, type OAuthError, type TokenAnswer } from '@hangar/contract';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Db, Tx } from '../../../platform/database/index.ts';
import { hashToken, newId, newToken } from '../../../platform/secrets/index.ts';
import { networkOf, type RateLimit } from '../sessions/rate-limits.ts';
import type { Caller } from '../sessions/sessions.ts';
import { DAY_MS, later, TOKEN } from './access-tokens.ts';
import { type DeviceRow, type DevicesStore, devicesStore } from './devices-store.ts';
import { SIGNING_ALG, type SigningKeys } from './signing-keys.ts';

/** Public clients (RFC 6749 §2.1): name shown when the program gives none. */
const CLIENTS: Readonly<Record<string, string>> = { [OAUTH_CLIENT_ID]: 'Hangar CLI' };

export const SCOPE = 'hangar';
const AUDIENCE = 'hangar';
const REQUEST_SECONDS = 600;
const INTERVAL_SECONDS = 5;
/** An interval that was kept may still arrive a little early. */
const TOLERANCE_MS = 1_000;
const ACCESS_SECONDS = 15 * 60;
/** A device that is not used for this long is signed out. */
const REFRESH_MS = 60 * DAY_MS;
/** Two programs that share a token file may redeem the same refresh token at the same time. */
const GRACE_MS = 10_000;
/** Without vowels, so that no code is a word (RFC 8628 §6.1). */
const USER_CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

type SigningKey = Awaited<ReturnType<SigningKeys['current']>>;

export interface AccessClaims {
  deviceId: string;
  personId: string;
}

/** OAuth 2.0 for public clients: device grant (RFC 8628), refresh with rotation, revocation (RFC 7009). */
export interface TokenService {
  authorizeDevice(
    request: { clientId: string | undefined; clientName: string | undefined },
    caller: Caller,
  ): Promise<DeviceAuthorization>;
  redeemDeviceCode(
    request: { clientId: string | undefined; deviceCode: string | undefined },
    caller: Caller,
  ): Promise<TokenAnswer>;
  refresh(
    request: { clientId: string | undefined; refreshToken: string | undefined },
    caller: Caller,
  ): Promise<TokenAnswer>;
  /** Ends the whole family of the token. A token that is not known is no error. */
  revoke(request: { clientId: string | undefined; token: string | undefined }, caller: Caller): Promise<void>;
  /** What an access token says; `expired` or `invalid` when it is not good. Reads no device: the caller has to. */
  verify(accessToken: string): Promise<AccessClaims | 'expired' | 'invalid'>;
}

export function createTokenService(o: {
  db: Db;
  keys: SigningKeys;
  publicUrl: string;
  clock: () => Date;
  limits: { device: RateLimit; token: RateLimit };
}): TokenService {
  const { clock } = o;
  const issuer = issuerOf(o.publicUrl);

  async function accessToken(device: DeviceRow, { kid, key }: SigningKey): Promise<string> {
    const now = Math.floor(clock().getTime() / 1000);
    return new SignJWT({ client_id: device.clientId, sid: device.id, scope: SCOPE })
      .setProtectedHeader({ alg: SIGNING_ALG, typ: 'at+jwt', kid })
      .setIssuer(issuer)
      .setAudience(AUDIENCE)
      .setSubject(device.personId)
      .setJti(newId('t'))
      .setIssuedAt(now)
      .setExpirationTime(now + ACCESS_SECONDS)
      .sign(key);
  }

  /** Adds a refresh token to the family and lets the family live on. The key is asked for before the transaction of this. */
  async function grow(store: DevicesStore, device: DeviceRow, key: SigningKey): Promise<TokenAnswer> {
    const refreshToken = newToken(TOKEN.refresh);
    const now = clock();
    const expiresAt = later(now, REFRESH_MS);
    await store.addToken({ tokenHash: hashToken(refreshToken), deviceId: device.id, createdAt: now, expiresAt });
    await store.used(device.id, now, expiresAt);
    return {
      access_token: await accessToken(device, key),
      token_type: 'Bearer',
      expires_in: ACCESS_SECONDS,
      refresh_token: refreshToken,
      scope: SCOPE,
    };
  }

  /** Who asks with what was given out counts for itself; guesses count together, and leave no row each. */
  async function countedAs(caller: Caller, hash: string): Promise<string> {
    const network = networkOf(caller.place);
    return (await devicesStore(o.db).knows(hash)) ? `${network} ${hash}` : network;
  }

  async function verify(token: string): Promise<AccessClaims | 'expired' | 'invalid'> {
    try {
      const { payload } = await jwtVerify(
        token,
        async ({ kid }) => {
          const key = kid === undefined ? null : await o.keys.verifier(kid);
          if (!key) throw new errors.JWKSNoMatchingKey();
          return key;
        },
        { issuer, audience: AUDIENCE, typ: 'at+jwt', algorithms: [SIGNING_ALG], currentDate: clock() },
      );
      if (typeof payload.sub !== 'string' || typeof payload.sid !== 'string') return 'invalid';
      return { deviceId: payload.sid, personId: payload.sub };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return 'expired';
      if (error instanceof errors.JOSEError) return 'invalid';
      throw error;
    }
  }

  const inTransaction = <T>(work: (store: DevicesStore) => Promise<T>): Promise<T> =>
    o.db.transaction((tx: Tx) => work(devicesStore(tx)));

  return {
    async authorizeDevice(request, caller) {
      limited(await o.limits.device.take(networkOf(caller.place)), 'temporarily_unavailable');
      const clientId = knownClient(required(request.clientId, 'client_id'));
      const store = devicesStore(o.db);
      const now = clock();
      const deviceCode = newToken(TOKEN.deviceCode);
      for (;;) {
        const userCode = newUserCode();
        const added = await store.addRequest({
          deviceCodeHash: hashToken(deviceCode),
          userCodeHash: hashUserCode(userCode) ?? '',
          clientId,
          client: printable(request.clientName) || (CLIENTS[clientId] ?? clientId),
          place: caller.place,
          userAgent: printable(caller.userAgent, 400),
          status: 'waiting',
          intervalSeconds: INTERVAL_SECONDS,
          createdAt: now,
          expiresAt: later(now, REQUEST_SECONDS * 1000),
        });
        if (!added) continue;
        const page = `${issuer}/device`;
        return {
          device_code: deviceCode,
          user_code: userCode,
          verification_uri: page,
          verification_uri_complete: `${page}?user_code=${userCode}`,
          expires_in: REQUEST_SECONDS,
          interval: INTERVAL_SECONDS,
        };
      }
    },

    async redeemDeviceCode(request, caller) {
      const deviceCodeHash = hashToken(required(request.deviceCode, 'device_code'));
      limited(await o.limits.token.take(await countedAs(caller, deviceCodeHash)), 'slow_down');
      const clientId = knownClient(required(request.clientId, 'client_id'));
      const now = clock();
      const key = await o.keys.current();
      // What a poll changes must stay, so a refusal is returned from the transaction and thrown after it.
      const answer = await inTransaction(async (store) => {
        const found = await store.lockRequest(deviceCodeHash);
        if (!found || found.clientId !== clientId) {
          return new OAuthFailure('invalid_grant', 'The device code is not known or was redeemed.');
        }
        if (found.expiresAt <= now) return new OAuthFailure('expired_token', 'The device code has expired.');
        if (found.status === 'denied') return new OAuthFailure('access_denied', 'The sign-in was denied.');
        if (found.status === 'approved' && found.decidedBy !== null) {
          await store.removeRequest(deviceCodeHash);
          const device: DeviceRow = {
            id: newId('d'),
            personId: found.decidedBy,
            clientId,
            client: found.client,
            createdAt: now,
            lastUsedAt: null,
            expiresAt: later(now, REFRESH_MS),
            revokedAt: null,
          };
          await store.addDevice(device);
          return grow(store, device, key);
        }
        const sinceMs = found.lastPolledAt ? now.getTime() - found.lastPolledAt.getTime() : Number.POSITIVE_INFINITY;
        const tooFast = sinceMs < found.intervalSeconds * 1000 - TOLERANCE_MS;
        await store.polled(deviceCodeHash, now, found.intervalSeconds + (tooFast ? 5 : 0));
        return tooFast
          ? new OAuthFailure('slow_down', `Wait ${found.intervalSeconds + 5} seconds between two requests.`)
          : new OAuthFailure('authorization_pending', 'Nobody has decided yet.');
      });
      if (answer instanceof OAuthFailure) throw answer;
      return answer;
    },

    async refresh(request, caller) {
      const tokenHash = hashToken(required(request.refreshToken, 'refresh_token'));
      limited(await o.limits.token.take(await countedAs(caller, tokenHash)), 'temporarily_unavailable');
      const clientId = request.clientId === undefined ? undefined : knownClient(request.clientId);
      const now = clock();
      const key = await o.keys.current();
      const answer = await inTransaction(async (store) => {
        const found = await store.lockToken(tokenHash);
        if (!found || (clientId !== undefined && found.device.clientId !== clientId)) {
          return new OAuthFailure('invalid_grant', 'The refresh token is not known.');
        }
        const { token, device, person } = found;
        if (device.revokedAt !== null || person.disabled) {
          return new OAuthFailure('invalid_grant', 'The sign-in was ended.');
        }
        if (token.expiresAt <= now) return new OAuthFailure('invalid_grant', 'The refresh token has expired.');
        if (token.usedAt === null) await store.markUsed(tokenHash, now);
        else if (now.getTime() - token.usedAt.getTime() > GRACE_MS) {
          // Somebody has a copy, and nobody can tell who (RFC 9700 §4.14.2).
          await store.revoke(device.id, now);
          return new OAuthFailure('invalid_grant', 'The refresh token was used before; the sign-in is ended.');
        }
        return grow(store, device, key);
      });
      if (answer instanceof OAuthFailure) throw answer;
      return answer;
    },

    async revoke(request, caller) {
      limited(await o.limits.token.take(`${networkOf(caller.place)} revoke`), 'temporarily_unavailable');
      const token = required(request.token, 'token');
      const clientId = request.clientId === undefined ? undefined : knownClient(request.clientId);
      const claims = await verify(token);
      const deviceId = await inTransaction(async (store) => {
        const known = await store.lockToken(hashToken(token));
        const found = known ?? (typeof claims === 'object' ? await store.find(claims.deviceId) : null);
        if (!found) return null;
        if (clientId !== undefined && found.device.clientId !== clientId) {
          throw new OAuthFailure('invalid_grant', 'The token belongs to another client.');
        }
        return found.device.id;
      });
      if (deviceId !== null) await devicesStore(o.db).revoke(deviceId, clock());
    },

    verify,
  };
}

/** The issuer identifier: the public URL without a slash at its end (RFC 8414 §2). */
export const issuerOf = (publicUrl: string): string => publicUrl.replace(/\/+$/, '');

/** As a person types it, with or without dash, in any case; null when it cannot be one of ours. */
export function hashUserCode(typed: string): string | null {
  const code = typed.toUpperCase().replace(/[\s-]/g, '');
  return /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/.test(code) ? hashToken(`user-code ${code}`) : null;
}

function newUserCode(): string {
  const letters = Array.from({ length: 8 }, () => USER_CODE_LETTERS.charAt(randomInt(USER_CODE_LETTERS.length)));
  return `${letters.slice(0, 4).join('')}-${letters.slice(4).join('')}`;
}

/** What a program says of itself is shown to a person who decides by it: one line, no tricks with direction or control characters. */
function printable(text: string | undefined, most = 60): string {
  return (text ?? '')
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .trim()
    .slice(0, most);
}

function knownClient(clientId: string): string {
  if (!Object.hasOwn(CLIENTS, clientId)) throw new OAuthFailure('invalid_client', 'This client is not known here.');
  return clientId;
}

function required(value: string | undefined, name: string): string {
  if (!value) throw new OAuthFailure('invalid_request', `The parameter ${name} is missing.`);
  return value;
}

function limited(retryAfterSeconds: number | null, error: 'slow_down' | 'temporarily_unavailable'): void {
  if (retryAfterSeconds !== null) {
    throw new OAuthFailure(error, 'Too many requests.', { status: 429, retryAfterSeconds });
  }
}

/** An answer of the token service that is not a token, as RFC 6749 §5.2 and RFC 8628 §3.5 word it. */
export class OAuthFailure extends Error {
  readonly error: OAuthError['error'];
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    error: OAuthError['error'],
    description: string,
    options: { status?: number; retryAfterSeconds?: number } = {},
  ) {
    super(description);
    this.name = 'OAuthFailure';
    this.error = error;
    this.status = options.status ?? (error === 'invalid_client' ? 401 : 400);
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
