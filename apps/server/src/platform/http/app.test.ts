import { contract, type IdentityKind, metaOf, rawOperations } from '@hangar/contract';
import { type AnyRouter, os } from '@orpc/server';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createApp } from './app.ts';
import { type RawRoutes, serveRaw } from './routes.ts';

/** Whether a server starts that serves this; else why not. */
async function starts(router: AnyRouter, raw: RawRoutes = () => undefined): Promise<string> {
  const app = createApp({
    ...{ router, rawRoutes: [raw] },
    identify: async () => null,
    refuseForeignOrigin: () => undefined,
    isDraining: () => false,
    ...{ log: pino({ level: 'silent' }), trustProxy: false, secure: false, webDir: null },
  });
  return app.then(
    (made) => made.close().then(() => 'yes'),
    (error: Error) => error.message,
  );
}

const { keys, token } = rawOperations.access;

it('serves below /api what is in the table, with the method it has there', async () => {
  const route = (method: string, url: string, operation: typeof keys | typeof token): RawRoutes => {
    return (app) => void app.route({ method, url, config: { operation }, handler: async () => ({}) });
  };
  expect(await starts({}, (app) => serveRaw(app, keys, async () => ({})))).toBe('yes');
  expect(await starts({}, route('POST', '/api/auth/token', token))).toBe('yes');
  for (const [method, url, operation] of [
    ['PUT', '/api/auth/token', token],
    ['DELETE', '/api/auth/jwks.json', keys],
    ['HEAD', '/api/auth/token', token],
    ['GET', '/api/elsewhere', keys],
    ['POST', '/api/auth/.well-known/token', token],
  ] as const)
    expect(await starts({}, route(method, url, operation)), `${method} ${url}`).toMatch(/no operation of the contract/);
  expect(await starts({}, (app) => void app.get('/api/odd', async () => ({})))).toMatch(/GET \/api\/odd is no/);
  expect(await starts({}, (app) => void app.get('/api-odd', async () => ({})))).toBe('yes');
});

it('refuses an operation of the contract for workers, whom nobody would know there', async () => {
  const routerFor = (...identities: IdentityKind[]) => ({
    odd: {
      work: os
        .$meta({ ...metaOf(contract.system.search), identities })
        .route({ method: 'GET', path: '/odd' })
        .handler(() => ({})),
    },
  });
  expect(await starts(routerFor('token', 'session'))).toBe('yes');
  expect(await starts(routerFor('worker'))).toMatch(/odd\.work.*worker/);
  expect(await starts(routerFor('token', 'worker'))).toMatch(/odd\.work.*worker/);
});
