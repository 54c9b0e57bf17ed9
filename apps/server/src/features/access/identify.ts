import { HangarError } from '@hangar/contract';
import type { Identify, PersonIdentity } from '../../platform/http/identity.ts';
import { isStale, TOKEN } from './devices/access-tokens.ts';
import type { DevicesStore } from './devices/devices-store.ts';
import type { TokenService } from './devices/token-issuer.ts';
import type { PeopleStore, PersonRow } from './people/people-store.ts';
import type { ApiKeys } from './sessions/api-keys.ts';
import type { Sessions } from './sessions/sessions.ts';

/**
 * Who calls, from the Authorization header or else the session cookie; one indexed read. A bearer token that is not
 * good is an error and never falls through to the cookie. Worker tokens are not people: null.
 */
export function createIdentify(o: {
  sessions: Sessions;
  apiKeys: ApiKeys;
  tokens: TokenService;
  devices: DevicesStore;
  people: PeopleStore;
  clock: () => Date;
}): Identify {
  const { clock } = o;

  async function byApiKey(key: string, used: boolean): Promise<PersonIdentity> {
    const found = await o.apiKeys.find(key);
    if (!found) throw new HangarError('not_signed_in', { message: 'The API key is not known or was revoked.' });
    if (found.apiKey.expiresAt !== null && found.apiKey.expiresAt <= clock()) {
      throw new HangarError('token_expired', {
        message: 'The API key has expired.',
        wayOut: 'Make a new one in Settings.',
      });
    }
    allowed(found.person);
    if (used) {
      await o.apiKeys.touch(found.apiKey);
      await o.people.touch(found.person, clock());
    }
    return identityOf(found.person, 'apiKey', found.apiKey.name, found.apiKey.expiresAt);
  }

  async function byAccessToken(token: string, used: boolean): Promise<PersonIdentity> {
    const claims = await o.tokens.verify(token);
    if (claims === 'expired') throw new HangarError('token_expired');
    if (claims === 'invalid') throw new HangarError('not_signed_in', { message: 'The access token is not valid.' });
    const found = await o.devices.find(claims.deviceId);
    if (!found || found.device.revokedAt !== null || found.person.id !== claims.personId) {
      throw new HangarError('not_signed_in', { message: 'This sign-in was ended.' });
    }
    allowed(found.person);
    if (used) {
      const now = clock();
      if (isStale(found.device.lastUsedAt, now)) await o.devices.used(found.device.id, now);
      await o.people.touch(found.person, now);
    }
    // The access token is renewed by itself; the sign-in ends with the device.
    return identityOf(found.person, 'token', found.device.client, found.device.expiresAt);
  }

  return async ({ authorization, cookie, justLooking = false }) => {
    const used = !justLooking;
    if (authorization !== undefined) {
      const token = /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
      if (token === undefined)
        throw new HangarError('not_signed_in', { message: 'Authorization must be a bearer token.' });
      if (token.startsWith(`${TOKEN.worker}_`)) return null;
      return token.startsWith(`${TOKEN.apiKey}_`) ? byApiKey(token, used) : byAccessToken(token, used);
    }
    const found = await o.sessions.find(cookie);
    if (!found) return null;
    if (used) {
      await o.sessions.touch(found.session);
      await o.people.touch(found.person, clock());
    }
    return identityOf(found.person, 'session', browserOf(found.session.userAgent), found.session.expiresAt);
  };
}

function allowed(person: PersonRow): void {
  if (person.disabled) throw new HangarError('account_disabled');
}

function identityOf(
  { id: userId, name: userName, role }: PersonRow,
  kind: PersonIdentity['kind'],
  label: string,
  expiresAt: Date | null,
): PersonIdentity {
  return { kind, userId, userName, actor: { userId, userName, role }, label, expiresAt };
}

/** Browsers name each other in their user agent; the order tells them apart. */
function browserOf(userAgent: string): string {
  const name = [
    ['Edg/', 'Edge'],
    ['OPR/', 'Opera'],
    ['Firefox/', 'Firefox'],
    ['Chrome/', 'Chrome'],
    ['Safari/', 'Safari'],
  ].find(([mark]) => mark !== undefined && userAgent.includes(mark))?.[1];
  return name ?? 'Browser';
}
