import type { Person, Plan } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Database } from '../../platform/database/index.ts';
import type { Identify } from '../../platform/http/identity.ts';
import type { Secrets } from '../../platform/secrets/index.ts';
import { HOUR_MS, later } from './devices/access-tokens.ts';
import { createDevices, type Devices } from './devices/devices.ts';
import { devicesStore } from './devices/devices-store.ts';
import { createSigningKeys, type SigningKeys } from './devices/signing-keys.ts';
import { createTokenService, type TokenService } from './devices/token-issuer.ts';
import { createIdentify } from './identify.ts';
import { createPeople, type People, type SignInLink } from './people/people.ts';
import { peopleStore } from './people/people-store.ts';
import { createPlans, type Plans } from './people/plans.ts';
import { type ApiKeys, createApiKeys } from './sessions/api-keys.ts';
import { type AccessRates, DEFAULT_RATES, forgetRates, rateLimit } from './sessions/rate-limits.ts';
import { type OriginFacts, originCheck } from './sessions/same-origin.ts';
import { createSessions, type Sessions } from './sessions/sessions.ts';

/** Who may come in and as whom: people, browser sessions, API keys, device sign-in, plans. */
export interface Access {
  readonly identify: Identify;
  /** For every unsafe request that has no Authorization header. @throws HangarError csrf_refused */
  readonly refuseForeignOrigin: (request: OriginFacts) => void;
  /** To be called at every start. The link to print as long as nobody has ever signed in; null afterwards. */
  ensureFirstAdmin(): Promise<SignInLink | null>;
  /** A link for the first admin, for `hangar server sign-in-link`. */
  firstAdminLink(): Promise<SignInLink>;
  /** A fresh API key of the first admin, who is made when there is none. For `hangar server admin-key`. */
  adminKey(): Promise<string>;
  /** @throws HangarError user_not_found */
  planOf(userId: string): Promise<Plan>;
  /** @throws HangarError user_not_found */
  person(userId: string): Promise<Person>;
  /** Removes what has expired. Once an hour is enough. */
  sweep(signal: AbortSignal): Promise<void>;

  readonly publicUrl: string;
  readonly people: People;
  readonly sessions: Sessions;
  readonly apiKeys: ApiKeys;
  readonly devices: Devices;
  readonly plans: Plans;
  readonly tokens: TokenService;
  readonly keys: SigningKeys;
}

export function createAccess(o: {
  database: Pick<Database, 'db'>;
  secrets: Secrets;
  publicUrl: string;
  /** No other server is on this database. */
  alone?: boolean;
  log: Logger;
  rateLimits?: Partial<AccessRates>;
  clock?: () => Date;
}): Access {
  const { db } = o.database;
  const { publicUrl, secrets, log } = o;
  const clock = o.clock ?? (() => new Date());
  const rates = { ...DEFAULT_RATES, ...o.rateLimits };
  const limit = (name: string, perMinute: number) => rateLimit({ db, name, perMinute, clock });

  const plans = createPlans(db);
  const sessions = createSessions({ db, publicUrl, clock });
  const apiKeys = createApiKeys({ db, clock });
  const keys = createSigningKeys({ db, secrets, clock });
  const people = createPeople({
    db,
    sessions,
    plans,
    publicUrl,
    alone: o.alone ?? false,
    clock,
    limits: { signIn: limit('sign in', rates.signIn), signInByPlace: limit('sign in by place', rates.signIn * 6) },
  });
  const devices = createDevices({ db, clock, limits: { userCode: limit('user code', rates.userCode) } });
  const tokens = createTokenService({
    db,
    keys,
    publicUrl,
    clock,
    limits: { device: limit('device', rates.device), token: limit('token', rates.token) },
  });
  const peopleRows = peopleStore(db);
  const deviceRows = devicesStore(db);

  return {
    identify: createIdentify({ sessions, apiKeys, tokens, devices: deviceRows, people: peopleRows, clock }),
    refuseForeignOrigin: originCheck({ publicUrl, cookieName: sessions.cookieName }),
    ensureFirstAdmin: () => people.ensureFirstAdmin(),
    async firstAdminLink() {
      return (await people.ensureFirstAdmin()) ?? people.createSignInLink((await people.firstAdmin()).id, null);
    },
    async adminKey() {
      await people.ensureAdmin();
      const admin = await people.firstAdmin();
      const { key } = await apiKeys.create(admin.id, { name: 'admin-key' });
      log.info({ userId: admin.id }, 'made an API key of the first admin');
      return key;
    },
    planOf: (userId) => plans.ofPerson(userId),
    person: (userId) => people.find(userId),
    async sweep(signal) {
      const now = clock();
      const parts = [
        () => peopleRows.sweep(now),
        // A program that still polls is told that its code has expired rather than that there is none.
        () => deviceRows.removeRequestsBefore(later(now, -HOUR_MS)),
        () => deviceRows.removeTokensBefore(now),
        () => forgetRates(db, now),
      ];
      for (const part of parts) {
        signal.throwIfAborted();
        await part();
      }
    },
    publicUrl,
    people,
    sessions,
    apiKeys,
    devices,
    plans,
    tokens,
    keys,
  };
}
