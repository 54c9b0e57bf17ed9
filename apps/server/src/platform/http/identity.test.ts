import {
  type HangarError,
  type IdentityKind,
  type OperationMeta,
  type RawOperation,
  rawOperations,
} from '@hangar/contract';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createApp } from './app.ts';
import { allow, type Identity, type PersonIdentity, signedIn, workerOf } from './identity.ts';
import { type RawRoutes, serveRaw } from './routes.ts';

const person = (kind: PersonIdentity['kind'], role: PersonIdentity['actor']['role']): PersonIdentity => ({
  ...{ kind, userId: 'u_ada', userName: 'Ada', label: '', expiresAt: null },
  actor: { userId: 'u_ada', userName: 'Ada', role },
});
const worker: Identity = { kind: 'worker', worksFor: 'j_1', attempt: 2 };
const PEOPLE: readonly IdentityKind[] = ['session', 'token', 'apiKey'];

/** What becomes of somebody who calls: the code of the refusal, or what they reach. */
function reached(identity: Identity | null, identities: OperationMeta['identities'], admin: OperationMeta['admin']) {
  try {
    return allow(identity, { identities, admin }) ? 'everything' : 'own';
  } catch (error) {
    return (error as HangarError).code;
  }
}

it.each([
  [null, 'public', false, 'own'],
  [null, PEOPLE, false, 'not_signed_in'],
  [null, ['worker'], false, 'worker_token_invalid'],
  [person('apiKey', 'member'), PEOPLE, false, 'own'],
  [person('apiKey', 'member'), PEOPLE, 'wider', 'own'],
  [person('apiKey', 'member'), PEOPLE, 'only', 'admin_only'],
  [person('token', 'admin'), PEOPLE, 'only', 'everything'],
  [person('token', 'admin'), PEOPLE, 'wider', 'everything'],
  // Without a wider form an admin is a person like any other.
  [person('token', 'admin'), PEOPLE, false, 'own'],
  [person('token', 'admin'), ['session'], false, 'session_only'],
  [person('token', 'admin'), ['worker'], false, 'wrong_identity'],
  [person('session', 'member'), ['session'], false, 'own'],
  [worker, PEOPLE, false, 'wrong_identity'],
  [worker, ['worker'], false, 'own'],
  [worker, ['worker'], 'only', 'admin_only'],
] as const)('%o calls what is for %o (admin: %s): %s', (identity, identities, admin, what) => {
  expect(reached(identity, identities, admin)).toBe(what);
});

const appWith = (rawRoutes: readonly RawRoutes[]) =>
  createApp({
    ...{ router: {}, rawRoutes, refuseForeignOrigin: () => undefined, isDraining: () => false },
    identify: async ({ authorization }) => (authorization === 'Bearer ada' ? person('apiKey', 'member') : null),
    otherWays: [
      { kinds: ['worker'], identify: async ({ authorization }) => (authorization === 'Bearer worker' ? worker : null) },
    ],
    ...{ log: pino({ level: 'silent' }), trustProxy: false, secure: false, webDir: null },
  });

it('a route below /api that is no operation of the contract keeps the server from starting', async () => {
  const other: RawOperation = { ...rawOperations.activity.events };
  const { events } = rawOperations.system;
  for (const routes of [
    (app) => void app.get('/api/secrets', async () => 'all'),
    (app) => void app.get('/api/eventz', { config: { operation: events } }, async () => 'all'),
    (app) => serveRaw(app, other, async () => 'all'),
  ] satisfies RawRoutes[])
    await expect(appWith([routes])).rejects.toThrow('is no operation of the contract');
  await (await appWith([(app) => serveRaw(app, events, async () => 'all')])).close();
});

it('each way to identify is asked where its kind may call, and a person is no worker', async () => {
  const { report } = rawOperations.worker;
  const { events } = rawOperations.system;
  const app = await appWith([
    (raw) => {
      serveRaw(raw, report, async ({ caller }) => workerOf(caller));
      serveRaw(raw, events, async ({ caller }) => ({ who: signedIn(caller).userId }));
    },
  ]);
  const asked = async (method: 'GET' | 'POST', url: string, who: string | null) => {
    const answer = await app.inject({ method, url, headers: who === null ? {} : { authorization: `Bearer ${who}` } });
    return answer.statusCode === 200 ? answer.json() : answer.json().code;
  };
  expect(await asked('POST', '/api/worker/report', 'worker')).toEqual(worker);
  expect(await asked('POST', '/api/worker/report', 'ada')).toBe('worker_token_invalid');
  expect(await asked('POST', '/api/worker/report', null)).toBe('worker_token_invalid');
  expect(await asked('GET', '/api/events', 'ada')).toEqual({ who: 'u_ada' });
  expect(await asked('GET', '/api/events', 'worker')).toBe('not_signed_in');
  await app.close();
});
