import { DEVICE_GRANT, type Job, OAUTH_CLIENT_ID } from '@hangar/contract';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWholeServer, type WholeServer } from './testing/whole-server.ts';

let server: WholeServer;
beforeAll(async () => {
  server = await startWholeServer({ connections: 2, env: { HANGAR_JOBS_AT_ONCE: '1' } });
});
afterAll(() => server?.close());

const newJob = { spec: '# Try\n\n```sh\ntrue\n```\n', repo: { url: 'https://example.org/a/b.git' } };
/** To wait for a connection that does not come takes ten seconds. */
const SOON_MS = 8_000;

const token = (parameters: Record<string, string>) =>
  fetch(`${server.url}/api/auth/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: OAUTH_CLIENT_ID, ...parameters }),
    signal: AbortSignal.timeout(SOON_MS),
  });

async function signIn(): Promise<string> {
  const link = new URL(server.firstSignInLink ?? '').hash.slice(1);
  const entered = await fetch(`${server.url}/api/auth/sign-in/link`, {
    method: 'POST',
    headers: { origin: server.url, 'content-type': 'application/json' },
    body: JSON.stringify({ token: link }),
  });
  const cookie = entered.headers
    .getSetCookie()
    .map((header) => header.split(';')[0])
    .join('; ');
  const begun = await fetch(`${server.url}/api/auth/device`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: OAUTH_CLIENT_ID }),
  });
  const request = (await begun.json()) as { device_code: string; user_code: string };
  const approved = await fetch(`${server.url}/api/device-requests/${request.user_code}`, {
    method: 'POST',
    headers: { cookie, origin: server.url, 'content-type': 'application/json' },
    body: JSON.stringify({ approve: true }),
  });
  expect(approved.status).toBe(200);
  const answer = await token({ grant_type: DEVICE_GRANT, device_code: request.device_code });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { refresh_token: string }).refresh_token;
}

it('a server with two connections never waits for one that it holds', async () => {
  const refreshToken = await signIn();
  // Just after a start nobody has read the keys that sign.
  await server.restart();
  const refreshed = await Promise.all(
    Array.from({ length: 12 }, () => token({ grant_type: 'refresh_token', refresh_token: refreshToken })),
  );
  expect(refreshed.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));

  const began = performance.now();
  const sent = await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      server.call<Job>('POST', '/jobs', { ...newJob, title: `Job ${n}`, env: { A: 'b' } }),
    ),
  );
  const looks = [
    '/jobs?limit=200',
    '/users/me',
    '/profiles',
    '/devops/activity',
    '/search?q=job',
    `/jobs/${sent[0]?.id}`,
  ];
  await Promise.all([...looks, ...looks, ...looks].map((route) => server.call('GET', route)));
  await Promise.all(sent.slice(10, 20).map(({ id }) => server.call('POST', `/jobs/${id}/cancel`)));
  await expect
    .poll(async () => (await server.call<{ items: Job[] }>('GET', '/jobs?state=starting')).items.length, {
      timeout: 15_000,
    })
    .toBe(1);
  expect(performance.now() - began).toBeLessThan(60_000);
}, 90_000);
