import { type DriverName, HangarError, type Role } from '@hangar/contract';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { createApp } from '../../platform/http/app.ts';
import { profilesRoutes } from './feature.ts';
import { createProfiles } from './profiles.ts';
import type { ProfileOf } from './reaching.ts';
import { memorySecrets } from './testing/memory-secrets.ts';

const SECRET = 'dtn_4711c0ffee0badcafe4711';
const PEOPLE: Readonly<Record<string, Role>> = { root: 'admin', ada: 'member', bob: 'member' };

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let app: FastifyInstance;
let url: string;
const logged: string[] = [];
const answered: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const { secrets } = await memorySecrets(database);
  const names: DriverName[] = ['local', 'ssh', 'daytona'];
  const profiles = createProfiles({
    ...{ database, secrets },
    drivers: names.map((name) => ({
      name,
      describe: async () => Promise.reject(new HangarError('internal')),
      forProfile: ({ name: of, secret }: ProfileOf) => ({
        // What a driver is refused with, when it is careless with everything but the key.
        test: async () => {
          await secret('apiKey');
          throw new HangarError('driver_auth_failed', { message: `The key of ${of} was refused.` });
        },
      }),
    })),
    hosts: { allowLocal: false, env: {}, lookup: async () => ['192.0.2.7'] },
    places: { inUse: async () => new Map(), unfinishedOn: async () => new Map(), revisionsInUse: async () => [] },
  });
  app = await createApp({
    ...{ router: profilesRoutes(profiles), rawRoutes: [], refuseForeignOrigin: () => undefined },
    identify: async ({ authorization = '' }) => {
      const name = authorization.replace('Bearer ', '');
      const role = PEOPLE[name];
      if (role === undefined) return null;
      const person = { userId: `u_${name}`, userName: name };
      return { ...person, kind: 'apiKey', label: '', expiresAt: null, actor: { ...person, role } };
    },
    isDraining: () => false,
    log: pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) }),
    ...{ trustProxy: false, secure: false, webDir: null },
  });
  url = await app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  const closed = app?.close();
  app?.server.closeAllConnections();
  await closed;
  await database?.drop();
});

async function ask(who: string, method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, json?: object) {
  const answer = await fetch(`${url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${who}`, ...(json ? { 'content-type': 'application/json' } : {}) },
    ...(json ? { body: JSON.stringify(json) } : {}),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await answer.text();
  answered.push(text);
  return { status: answer.status, body: JSON.parse(text) };
}

it('both names of the routes do the same, for whom it is allowed', async () => {
  const team = { name: 'team', driver: 'daytona', settings: { apiKey: SECRET } };
  expect(await ask('ada', 'POST', '/drivers', { ...team, personal: false })).toMatchObject({ status: 403 });
  expect(await ask('root', 'POST', '/drivers', team)).toMatchObject({ status: 201, body: { personal: false } });
  expect(await ask('ada', 'POST', '/profiles', { ...team, name: 'own' })).toMatchObject({
    status: 201,
    body: { personal: true, secrets: { apiKey: true }, isDefault: false },
  });
  for (const path of ['/drivers', '/profiles']) {
    const names = (await ask('ada', 'GET', path)).body.items.map(({ name }: { name: string }) => name);
    expect(names).toEqual(['own', 'team']);
    expect((await ask('bob', 'GET', path)).body.items).toHaveLength(1);
    expect(await ask('ada', 'GET', `${path}/own`)).toMatchObject({ status: 200, body: { name: 'own' } });
    for (const who of ['bob', 'root'])
      expect(await ask(who, 'GET', `${path}/own`)).toMatchObject({ status: 404, body: { code: 'profile_not_found' } });
  }
  expect(await ask('ada', 'PUT', '/drivers/own', { settings: { target: 'eu' } })).toMatchObject({
    body: { settings: { target: 'eu' }, secrets: { apiKey: true } },
  });
  expect(await ask('ada', 'PATCH', '/profiles/own', { limits: { cpus: 2 } })).toMatchObject({
    body: { settings: { target: 'eu' }, limits: { cpus: 2 } },
  });
  expect(await ask('ada', 'POST', '/drivers/own/activate', {})).toMatchObject({ body: { isDefault: true } });
  expect(await ask('bob', 'PUT', '/drivers/team', { limits: {} })).toMatchObject({ status: 403 });
  expect(await ask('bob', 'DELETE', '/drivers/team')).toMatchObject({ status: 403 });
  expect(await ask('nobody', 'GET', '/drivers')).toMatchObject({ status: 401 });
  expect(await ask('ada', 'POST', '/profiles/own/test', {})).toMatchObject({ body: { code: 'driver_auth_failed' } });
  expect(await ask('ada', 'DELETE', '/drivers/own')).toMatchObject({ status: 200, body: { done: true } });
});

it('no answer and no line of the log has a secret, whatever went wrong with it', async () => {
  const bad = [
    { name: 'a', driver: 'daytona', settings: { apiKey: SECRET, apiUrl: 'no url' } },
    { name: 'b', driver: 'daytona', settings: { apiKey: `${SECRET}${'x'.repeat(600)}` } },
    { name: 'c', driver: 'daytona', settings: { apiKey: [SECRET] } },
    { name: 'd', driver: 'local', settings: { apiKey: SECRET } },
    { name: 'e', driver: 'e2b', settings: { apiKey: SECRET } },
    { name: 'f', driver: 'daytona', settings: { apiKey: SECRET, apiUrl: 'http://127.0.0.1/' } },
    { name: 'G!', driver: 'daytona', settings: { apiKey: SECRET } },
    { name: 'team', driver: 'daytona', settings: { apiKey: SECRET }, personal: false },
  ];
  for (const wish of bad) await ask('ada', 'POST', '/profiles', wish);
  await ask('root', 'POST', '/profiles', bad.at(-1));
  await ask('root', 'PATCH', '/profiles/team', { settings: { apiKey: SECRET, apiUrl: 'no url' } });
  await ask('root', 'PATCH', '/profiles/team', { settings: { apiKey: { deep: SECRET } } });
  await ask('root', 'GET', '/profiles/team');
  // None of them failed for want of being understood.
  expect(answered.filter((text) => text.includes('internal'))).toEqual([]);
  expect(logged.length).toBeGreaterThan(0);
  for (const text of [...logged, ...answered]) expect(text).not.toContain(SECRET);
});
