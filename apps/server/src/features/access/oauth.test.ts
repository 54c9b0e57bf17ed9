import { DEVICE_GRANT, OAUTH_CLIENT_ID } from '@hangar/contract';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessServer, type Browser, startAccessServer } from './testing/access-server.ts';

let server: AccessServer;
let admin: Browser;
let config: client.Configuration;

beforeAll(async () => {
  server = await startAccessServer();
  admin = await server.adminBrowser();
  config = await discover(server.url);
});
afterAll(() => server?.close());

const discover = (url: string, options: Partial<client.DiscoveryRequestOptions> = { algorithm: 'oauth2' }) =>
  client.discovery(new URL(url), OAUTH_CLIENT_ID, undefined, client.None(), {
    ...options,
    execute: [client.allowInsecureRequests],
  });

const begin = () => client.initiateDeviceAuthorization(config, {});
const poll = (deviceCode: string) => client.genericGrantRequest(config, DEVICE_GRANT, { device_code: deviceCode });
const decide = (userCode: string, approve: boolean) =>
  admin.call('POST', `/api/device-requests/${userCode}`, { approve });
const refusal = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof client.ResponseBodyError)) throw new Error(`not an OAuth error: ${error}`);
  return `${error.status} ${error.error}`;
};
const whoami = (accessToken: string) =>
  fetch(`${server.url}/api/users/me`, { headers: { authorization: `Bearer ${accessToken}` } });

async function signedIn(): Promise<{ access_token: string; refresh_token: string }> {
  const request = await begin();
  await decide(request.user_code, true);
  const { access_token, refresh_token = '' } = await poll(request.device_code);
  return { access_token, refresh_token };
}

function post(path: string, body: URLSearchParams | object | string, headers: Record<string, string> = {}) {
  const form = body instanceof URLSearchParams;
  return fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json', ...headers },
    body: form ? body : typeof body === 'string' ? body : JSON.stringify(body),
  });
}

describe('device login with the unmodified openid-client', () => {
  test('discovery finds everything, the OAuth way and the OpenID way', async () => {
    const metadata = config.serverMetadata();
    expect(metadata.issuer).toBe(server.url);
    expect(metadata.device_authorization_endpoint).toBe(`${server.url}/api/auth/device`);
    expect((await discover(server.url, {})).serverMetadata().token_endpoint).toBe(`${server.url}/api/auth/token`);
  });

  test('waits while it is pending, is slowed down, and gets its tokens once a person approves', async () => {
    const request = await begin();
    expect(request.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect(request.interval).toBe(5);
    const seen: string[] = [];
    const recording = await discover(server.url);
    recording[client.customFetch] = async (url, options) => {
      const response = await fetch(url, options as RequestInit);
      const copy = (await response.clone().json()) as { error?: string };
      seen.push(copy.error ?? 'token');
      if (copy.error === 'slow_down') await decide(request.user_code, true);
      return response;
    };
    // Its first polls come faster than it was asked to.
    const tokens = await client.pollDeviceAuthorizationGrant(recording, { ...request, interval: 1 });
    expect(seen).toEqual(['authorization_pending', 'slow_down', 'token']);
    expect(tokens.token_type).toBe('bearer');
    expect(tokens.expires_in).toBe(900);

    const keys = createRemoteJWKSet(new URL(String(config.serverMetadata().jwks_uri)));
    const { protectedHeader, payload } = await jwtVerify(tokens.access_token, keys, { issuer: server.url });
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'at+jwt' });
    expect(payload).toMatchObject({ client_id: OAUTH_CLIENT_ID, aud: 'hangar' });
    const me = (await (await whoami(tokens.access_token)).json()) as { user: { id: string }; identity: object };
    expect(me.user.id).toBe(payload.sub);
    expect(me.identity).toMatchObject({ kind: 'token', name: 'Hangar CLI' });
  });

  test('authorization_pending, then slow_down, whose longer interval stays', async () => {
    const { device_code } = await begin();
    expect(await refusal(poll(device_code))).toBe('400 authorization_pending');
    expect(await refusal(poll(device_code))).toBe('400 slow_down');
    server.advance(6);
    expect(await refusal(poll(device_code))).toBe('400 slow_down');
    server.advance(12);
    expect(await refusal(poll(device_code))).toBe('400 slow_down');
    server.advance(21);
    expect(await refusal(poll(device_code))).toBe('400 authorization_pending');
  });

  test('access_denied once a person denies', async () => {
    const request = await begin();
    expect((await decide(request.user_code, false)).body.status).toBe('denied');
    expect(await refusal(poll(request.device_code))).toBe('400 access_denied');
    expect((await decide(request.user_code, true)).body.status).toBe('denied');
    expect(await refusal(poll(request.device_code))).toBe('400 access_denied');
  });

  test('expired_token after ten minutes, also when it is approved too late', async () => {
    const request = await begin();
    server.advance(601);
    expect(await refusal(poll(request.device_code))).toBe('400 expired_token');
    expect((await decide(request.user_code, true)).body.status).toBe('expired');
    await server.access.sweep(AbortSignal.timeout(10_000));
    expect(await refusal(poll(request.device_code))).toBe('400 expired_token');
    server.advance(3601);
    await server.access.sweep(AbortSignal.timeout(10_000));
    expect(await refusal(poll(request.device_code))).toBe('400 invalid_grant');
  });

  test('refresh tokens rotate, and a reused one ends the family', async () => {
    const first = await signedIn();
    const second = await client.refreshTokenGrant(config, first.refresh_token);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    server.advance(11);
    const third = await client.refreshTokenGrant(config, String(second.refresh_token));
    expect((await whoami(third.access_token)).status).toBe(200);
    expect(await refusal(client.refreshTokenGrant(config, first.refresh_token))).toBe('400 invalid_grant');
    expect(await refusal(client.refreshTokenGrant(config, String(third.refresh_token)))).toBe('400 invalid_grant');
    expect((await whoami(third.access_token)).status).toBe(401);
  });

  test('revocation ends the family at once; an unknown token is no error', async () => {
    const byRefresh = await signedIn();
    await client.tokenRevocation(config, byRefresh.refresh_token);
    expect((await whoami(byRefresh.access_token)).status).toBe(401);
    expect(await refusal(client.refreshTokenGrant(config, byRefresh.refresh_token))).toBe('400 invalid_grant');
    const byAccess = await signedIn();
    await client.tokenRevocation(config, byAccess.access_token);
    expect(await refusal(client.refreshTokenGrant(config, byAccess.refresh_token))).toBe('400 invalid_grant');
    await client.tokenRevocation(config, 'never-seen');
    await client.tokenRevocation(config, byAccess.access_token);
  });
});

test('of six redemptions of one code exactly one wins', async () => {
  const request = await begin();
  await decide(request.user_code, true);
  const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => poll(request.device_code)));
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ error: 'invalid_grant' });
  }
});

test('three programs that refresh with one token at the same time all go on', async () => {
  const { refresh_token } = await signedIn();
  const answers = await Promise.all([1, 2, 3].map(() => client.refreshTokenGrant(config, refresh_token)));
  expect(new Set(answers.map((answer) => answer.refresh_token)).size).toBe(3);
  for (const answer of answers) expect((await whoami(answer.access_token)).status).toBe(200);
});

test('an access token ends after 15 minutes, a sign-in after 60 days without use', async () => {
  const { access_token, refresh_token } = await signedIn();
  server.advance(901);
  const answer = await whoami(access_token);
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({ code: 'token_expired' });
  const again = await client.refreshTokenGrant(config, refresh_token);
  server.advance(61 * 24 * 3600);
  expect(await refusal(client.refreshTokenGrant(config, String(again.refresh_token)))).toBe('400 invalid_grant');
  admin = await server.adminBrowser();
});

test('signing keys are published before they sign, and stay until what they signed has ended', async () => {
  const kids = async () => (await server.access.keys.published()).keys.map((key) => key.kid);
  const before = await server.access.keys.current();
  const { access_token } = await signedIn();
  while ((await kids()).length === 1) server.advance(24 * 3600);
  expect((await server.access.keys.current()).kid).toBe(before.kid);
  const beside = await server.beside();
  expect((await beside.access.keys.published()).keys).toHaveLength(2);
  const { rows } = await server.database.pool.query('select max(not_before) as next from signing_key');
  server.goTo(rows[0].next);
  expect((await server.access.keys.current()).kid).not.toBe(before.kid);
  expect(await kids()).toContain(before.kid);
  expect(await server.access.tokens.verify(access_token)).toBe('expired');
  server.advance(2 * 3600);
  expect(await kids()).not.toContain(before.kid);
  admin = await server.adminBrowser();
  const fresh = await signedIn();
  expect(await beside.access.tokens.verify(fresh.access_token)).toBe('invalid'); // another issuer
  expect((await whoami(fresh.access_token)).status).toBe(200);
});

describe('requests that are not as the RFCs want them', () => {
  const device = { client_id: OAUTH_CLIENT_ID };
  const cases: [string, string, URLSearchParams | object | string, number, string][] = [
    ['no client', '/api/auth/device', {}, 400, 'invalid_request'],
    ['unknown client', '/api/auth/device', { client_id: 'evil' }, 401, 'invalid_client'],
    ['no grant type', '/api/auth/token', device, 400, 'invalid_request'],
    ['another grant', '/api/auth/token', { ...device, grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['no device code', '/api/auth/token', { ...device, grant_type: DEVICE_GRANT }, 400, 'invalid_request'],
    [
      'unknown code',
      '/api/auth/token',
      { ...device, grant_type: DEVICE_GRANT, device_code: 'x' },
      400,
      'invalid_grant',
    ],
    ['unknown refresh token', '/api/auth/refresh', { refresh_token: 'x' }, 400, 'invalid_grant'],
    ['not JSON', '/api/auth/token', '{', 400, 'invalid_request'],
    ['a list', '/api/auth/token', '[]', 400, 'invalid_request'],
    ['twice', '/api/auth/device', new URLSearchParams('client_id=hangar-cli&client_id=a'), 400, 'invalid_request'],
    ['a large body', '/api/auth/device', `{"client_id":"${'x'.repeat(20_000)}"}`, 413, 'invalid_request'],
  ];
  test.each(cases)('%s', async (_name, path, body, status, error) => {
    const answer = await post(path, body);
    expect(await answer.json()).toMatchObject({ error });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('a browser on another site is refused in the same form', async () => {
    const answer = await post('/api/auth/token', device, { origin: 'https://evil.example' });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ error: 'invalid_request' });
  });

  test('a client with a secret is told to come without', async () => {
    const answer = await post('/api/auth/token', new URLSearchParams(), { authorization: 'Basic aGFuZ2FyOng=' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Basic');
    expect(await answer.json()).toMatchObject({ error: 'invalid_client' });
  });

  test('forms and JSON are both taken, and refresh needs no grant type', async () => {
    const form = await post('/api/auth/device', new URLSearchParams({ client_id: OAUTH_CLIENT_ID }));
    expect(form.status).toBe(200);
    expect(form.headers.get('cache-control')).toBe('no-store');
    const { refresh_token } = await signedIn();
    const refreshed = await post('/api/auth/refresh', { client_id: OAUTH_CLIENT_ID, refresh_token });
    expect(await refreshed.json()).toMatchObject({ token_type: 'Bearer', scope: 'hangar' });
  });
});

describe('the page that approves', () => {
  test('shows what asks and from where; the code is taken with or without dash, in any case', async () => {
    const answer = await post(
      '/api/auth/device',
      { client_id: OAUTH_CLIENT_ID, client_name: 'hangar on\u202e laptop\n' },
      { 'user-agent': 'hangar/0.1.0 linux', 'x-forwarded-for': '203.0.113.7' },
    );
    const { user_code, verification_uri_complete } = (await answer.json()) as Record<string, string>;
    expect(verification_uri_complete).toBe(`${server.url}/device?user_code=${user_code}`);
    const typed = String(user_code).replace('-', '').toLowerCase();
    const { body } = await admin.call('GET', `/api/device-requests/${typed}`);
    expect(body).toMatchObject({
      userCode: user_code,
      client: 'hangar on laptop',
      place: '203.0.113.7',
      userAgent: 'hangar/0.1.0 linux',
      status: 'waiting',
    });
  });

  test('needs a person in the browser', async () => {
    const { user_code } = await begin();
    const { access_token } = await signedIn();
    const anybody = await server.browser().call('GET', `/api/device-requests/${user_code}`);
    expect(anybody.body.code).toBe('not_signed_in');
    const token = await server
      .browser()
      .call(
        'POST',
        `/api/device-requests/${user_code}`,
        { approve: true },
        { authorization: `Bearer ${access_token}` },
      );
    expect(token.body.code).toBe('session_only');
  });

  test('lists what is signed in, and signs it out', async () => {
    await admin.call('POST', '/api/users/me/sign-out-everywhere', {});
    admin = await server.adminBrowser();
    const { access_token } = await signedIn();
    const { body } = await admin.call('GET', '/api/devices');
    expect(body.items).toHaveLength(1);
    expect((await admin.call('DELETE', `/api/devices/${body.items?.[0]?.id}`)).status).toBe(200);
    expect((await whoami(access_token)).status).toBe(401);
    expect((await admin.call('DELETE', `/api/devices/${body.items?.[0]?.id}`)).body.code).toBe('device_not_found');
  });
});

describe('rate limits answer in the form of the protocol', () => {
  test('device, token and refresh', async () => {
    const limited = await server.beside({ rateLimits: { device: 2, token: 2 } });
    const limitedConfig = await discover(limited.url);
    server.nextMinute();
    const first = await client.initiateDeviceAuthorization(limitedConfig, {});
    await client.initiateDeviceAuthorization(limitedConfig, {});
    expect(await refusal(client.initiateDeviceAuthorization(limitedConfig, {}))).toBe('429 temporarily_unavailable');
    const redeem = () => client.genericGrantRequest(limitedConfig, DEVICE_GRANT, { device_code: first.device_code });
    await refusal(redeem());
    await refusal(redeem());
    expect(await refusal(redeem())).toBe('429 slow_down');
    const other = await fetch(`${limited.url}/api/auth/device`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.9' },
      body: JSON.stringify({ client_id: OAUTH_CLIENT_ID }),
    });
    expect(other.status).toBe(200);
    server.advance(60);
    expect(await refusal(redeem())).toBe('400 authorization_pending');
  });

  test('guessed tokens and emails count together over a whole network, and leave no row each', async () => {
    const limited = await server.beside({ rateLimits: { token: 3, signIn: 1 } });
    server.nextMinute();
    const rows = async () =>
      Number((await server.database.pool.query('select count(*) from rate_count')).rows[0].count);
    const post = (path: string, place: string, body: object) =>
      fetch(`${limited.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: limited.url, 'x-forwarded-for': place },
        body: JSON.stringify(body),
      });
    const before = await rows();
    const guess = async (n: number, kind: object) =>
      (await post('/api/auth/token', `2001:db8:0:7::${n}`, { client_id: OAUTH_CLIENT_ID, ...kind })).status;
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1)
      statuses.push(
        await guess(
          n,
          n % 2
            ? { grant_type: 'refresh_token', refresh_token: `hgf_${n}` }
            : { grant_type: DEVICE_GRANT, device_code: `hgd_${n}` },
        ),
      );
    expect(statuses).toEqual([400, 400, 400, 429, 429]);
    expect(await rows()).toBe(before + 1);
    expect(
      (
        await post('/api/auth/token', '2001:db8:0:8::1', {
          client_id: OAUTH_CLIENT_ID,
          grant_type: 'refresh_token',
          refresh_token: 'x',
        })
      ).status,
    ).toBe(400);

    const signIns: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      const form = { email: `guess${n}@example.org`, password: 'not it at all' };
      signIns.push((await post('/api/auth/sign-in', `2001:db8:0:9::${n}`, form)).status);
    }
    expect(signIns.filter((status) => status === 401)).toHaveLength(6);
    expect(await rows()).toBe(before + 2 + 1 + 6);
  });

  test('guessing user codes', async () => {
    const limited = await server.beside({ rateLimits: { userCode: 5 } });
    server.nextMinute();
    const guesser = await limited.adminBrowser();
    const { user_code } = await client.initiateDeviceAuthorization(await discover(limited.url), {});
    // Right codes are no guesses.
    for (let i = 0; i < 7; i += 1) {
      expect((await guesser.call('GET', `/api/device-requests/${user_code}`)).status).toBe(200);
    }
    const codes: string[] = [];
    for (let i = 0; i < 6; i += 1)
      codes.push(String((await guesser.call('GET', '/api/device-requests/BBBB-BBBB')).body.code));
    expect(codes).toEqual([...Array.from({ length: 5 }, () => 'device_not_found'), 'rate_limited']);
    const blocked = await guesser.call('GET', `/api/device-requests/${user_code}`);
    expect(blocked.status).toBe(429);
    expect(Number(blocked.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
