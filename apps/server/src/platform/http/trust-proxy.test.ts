import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createApp } from './app.ts';

/** The address that counts for one who comes from `from` and says `said`. */
async function seen(trustProxy: boolean | number | string[], from: string, said: string): Promise<string> {
  const app = await createApp({
    router: {},
    rawRoutes: [(raw) => void raw.get('/who', async ({ ip }) => ({ ip }))],
    identify: async () => null,
    refuseForeignOrigin: () => undefined,
    isDraining: () => false,
    ...{ log: pino({ level: 'silent' }), trustProxy, secure: false, webDir: null },
  });
  const answer = await app.inject({ url: '/who', remoteAddress: from, headers: { 'x-forwarded-for': said } });
  await app.close();
  return answer.json().ip;
}

it('an address that somebody made up is believed as far as the setting says', async () => {
  const said = '203.0.113.66, 203.0.113.1, 192.0.2.2';
  expect(await seen(false, '192.0.2.1', said)).toBe('192.0.2.1');
  expect(await seen(1, '192.0.2.1', said)).toBe('192.0.2.2');
  expect(await seen(2, '192.0.2.1', said)).toBe('203.0.113.1');
  expect(await seen(['192.0.2.0/24'], '192.0.2.1', said)).toBe('203.0.113.1');
  expect(await seen(['192.0.2.0/24'], '198.51.100.1', said)).toBe('198.51.100.1');
  expect(await seen(true, '192.0.2.1', said)).toBe('203.0.113.66');
});
