import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Database } from '../database/index.ts';
import { createApp } from './app.ts';
import { createMetrics, healthRoutes } from './health.ts';
import type { PersonIdentity } from './identity.ts';

const ADMIN: PersonIdentity = {
  actor: { userId: 'u_ada', userName: 'Ada', role: 'admin' },
  ...{ kind: 'apiKey', userId: 'u_ada', userName: 'Ada', label: '', expiresAt: null },
};

async function status(o: { behindProxy: boolean; headers?: Record<string, string>; remoteAddress?: string }) {
  const identify = async ({ authorization }: { authorization: string | undefined }) =>
    authorization === 'Bearer admin'
      ? ADMIN
      : authorization === 'Bearer member'
        ? { ...ADMIN, actor: { ...ADMIN.actor, role: 'member' as const } }
        : null;
  const app = await createApp({
    router: {},
    rawRoutes: [
      healthRoutes({
        ...{ database: {} as Database, metrics: createMetrics(), identify, isDraining: () => false },
        behindProxy: o.behindProxy,
      }),
    ],
    ...{ identify, refuseForeignOrigin: () => undefined, isDraining: () => false },
    ...{ log: pino({ level: 'silent' }), trustProxy: o.behindProxy, secure: false, webDir: null },
  });
  const answer = await app.inject({
    url: '/metrics',
    headers: o.headers ?? {},
    remoteAddress: o.remoteAddress ?? '127.0.0.1',
  });
  await app.close();
  return answer.statusCode;
}

test('metrics are for this machine where no proxy is in front', async () => {
  expect(await status({ behindProxy: false })).toBe(200);
  expect(await status({ behindProxy: false, remoteAddress: '::ffff:127.0.0.1' })).toBe(200);
  expect(await status({ behindProxy: false, remoteAddress: '192.0.2.1' })).toBe(401);
  for (const name of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'via'])
    expect(await status({ behindProxy: false, headers: { [name]: '127.0.0.1' } }), name).toBe(401);
});

test('behind a proxy they are for an admin alone, whatever it says or does not say', async () => {
  expect(await status({ behindProxy: true })).toBe(401);
  expect(await status({ behindProxy: true, headers: { 'x-forwarded-for': '127.0.0.1' } })).toBe(401);
  expect(await status({ behindProxy: true, headers: { authorization: 'Bearer member' } })).toBe(403);
  expect(await status({ behindProxy: true, headers: { authorization: 'Bearer admin' } })).toBe(200);
});
