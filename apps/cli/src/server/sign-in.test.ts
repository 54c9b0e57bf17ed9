import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../testing/fake-server.ts';
import { Desk } from '../testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let server: FakeServer;
let desk: Desk;
beforeEach(async () => {
  server = await new FakeServer().start();
  desk = new Desk({ HANGAR_SERVER: server.url });
});
afterEach(async () => {
  await server.stop();
  desk.dispose();
});

const device = () => {
  const [found] = server.devices.values();
  if (found === undefined) throw new Error('nobody asked for a device code');
  return found;
};
const stored = () => JSON.parse(readFileSync(desk.path('config/credentials.json'), 'utf8'))[server.url];

describe('device login', () => {
  it('shows address and code, waits, keeps the tokens', async () => {
    const login = desk.start(['cloud', 'login', '--no-browser']);
    await login.saw('approve the code BCDF-GHJK');
    await expect.poll(() => device().polls, { timeout: 30_000 }).toBeGreaterThan(0);
    device().status = 'approved';
    expect(await login.ended).toMatchObject({
      code: 0,
      stdout: `Signed in to ${server.url} as Ada (ada@example.org).\n`,
    });
    expect(stored()).toMatchObject({ kind: 'device' });
    expect((await desk.json(['cloud', 'whoami'])).identity.kind).toBe('token');
  });

  it('slows down when told to', async () => {
    const login = desk.start(['cloud', 'login', '--no-browser', '--json']);
    await expect.poll(() => server.devices.size, { timeout: 30_000 }).toBe(1);
    const started = Date.now();
    device().slowDowns = 1;
    device().status = 'approved';
    expect((await login.ended).code).toBe(0);
    expect(Date.now() - started).toBeGreaterThan(5000);
    expect(device().polls).toBe(2);
  });

  it.each([
    ['denied', 'was denied in the browser'],
    ['expired', 'has expired before anybody approved it'],
  ] as const)('says so when it is %s', async (status, says) => {
    const login = desk.start(['cloud', 'login', '--no-browser']);
    await expect.poll(() => server.devices.size, { timeout: 30_000 }).toBe(1);
    device().status = status;
    const ended = await login.ended;
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain(says);
  });

  it('stops on Ctrl-C', async () => {
    const login = desk.start(['cloud', 'login', '--no-browser']);
    await login.saw('BCDF-GHJK');
    login.child.kill('SIGINT');
    expect((await login.ended).code).toBe(130);
  });

  it('refuses something that is not a Hangar server', async () => {
    const ended = await desk.run(['cloud', 'login', '--server', 'ftp://example.org']);
    expect(ended).toMatchObject({ code: 2 });
  });
});

describe('tokens', () => {
  beforeEach(async () => {
    const login = desk.start(['cloud', 'login', '--no-browser', '--quiet']);
    await expect.poll(() => server.devices.size, { timeout: 30_000 }).toBe(1);
    device().status = 'approved';
    expect((await login.ended).code).toBe(0);
  });

  const expire = () => {
    const all = JSON.parse(readFileSync(desk.path('config/credentials.json'), 'utf8'));
    server.accessTokens.clear();
    all[server.url].expiresAt = new Date(Date.now() - 1000).toISOString();
    writeFileSync(desk.path('config/credentials.json'), JSON.stringify(all));
  };

  it('are renewed once, however many commands run at the same time', async () => {
    expire();
    const ended = await Promise.all([1, 2, 3, 4].map(() => desk.run(['jobs'])));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(server.refreshes).toBe(1);
  });

  it('are renewed when the server does not take them any more, whatever the clock says', async () => {
    server.accessTokens.clear();
    expect((await desk.run(['jobs'])).code).toBe(0);
    expect(server.refreshes).toBe(1);
  });

  it('say how to sign in when they cannot be renewed', async () => {
    expire();
    server.refreshTokens.clear();
    const ended = await desk.run(['jobs', '--json']);
    expect(ended.code).toBe(3);
    expect(JSON.parse(ended.stdout).error).toMatchObject({ code: 'token_expired' });
    expect(ended.stderr).toContain(`hangar cloud login --server ${server.url}`);
  });

  it('survive a server that is away while they are renewed', async () => {
    expire();
    await server.stop();
    expect((await desk.run(['jobs'])).code).toBe(4);
    await server.start();
    expect((await desk.run(['jobs'])).code).toBe(0);
  });

  it('are revoked on the server by logout', async () => {
    expect(server.refreshTokens.size).toBe(1);
    expect((await desk.run(['cloud', 'logout'])).code).toBe(0);
    expect(server.refreshTokens.size).toBe(0);
  });

  it('stand beside those of other servers; the last sign-in is the default', async () => {
    const other = await new FakeServer().start();
    try {
      const env = { HANGAR_SERVER: '' };
      await desk.run(['cloud', 'login', '--with-token', '--server', other.url], { input: other.apiKey, env });
      expect((await desk.json(['cloud', 'whoami'], { env })).address).toBe(other.url);
      expect((await desk.json(['cloud', 'whoami', '--server', server.url], { env })).address).toBe(server.url);
      await desk.run(['cloud', 'logout'], { env });
      expect((await desk.json(['cloud', 'whoami'], { env })).address).toBe(server.url);
    } finally {
      await other.stop();
    }
  });

  it('say so where their folder cannot be made', async () => {
    // Below /proc the system says that the folder above is missing, although it is there.
    const env = { HANGAR_CONFIG_DIR: '/proc/nope/config' };
    const login = await desk.run(['cloud', 'login', '--with-token', '--json'], { env, input: server.apiKey });
    expect(JSON.parse(login.stdout).error).toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('/proc/nope/config cannot be written'),
    });
  });

  it('give way to HANGAR_TOKEN', async () => {
    const env = { HANGAR_TOKEN: server.apiKey };
    expect((await desk.json(['cloud', 'whoami'], { env })).signedInBy).toBe('environment');
    const ended = await desk.run(['cloud', 'whoami'], { env: { HANGAR_TOKEN: 'wrong' } });
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('does not accept the token in HANGAR_TOKEN');
  });
});
