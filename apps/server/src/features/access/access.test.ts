import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessServer, type Answer, type Browser, startAccessServer } from './testing/access-server.ts';

const PASSWORD = 'correct horse battery';

let server: AccessServer;
let admin: Browser;
let adminId: string;

beforeAll(async () => {
  server = await startAccessServer();
});
afterAll(() => server?.close());

const code = async (answer: Promise<Answer>): Promise<string> => {
  const { status, body } = await answer;
  return status === 200 ? 'ok' : String(body.code);
};

async function join(email: string, role = 'member'): Promise<Browser> {
  const invite = await admin.call('POST', '/api/invites', { role });
  const browser = server.browser();
  const token = String(invite.body.url).split('#')[1];
  const answer = await browser.call('POST', '/api/invites/accept', { token, name: 'Ada', email, password: PASSWORD });
  expect(answer.status).toBe(200);
  return browser;
}

const idOf = async (browser: Browser): Promise<string> =>
  String((await browser.call('GET', '/api/users/me')).body.user?.id);
const bearer = (token: unknown) => ({ authorization: `Bearer ${token}` });

describe('the first start', () => {
  test('makes one admin, whose link works once', async () => {
    const [first, second] = await Promise.all([server.access.ensureFirstAdmin(), server.access.ensureFirstAdmin()]);
    const people = await server.access.people.list();
    expect(people).toMatchObject([{ name: 'Admin', role: 'admin', email: '', hasPassword: false, planId: 'standard' }]);
    const fresh = await server.access.ensureFirstAdmin();
    expect(fresh?.url).toBe(`${server.url}/sign-in/link#${fresh?.token}`);
    admin = server.browser();
    // A later start prints a later link; the earlier one is no longer good.
    expect(await code(server.browser().call('POST', '/api/auth/sign-in/link', { token: first?.token }))).toBe(
      'sign_in_link_used',
    );
    expect(second?.token).not.toBe(first?.token);
    const race = await Promise.all(
      [admin, server.browser()].map((browser) =>
        code(browser.call('POST', '/api/auth/sign-in/link', { token: fresh?.token })),
      ),
    );
    expect(race.toSorted()).toEqual(['ok', 'sign_in_link_used']);
    expect(await server.access.ensureFirstAdmin()).toBeNull();
    admin = await server.adminBrowser();
    adminId = await idOf(admin);
  });

  test('the cookie is for this server alone, and for no script', async () => {
    const { token } = await server.access.firstAdminLink();
    const answer = await server.browser().call('POST', '/api/auth/sign-in/link', { token });
    const port = new URL(server.url).port;
    expect(answer.headers.get('set-cookie')).toMatch(
      new RegExp(`^hangar-${port}=hgs_[\\w-]+; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax$`),
    );
    const secure = await server.beside({ publicUrl: 'https://hangar.example' });
    const link = await secure.access.firstAdminLink();
    expect(link.url).toMatch(/^https:\/\/hangar\.example\/sign-in\/link#hgl_/);
    const overTls = await secure.browser().call('POST', '/api/auth/sign-in/link', { token: link.token });
    expect(overTls.headers.get('set-cookie')).toMatch(/^__Host-hangar=.*Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  });

  test('a link ends after a day', async () => {
    const { token } = await server.access.firstAdminLink();
    server.advance(24 * 3600 + 1);
    expect(await code(server.browser().call('POST', '/api/auth/sign-in/link', { token }))).toBe('sign_in_link_used');
  });

  test('the admin key is an API key of the first admin', async () => {
    const key = await server.access.adminKey();
    expect(key).toMatch(/^hgr_/);
    const { body } = await server.browser().call('GET', '/api/users/me', undefined, bearer(key));
    expect(body).toMatchObject({
      user: { id: adminId, role: 'admin' },
      identity: { kind: 'apiKey', name: 'admin-key', expiresAt: null },
      plan: { id: 'standard', jobsAtOnce: 4, minutesPerMonth: null, maxArtifactBytes: 2 ** 30 },
      use: { jobsRunning: 1, jobsWaiting: 2, sandboxesOpen: 3 },
      server: { url: server.url },
    });
  });
});

describe('people', () => {
  test('come by an invitation that works once and says what it offers', async () => {
    const { body } = await admin.call('POST', '/api/invites', { role: 'member' });
    const token = String(body.url).split('#')[1];
    expect(body.url).toBe(`${server.url}/invite#${token}`);
    const guest = server.browser();
    expect((await guest.call('POST', '/api/invites/look', { token })).body).toMatchObject({
      role: 'member',
      createdBy: 'Admin',
    });
    const form = { token, name: 'Grace', email: 'Grace@Example.com', password: PASSWORD };
    const accepted = await guest.call('POST', '/api/invites/accept', form);
    expect(accepted.body).toMatchObject({
      name: 'Grace',
      email: 'grace@example.com',
      role: 'member',
      hasPassword: true,
    });
    expect((await guest.call('GET', '/api/users/me')).status).toBe(200);
    expect(await code(server.browser().call('POST', '/api/invites/accept', form))).toBe('invite_invalid');
    expect((await admin.call('GET', '/api/invites')).body.items).toEqual([]);
  });

  test('an email that is taken leaves the invitation good', async () => {
    await join('taken@example.com');
    const { body } = await admin.call('POST', '/api/invites', {});
    const token = String(body.url).split('#')[1];
    const form = { token, name: 'X', email: 'Taken@example.com', password: PASSWORD };
    expect(await code(server.browser().call('POST', '/api/invites/accept', form))).toBe('email_taken');
    expect(await code(admin.call('PATCH', '/api/users/me', { email: 'taken@example.com' }))).toBe('email_taken');
    expect(await code(server.browser().call('POST', '/api/invites/look', { token }))).toBe('ok');
    expect(await code(admin.call('DELETE', `/api/invites/${body.id}`))).toBe('ok');
    expect(await code(server.browser().call('POST', '/api/invites/look', { token }))).toBe('invite_invalid');
  });

  test('sign in with a password, and out', async () => {
    await join('ada@example.com');
    const browser = server.browser();
    const signIn = (email: string, password: string) => browser.call('POST', '/api/auth/sign-in', { email, password });
    expect(await code(signIn('ada@example.com', 'wrong'))).toBe('wrong_password');
    expect(await code(signIn('nobody@example.com', PASSWORD))).toBe('wrong_password');
    expect(await code(signIn('ADA@example.com', PASSWORD))).toBe('ok');
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    expect((await browser.call('GET', '/api/users/me')).body.identity).toMatchObject({
      kind: 'session',
      name: 'Firefox',
    });
    expect(await code(browser.call('POST', '/api/auth/sign-out', {}))).toBe('ok');
    expect(browser.cookies.size).toBe(0);
    expect(await code(server.browser().call('GET', '/api/users/me', undefined, { cookie }))).toBe('not_signed_in');
  });

  test('a new password needs the old one, and ends the other sessions', async () => {
    const one = await join('pw@example.com');
    const two = server.browser();
    await two.call('POST', '/api/auth/sign-in', { email: 'pw@example.com', password: PASSWORD });
    const set = (browser: Browser, body: object) => code(browser.call('POST', '/api/users/me/password', body));
    expect(await set(two, { password: 'another password' })).toBe('wrong_password');
    expect(await set(two, { current: 'wrong', password: 'another password' })).toBe('wrong_password');
    expect(await set(two, { current: PASSWORD, password: 'short' })).toBe('validation_failed');
    expect(await set(two, { current: PASSWORD, password: 'another password' })).toBe('ok');
    expect(await code(two.call('GET', '/api/users/me'))).toBe('ok');
    expect(await code(one.call('GET', '/api/users/me'))).toBe('not_signed_in');

    // Who has lost the password gets a link from an admin, and needs no old one for an hour.
    const { body } = await admin.call('POST', `/api/users/${await idOf(two)}/sign-in-link`, {});
    const token = String(body.url).split('#')[1];
    const three = server.browser();
    await three.call('POST', '/api/auth/sign-in/link', { token });
    expect(await set(three, { password: 'the third password' })).toBe('ok');
    server.advance(3601);
    expect(await set(three, { password: 'the fourth password' })).toBe('wrong_password');
  });

  test('sign out everywhere ends sessions, not API keys', async () => {
    const one = await join('everywhere@example.com');
    const two = server.browser();
    await two.call('POST', '/api/auth/sign-in', { email: 'everywhere@example.com', password: PASSWORD });
    const { key } = (await one.call('POST', '/api/api-keys', { name: 'ci' })).body;
    expect(await code(one.call('POST', '/api/users/me/sign-out-everywhere', {}))).toBe('ok');
    expect(one.cookies.size).toBe(0);
    expect(await code(two.call('GET', '/api/users/me'))).toBe('not_signed_in');
    expect(await code(server.browser().call('GET', '/api/users/me', undefined, bearer(key)))).toBe('ok');
  });

  test('sessions live on with use, and end 30 days after it', async () => {
    const browser = await join('rolling@example.com');
    server.advance(29 * 24 * 3600);
    const answer = await browser.call('GET', '/api/users/me');
    expect(answer.headers.get('set-cookie')).toContain('Max-Age=2592000');
    server.advance(29 * 24 * 3600);
    expect(await code(browser.call('GET', '/api/users/me'))).toBe('ok');
    server.advance(31 * 24 * 3600);
    expect(await code(browser.call('GET', '/api/users/me'))).toBe('not_signed_in');
    admin = await server.adminBrowser();
  });
});

describe('admins', () => {
  test('only admins see and change people', async () => {
    const member = await join('member@example.com');
    expect(await code(member.call('GET', '/api/users'))).toBe('admin_only');
    expect(await code(member.call('POST', '/api/invites', { role: 'admin' }))).toBe('admin_only');
    const id = await idOf(member);
    expect((await admin.call('PATCH', `/api/users/${id}`, { role: 'admin' })).body.role).toBe('admin');
    expect(await code(member.call('GET', '/api/users'))).toBe('ok');
    expect((await admin.call('PATCH', `/api/users/${id}`, { role: 'member' })).body.role).toBe('member');
    expect(await code(member.call('GET', '/api/users'))).toBe('admin_only');
    expect(await code(admin.call('PATCH', '/api/users/u_nobody', { role: 'admin' }))).toBe('user_not_found');
  });

  test('the last admin stays one, also when two step down at the same time', async () => {
    expect(await code(admin.call('PATCH', `/api/users/${adminId}`, { role: 'member' }))).toBe('last_admin');
    expect(await code(admin.call('PATCH', `/api/users/${adminId}`, { disabled: true }))).toBe('last_admin');
    const second = await join('second@example.com', 'admin');
    const secondId = await idOf(second);
    const codes = await Promise.all([
      code(admin.call('PATCH', `/api/users/${secondId}`, { role: 'member' })),
      code(second.call('PATCH', `/api/users/${adminId}`, { role: 'member' })),
    ]);
    expect(codes).toContain('ok');
    const admins = (await server.access.people.list()).filter((person) => person.role === 'admin');
    expect(admins).toHaveLength(1);
    if (admins[0]?.id !== adminId) {
      await second.call('PATCH', `/api/users/${adminId}`, { role: 'admin' });
      await second.call('PATCH', `/api/users/${secondId}`, { role: 'member' });
    }
  });

  test('who is disabled is out at once, everywhere', async () => {
    const person = await join('gone@example.com');
    const id = await idOf(person);
    const { key } = (await person.call('POST', '/api/api-keys', { name: 'ci' })).body;
    expect((await admin.call('PATCH', `/api/users/${id}`, { disabled: true })).body.disabled).toBe(true);
    expect(await code(person.call('GET', '/api/users/me'))).toBe('not_signed_in');
    expect(await code(server.browser().call('GET', '/api/users/me', undefined, bearer(key)))).toBe('not_signed_in');
    const form = { email: 'gone@example.com', password: PASSWORD };
    expect(await code(server.browser().call('POST', '/api/auth/sign-in', form))).toBe('account_disabled');
    expect(await code(admin.call('POST', `/api/users/${id}/sign-in-link`, {}))).toBe('account_disabled');
    await admin.call('PATCH', `/api/users/${id}`, { disabled: false });
    expect(await code(server.browser().call('POST', '/api/auth/sign-in', form))).toBe('ok');
  });

  test('plans', async () => {
    const plan = { ...(await server.access.planOf(adminId)), id: 'large', title: 'Large', minutesPerMonth: 600 };
    expect((await admin.call('PUT', '/api/plans/large', plan)).body).toEqual(plan);
    await admin.call('PUT', '/api/plans/large', { ...plan, jobsAtOnce: 20 });
    expect((await admin.call('GET', '/api/plans')).body.items).toMatchObject([{ id: 'large' }, { id: 'standard' }]);
    expect((await admin.call('PATCH', `/api/users/${adminId}`, { planId: 'large' })).body.planId).toBe('large');
    expect(await server.access.planOf(adminId)).toMatchObject({ jobsAtOnce: 20, minutesPerMonth: 600 });
    expect(await code(admin.call('PATCH', `/api/users/${adminId}`, { planId: 'none' }))).toBe('plan_not_found');
  });
});

describe('identity', () => {
  const me = (headers: Record<string, string>) => server.browser().call('GET', '/api/users/me', undefined, headers);

  test('API keys are listed by their beginning, expire, and are revoked by their owner only', async () => {
    const owner = await join('keys@example.com');
    const { body } = await owner.call('POST', '/api/api-keys', { name: 'ci', expiresInDays: 2 });
    expect(String(body.key).slice(0, 10)).toBe(body.prefix);
    expect(await code(me(bearer(body.key)))).toBe('ok');
    const listed = (await owner.call('GET', '/api/api-keys')).body.items;
    expect(listed).toMatchObject([{ id: body.id, name: 'ci', lastUsedAt: expect.any(String) }]);
    expect(JSON.stringify(listed)).not.toContain('"key"');
    expect(await code(admin.call('DELETE', `/api/api-keys/${body.id}`))).toBe('api_key_not_found');
    server.advance(2 * 24 * 3600);
    expect(await code(me(bearer(body.key)))).toBe('token_expired');
    expect(await code(owner.call('DELETE', `/api/api-keys/${body.id}`))).toBe('ok');
    expect(await code(me(bearer(body.key)))).toBe('not_signed_in');
  });

  test('use is written down at most once a minute', async () => {
    const key = await server.access.adminKey();
    const used = async () => (await server.access.apiKeys.list(adminId)).at(-1)?.lastUsedAt;
    await me(bearer(key));
    const first = await used();
    server.advance(50);
    await me(bearer(key));
    expect(await used()).toBe(first);
    server.advance(11);
    await me(bearer(key));
    expect(await used()).not.toBe(first);
  });

  test('who only reads on is looked at again without that being use, until they are shut out', async () => {
    const person = await join('reads-on@example.com');
    const { key } = (await person.call('POST', '/api/api-keys', { name: 'ci' })).body;
    const id = await idOf(person);
    server.advance(3600);
    const seen = async () => ({
      person: (await server.access.person(id)).lastSeenAt,
      keys: (await server.access.apiKeys.list(id)).map(({ lastUsedAt }) => lastUsedAt),
      sessions: (await server.database.pool.query('select last_used_at from session where person_id = $1', [id])).rows,
    });
    const before = await seen();
    const asked = { authorization: undefined, cookie: undefined, place: '::1', userAgent: '', justLooking: true };
    const withKey = { ...asked, authorization: `Bearer ${key}` };
    const withCookie = {
      ...asked,
      cookie: [...person.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    };
    for (const request of [withKey, withCookie])
      expect(await server.access.identify(request)).toMatchObject({ userId: id, actor: { role: 'member' } });
    expect(await seen()).toEqual(before);

    expect((await admin.call('PATCH', `/api/users/${id}`, { role: 'admin' })).status).toBe(200);
    for (const request of [withKey, withCookie])
      expect(await server.access.identify(request)).toMatchObject({ actor: { role: 'admin' } });
    expect((await admin.call('PATCH', `/api/users/${id}`, { disabled: true })).status).toBe(200);
    await expect(server.access.identify(withKey)).rejects.toMatchObject({ kind: 'unauthenticated' });
    expect(await server.access.identify(withCookie)).toBeNull();
  });

  test('a bearer token that is not good is never made good by a cookie', async () => {
    for (const wrong of ['Bearer hgr_nope', 'Bearer eyJhbGciOiJub25lIn0.e30.', 'Bearer', 'Basic YTpi', '']) {
      const answer = await admin.call('GET', '/api/users/me', undefined, { authorization: wrong });
      expect([wrong, answer.status, answer.body.code]).toEqual([wrong, 401, 'not_signed_in']);
    }
  });

  test('a worker token is no person', async () => {
    const facts = { cookie: undefined, place: '127.0.0.1', userAgent: '' };
    expect(await server.access.identify({ authorization: 'Bearer hgw_x', ...facts })).toBeNull();
  });
});

describe('requests that another site makes a browser send', () => {
  const rename = (headers: Record<string, string>) =>
    code(admin.call('PATCH', '/api/users/me', { name: 'Admin' }, headers));

  test('are refused; those of this site and of programs are not', async () => {
    expect(await rename({})).toBe('ok');
    expect(await rename({ origin: 'https://evil.example' })).toBe('csrf_refused');
    expect(await rename({ origin: 'null' })).toBe('csrf_refused');
    expect(await rename({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })).toBe('csrf_refused');
    expect(await rename({ origin: 'http://localhost:5173', 'sec-fetch-site': 'same-origin' })).toBe('ok');
    const key = await server.access.adminKey();
    const withKey = { ...bearer(key), origin: 'https://evil.example' };
    expect(await code(server.browser().call('DELETE', '/api/api-keys/k_000000', undefined, withKey))).toBe(
      'api_key_not_found',
    );
  });

  test('with a cookie and without any word on where they come from, too', () => {
    const refuse = server.access.refuseForeignOrigin;
    const facts = { method: 'POST', origin: undefined, fetchSite: undefined, host: 'hangar' };
    const { cookieName } = server.access.sessions;
    expect(() => refuse({ ...facts, cookie: `a=b; ${cookieName}=hgs_x` })).toThrow('does not come from this site');
    expect(() => refuse({ ...facts, cookie: 'a=b' })).not.toThrow();
    expect(() => refuse({ ...facts, method: 'GET', origin: 'https://evil.example' })).not.toThrow();
    expect(() => refuse({ ...facts, fetchSite: 'same-site' })).toThrow();
    expect(() => refuse({ ...facts, origin: 'https://hangar' })).not.toThrow();
    expect(() => refuse({ ...facts, origin: 'https://hangar.evil.example' })).toThrow();
  });

  test('cannot sign a browser in as somebody else', async () => {
    const form = { email: 'ada@example.com', password: PASSWORD };
    const answer = server.browser().call('POST', '/api/auth/sign-in', form, { origin: 'https://evil.example' });
    expect(await code(answer)).toBe('csrf_refused');
  });
});

test('guessing passwords is slowed down, for one email and for all', async () => {
  const limited = await server.beside({ rateLimits: { signIn: 1 } });
  server.nextMinute();
  const guess = (email: string) =>
    limited.browser().call('POST', '/api/auth/sign-in', { email, password: 'not it at all' });
  expect(await code(guess('ada@example.com'))).toBe('wrong_password');
  const refused = await guess('Ada@example.com');
  expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  const codes: string[] = [];
  for (let i = 0; i < 6; i += 1) codes.push(await code(guess(`a${i}@example.com`)));
  expect(codes).toEqual([...Array.from({ length: 5 }, () => 'wrong_password'), 'rate_limited']);
});

test('no token and no password is in any column', async () => {
  const secrets: string[] = [PASSWORD];
  const person = await join('leak@example.com');
  secrets.push(...person.cookies.values());
  secrets.push(String((await person.call('POST', '/api/api-keys', { name: 'ci' })).body.key));
  const invite = await admin.call('POST', '/api/invites', {});
  const link = await admin.call('POST', `/api/users/${await idOf(person)}/sign-in-link`, {});
  secrets.push(...[invite, link].map((answer) => String(answer.body.url).split('#')[1] ?? ''));
  const post = async (path: string, body: object) => {
    const answer = await fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: 'hangar-cli', ...body }),
    });
    return (await answer.json()) as Record<string, string>;
  };
  const waiting = await post('/api/auth/device', {});
  const request = await post('/api/auth/device', {});
  await person.call('POST', `/api/device-requests/${request.user_code}`, { approve: true });
  const tokens = await post('/api/auth/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: request.device_code,
  });
  const signing = await server.access.keys.published();
  expect(signing.keys).not.toHaveLength(0);
  for (const each of [waiting, request]) secrets.push(String(each.device_code), String(each.user_code));
  secrets.push(String(waiting.user_code).replace('-', ''), String(tokens.access_token), String(tokens.refresh_token));
  secrets.push('"d":');
  expect(secrets.every((secret) => secret.length >= 4)).toBe(true);

  const { pool } = server.database;
  const tables = await pool.query(
    `select table_name as name from information_schema.tables where table_schema = 'public'`,
  );
  let rows = 0;
  for (const { name } of tables.rows) {
    const dump = await pool.query(`select row_to_json(t)::text as row from "${name}" t`);
    rows += dump.rows.length;
    for (const { row } of dump.rows) for (const secret of secrets) expect(row).not.toContain(secret);
  }
  expect(rows).toBeGreaterThan(20);
});
