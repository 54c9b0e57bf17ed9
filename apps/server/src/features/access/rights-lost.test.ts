import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessServer, type Answer, type Browser, startAccessServer } from './testing/access-server.ts';

const PASSWORD = 'correct horse battery';

let server: AccessServer;
let admin: Browser;
let people = 0;

beforeAll(async () => {
  server = await startAccessServer();
  await server.access.ensureFirstAdmin();
  admin = await server.adminBrowser();
});
afterAll(() => server?.close());

const code = async (answer: Promise<Answer>): Promise<string> => {
  const { status, body } = await answer;
  return status === 200 ? 'ok' : String(body.code);
};
const idOf = async (browser: Browser) => String((await browser.call('GET', '/api/users/me')).body.user?.id);
const secretOf = (url: unknown) => String(url).split('#')[1];
const bearer = (token: unknown) => ({ authorization: `Bearer ${token}` });
const change = (id: string, what: object) => admin.call('PATCH', `/api/users/${id}`, what);
const link = async (by: Browser, id: string) =>
  secretOf((await by.call('POST', `/api/users/${id}/sign-in-link`, {})).body.url);
const useLink = (token: string | undefined) => code(server.browser().call('POST', '/api/auth/sign-in/link', { token }));

async function join(role: 'admin' | 'member'): Promise<{ browser: Browser; id: string; email: string }> {
  const invite = await admin.call('POST', '/api/invites', { role });
  const browser = server.browser();
  const email = `person${++people}@example.com`;
  const form = { token: secretOf(invite.body.url), name: 'Ada', email, password: PASSWORD };
  expect(await code(browser.call('POST', '/api/invites/accept', form))).toBe('ok');
  return { browser, id: await idOf(browser), email };
}

/** Follows the live stream; resolves when the server ends it. */
async function follow(headers: Record<string, string>): Promise<{ ended: Promise<void> }> {
  const response = await fetch(`${server.url}/api/events`, { headers });
  expect(response.status).toBe(200);
  const ended = (async () => {
    for await (const _chunk of response.body ?? []);
  })().catch(() => undefined);
  return { ended };
}

describe.each([
  ['is no admin any longer', { role: 'member' }],
  ['is disabled', { disabled: true }],
  ['is both', { role: 'member', disabled: true }],
])('who %s', (_what, loss) => {
  test('has no invitation and no sign-in link out there', async () => {
    const [maker, other] = [await join('admin'), await join('member')];
    const invite = secretOf((await maker.browser.call('POST', '/api/invites', { role: 'admin' })).body.url);
    const made = await link(maker.browser, other.id);
    const ofAnother = await link(admin, other.id);
    expect((await change(maker.id, loss)).status).toBe(200);
    expect(await code(server.browser().call('POST', '/api/invites/look', { token: invite }))).toBe('invite_invalid');
    const form = { token: invite, name: 'Eve', email: `eve${++people}@example.com`, password: PASSWORD };
    expect(await code(server.browser().call('POST', '/api/invites/accept', form))).toBe('invite_invalid');
    expect(await useLink(made)).toBe('sign_in_link_used');
    expect(await useLink(ofAnother)).toBe('ok');
    // What comes back with the role is the right to make new ones.
    await change(maker.id, { role: 'admin', disabled: false });
    expect(await code(server.browser().call('POST', '/api/invites/look', { token: invite }))).toBe('invite_invalid');
  });

  test('has no key that does more, and no stream that goes on', async () => {
    const { browser, id } = await join('admin');
    const { key } = (await browser.call('POST', '/api/api-keys', { name: 'ci' })).body;
    const asAdmin = () => code(server.browser().call('GET', '/api/users', undefined, bearer(key)));
    expect(await asAdmin()).toBe('ok');
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const streams = await Promise.all([bearer(key), { cookie }].map(follow));
    expect((await change(id, loss)).status).toBe(200);
    expect(await asAdmin()).toMatch(/^(admin_only|not_signed_in)$/);
    // At once, and not when somebody next looks around.
    await expect(Promise.all(streams.map(({ ended }) => ended))).resolves.toBeDefined();
  }, 15_000);
});

test('what was made while the role was taken away does not count either', async () => {
  const [maker, other] = [await join('admin'), await join('member')];
  const made = await link(maker.browser, other.id);
  const invite = secretOf((await maker.browser.call('POST', '/api/invites', { role: 'member' })).body.url);
  // Such as a request that was let in just before.
  await server.database.pool.query(`update person set role = 'member' where id = $1`, [maker.id]);
  expect(await useLink(made)).toBe('sign_in_link_used');
  expect(await code(server.browser().call('POST', '/api/invites/look', { token: invite }))).toBe('invite_invalid');
  expect(JSON.stringify((await admin.call('GET', '/api/invites')).body)).not.toContain(maker.id);
});

test('a program that was approved and has not come back yet is not signed in by an account that was disabled', async () => {
  const { browser, id } = await join('member');
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return (await answer.json()) as Record<string, string>;
  };
  const request = await post('/api/auth/device', { client_id: 'hangar-cli' });
  expect(await code(browser.call('POST', `/api/device-requests/${request.user_code}`, { approve: true }))).toBe('ok');
  await change(id, { disabled: true });
  await change(id, { disabled: false });
  const answer = await post('/api/auth/token', {
    ...{ client_id: 'hangar-cli', device_code: request.device_code },
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
  });
  expect(answer).toMatchObject({ error: 'invalid_grant' });
});

describe('an admin without a password', () => {
  test('whose sessions are all gone gets a link from the server, which prints none by itself', async () => {
    expect(await server.access.ensureFirstAdmin()).toBeNull();
    const alone = await startAccessServer();
    try {
      await alone.access.ensureFirstAdmin();
      await alone.adminBrowser();
      expect(await alone.access.people.nobodyCameYet()).toBe(false);
      await alone.database.pool.query('delete from session');
      alone.advance(400 * 24 * 3600);
      await alone.access.sweep(AbortSignal.timeout(10_000));
      expect(await alone.access.ensureFirstAdmin()).toBeNull();
      const again = await alone.adminBrowser();
      expect((await again.call('GET', '/api/users')).status).toBe(200);
    } finally {
      await alone.close();
    }
  });

  test('is told the first link as long as only machines came', async () => {
    const alone = await startAccessServer();
    try {
      const key = await alone.access.adminKey();
      const me = await alone.browser().call('GET', '/api/users/me', undefined, bearer(key));
      expect(me.status).toBe(200);
      expect(await alone.access.people.nobodyCameYet()).toBe(true);
      expect(await alone.access.ensureFirstAdmin()).not.toBeNull();
    } finally {
      await alone.close();
    }
  });
});
