import type { DriverName, NewProfile, ProfileCheck } from '@hangar/contract';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { createProfiles } from './profiles.ts';
import type { ProfileOf } from './reaching.ts';
import { memorySecrets } from './testing/memory-secrets.ts';

const ADMIN = { userId: 'u_admin', everybody: true };
const ADA = { userId: 'u_ada', everybody: false };
const BOB = { userId: 'u_bob', everybody: false };

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let kept: Awaited<ReturnType<typeof memorySecrets>>;
let addresses: Record<string, string[]>;
let allowLocal: boolean;
let env: Record<string, string>;
beforeAll(async () => {
  database = await createTestDatabase();
  kept = await memorySecrets(database);
});
afterAll(() => database.drop());
beforeEach(async () => {
  for (const table of ['profile', 'profile_revision', 'profile_secret', 'profile_host_key'])
    await database.pool.query(`delete from ${table}`);
  kept.values.clear();
  addresses = { 'box.example': ['192.0.2.7'], 'jump.example': ['192.0.2.8'] };
  allowLocal = false;
  env = {};
});

const NAMES: DriverName[] = ['local', 'docker', 'ssh', 'e2b', 'daytona'];
const profiles = () =>
  createProfiles({
    database,
    drivers: NAMES.map((name) => ({
      name,
      describe: () => Promise.reject(new Error('not in this test')),
      forProfile: (profile: ProfileOf) => ({ profile, test: async (): Promise<ProfileCheck[]> => [] }),
    })),
    secrets: kept.secrets,
    hosts: { allowLocal, env, lookup: async (host) => addresses[host] ?? Promise.reject(new Error('unknown')) },
    places: {
      inUse: async () => new Map(),
      unfinishedOn: async () => new Map(),
      revisionsInUse: async () => [],
    },
  });

type Ssh = Partial<Extract<NewProfile, { driver: 'ssh' }>['settings']>;
const ssh = (name: string, settings: Ssh = {}): NewProfile => ({
  ...{ name, driver: 'ssh', limits: {}, isDefault: false },
  settings: {
    ...{ host: 'box.example', port: 22, user: 'root', jump: [], folder: '~/.hangar', fromConfig: false },
    ...settings,
  },
});
const local = (name: string, isDefault = false): NewProfile => ({
  ...{ name, driver: 'local', limits: {}, isDefault },
  settings: { isolation: 'auto', readable: [] },
});
const names = async (who: { userId: string }) => (await profiles().list(who.userId)).items.map(({ name }) => name);

describe('who makes what', () => {
  it('a member makes personal profiles alone, an admin those of the server unless they say so', async () => {
    expect(await profiles().create(ADA, ssh('box'))).toMatchObject({ name: 'box', personal: true });
    expect(await profiles().create(ADMIN, ssh('lab'))).toMatchObject({ name: 'lab', personal: false });
    expect(await profiles().create(ADMIN, { ...ssh('mine'), personal: true })).toMatchObject({ personal: true });
    await expect(profiles().create(ADA, { ...ssh('other'), personal: false })).rejects.toMatchObject({
      code: 'admin_only',
    });
    expect(await names(ADA)).toEqual(['box', 'lab']);
    expect(await names(BOB)).toEqual(['lab']);
    expect(await names(ADMIN)).toEqual(['lab', 'mine']);
  });

  it.each(['local', 'docker'] as const)('nobody makes a personal one of %s', async (driver) => {
    const wish = { ...local('box'), driver, settings: {} } as NewProfile;
    await expect(profiles().create(ADA, wish)).rejects.toMatchObject({ code: 'admin_only' });
    await expect(profiles().create(ADMIN, { ...wish, personal: true })).rejects.toMatchObject({ code: 'admin_only' });
  });

  it("a personal one takes nothing from the server's ~/.ssh, when it is made or later", async () => {
    await expect(profiles().create(ADA, ssh('box', { fromConfig: true }))).rejects.toMatchObject({
      code: 'validation_failed',
    });
    await profiles().create(ADA, ssh('box'));
    await expect(profiles().update(ADA, 'box', { settings: { fromConfig: true } })).rejects.toMatchObject({
      code: 'validation_failed',
    });
    await profiles().create(ADMIN, ssh('lab', { fromConfig: true }));
  });
});

describe("another's personal profile", () => {
  it.each([
    ['another member', BOB],
    ['an admin', ADMIN],
  ])('is not there for %s, by whatever name', async (_who, who) => {
    await profiles().create(ADA, ssh('box'));
    for (const name of ['box', 'u_ada/box', '/box', '/', 'u_ada/']) {
      const asked = [
        profiles().get(who.userId, name),
        profiles().update(who, name, { limits: { cpus: 1 } }),
        profiles().remove(who, name),
        profiles().makeDefault(who, name),
        profiles().test(who.userId, name, AbortSignal.timeout(5_000)),
        profiles().find(name, who.userId),
      ];
      for (const { code, reason } of await Promise.all(asked.map(refusal)))
        expect(code, `${name}: ${reason}`).toBe('profile_not_found');
    }
    expect(await names(who)).toEqual([]);
    expect(await profiles().get('u_ada', 'box')).toMatchObject({ limits: {}, isDefault: false });
  });

  it('may be called the same: each finds their own, and everybody else the one of the server', async () => {
    await profiles().create(ADMIN, ssh('box', { host: 'jump.example' }));
    await profiles().create(ADA, ssh('box', { user: 'ada' }));
    await profiles().create(BOB, ssh('box', { user: 'bob' }));
    await expect(profiles().create(ADA, ssh('box'))).rejects.toMatchObject({ code: 'profile_exists' });
    const userOf = async ({ userId }: { userId: string }) => (await profiles().get(userId, 'box')).settings.user;
    expect([await userOf(ADA), await userOf(BOB), await userOf(ADMIN)]).toEqual(['ada', 'bob', 'root']);
    expect(await names(ADA)).toEqual(['box']);
    const { name } = await profiles().find('box', 'u_ada');
    expect((await profiles().reach(name, await profiles().revisionOf(name))).profile).toMatchObject({
      name: 'box',
      settings: { user: 'ada' },
    });
    await profiles().remove(ADA, 'box');
    expect(await userOf(ADA)).toBe('root');
    await expect(profiles().remove(ADA, 'box')).rejects.toMatchObject({ code: 'admin_only' });
    await expect(profiles().update(BOB, 'lost', {})).rejects.toMatchObject({ code: 'profile_not_found' });
    expect(await userOf(BOB)).toBe('bob');
  });
});

describe('the default of a person', () => {
  it("comes before the server's, for its owner alone, until they name the server's again or remove it", async () => {
    await profiles().create(ADMIN, local('local', true));
    await profiles().create(ADA, { ...ssh('box'), isDefault: true });
    const taken = async (userId: string) => (await profiles().find(undefined, userId)).name.replace(/^.*\//, '');
    const shown = async (userId: string) =>
      (await profiles().list(userId)).items.filter(({ isDefault }) => isDefault).map(({ name }) => name);
    expect([await taken('u_ada'), await taken('u_bob'), await taken('u_admin')]).toEqual(['box', 'local', 'local']);
    expect([await shown('u_ada'), await shown('u_bob')]).toEqual([['box'], ['local']]);

    expect(await profiles().makeDefault(ADA, 'local')).toMatchObject({ name: 'local', isDefault: true });
    expect(await taken('u_ada')).toBe('local');
    await profiles().makeDefault(ADA, 'box');
    await profiles().create(ADMIN, local('other'));
    await expect(profiles().makeDefault(ADA, 'other')).rejects.toMatchObject({ code: 'admin_only' });
    expect(await taken('u_ada')).toBe('box');
    await profiles().makeDefault(ADMIN, 'other');
    expect([await taken('u_ada'), await taken('u_bob')]).toEqual(['box', 'other']);
    await profiles().remove(ADA, 'box');
    expect(await taken('u_ada')).toBe('other');
  });
});

describe('where a personal profile leads', () => {
  const e2b = (settings: object): NewProfile =>
    ({ name: 'cloud', driver: 'e2b', limits: {}, isDefault: false, settings }) as NewProfile;
  const daytona = (settings: object): NewProfile =>
    ({ name: 'cloud', driver: 'daytona', limits: {}, isDefault: false, settings }) as NewProfile;
  const hop = (host: string) => ({ host, port: 22 });

  it.each([
    ['loopback', ssh('box', { host: '127.0.0.1' })],
    ['loopback as a number', ssh('box', { host: '2130706433' })],
    ['loopback in hex', ssh('box', { host: '0x7f.1' })],
    ['loopback in IPv6', ssh('box', { host: '::1' })],
    ['loopback mapped to IPv6', ssh('box', { host: '::ffff:127.0.0.1' })],
    ['the same in hex', ssh('box', { host: '::ffff:7f00:1' })],
    ['unspecified', ssh('box', { host: '0.0.0.0' })],
    ['link-local', ssh('box', { host: 'fe80::1' })],
    ['metadata', ssh('box', { host: '169.254.169.254' })],
    ['metadata in IPv6', ssh('box', { host: 'fd00:ec2::254' })],
    ['a name of this machine', ssh('box', { host: 'localhost' })],
    ['the name of metadata', ssh('box', { host: 'metadata.google.internal' })],
    ['a name with such an address', ssh('box', { host: 'sly.example' })],
    ['a machine on the way', ssh('box', { jump: [hop('jump.example'), hop('127.0.0.1')] })],
    ['a name on the way', ssh('box', { jump: [hop('sly.example')] })],
    ['behind a machine on the way', ssh('box', { host: 'localhost', jump: [hop('jump.example')] })],
    ['an API', e2b({ domain: 'e2b.app', apiUrl: 'http://127.1:3000' })],
    ['all sandboxes', e2b({ domain: 'e2b.app', sandboxUrl: 'http://[::1]:49983' })],
    ['a domain', e2b({ domain: 'localhost' })],
    ['what is below a domain', e2b({ domain: 'sly.example' })],
    ['an API of Daytona', daytona({ apiUrl: 'http://sly.example/api' })],
  ])('is refused: %s', async (_what, wish) => {
    addresses = {
      ...addresses,
      'sly.example': ['192.0.2.1', '127.0.0.1'],
      ...{ 'api.sly.example': ['169.254.169.254'] },
    };
    await expect(profiles().create(ADA, wish)).rejects.toMatchObject({ code: 'profile_host_refused' });
    expect(await names(ADA)).toEqual([]);
    // What is the server's an admin decides, and an admin may allow it for all.
    expect(await profiles().create(ADMIN, wish)).toMatchObject({ personal: false });
    allowLocal = true;
    expect(await profiles().create(ADA, wish)).toMatchObject({ personal: true });
  });

  it('is looked at when it is changed, and again each time it is reached', async () => {
    await profiles().create(ADA, ssh('box'));
    await expect(profiles().update(ADA, 'box', { settings: { host: '127.0.0.1' } })).rejects.toMatchObject({
      code: 'profile_host_refused',
    });
    const { name } = await profiles().find('box', 'u_ada');
    const revision = await profiles().revisionOf(name);
    expect(await profiles().everReached()).toHaveLength(1);
    addresses['box.example'] = ['127.0.0.1'];
    await expect(profiles().reach(name, revision)).rejects.toMatchObject({ code: 'profile_host_refused' });
    await expect(profiles().test('u_ada', 'box', AbortSignal.timeout(5_000))).rejects.toMatchObject({
      code: 'profile_host_refused',
    });
    expect(await profiles().everReached()).toEqual([]);
    expect(await profiles().all()).toEqual([]);
    // A name that nobody knows now may have such an address a moment later.
    delete addresses['box.example'];
    await expect(profiles().reach(name, revision)).rejects.toMatchObject({ code: 'driver_unavailable' });
  });

  it('gives its driver the addresses that were looked at: another answer at the connection is refused', async () => {
    await profiles().create(ADA, ssh('box'));
    await profiles().create(ADMIN, ssh('lab'));
    const reached = async (of: string) => {
      const { name } = await profiles().find(of, 'u_ada');
      return (await profiles().reach(name, await profiles().revisionOf(name))).profile;
    };
    const { addressesOf } = await reached('box');
    expect(await addressesOf?.('box.example')).toEqual(['192.0.2.7']);
    for (const answer of [['127.0.0.1'], ['192.0.2.7', '169.254.169.254'], ['::ffff:127.0.0.1']]) {
      addresses['box.example'] = answer;
      await expect(addressesOf?.('box.example')).rejects.toMatchObject({ code: 'profile_host_refused' });
    }
    delete addresses['box.example'];
    await expect(addressesOf?.('box.example')).rejects.toMatchObject({ code: 'driver_unavailable' });
    // What is the server's goes where the system says.
    addresses['box.example'] = ['192.0.2.7'];
    expect((await reached('lab')).addressesOf).toBeUndefined();
  });

  it('need not be known to the server where others look it up: behind a machine, or through a proxy', async () => {
    await profiles().create(ADA, ssh('box', { host: 'inside', jump: [hop('jump.example')] }));
    env = { https_proxy: 'http://proxy.example:3128' };
    await profiles().create(ADA, { ...e2b({ domain: 'e2b.app' }), name: 'cloud' });
    for (const name of ['box', 'cloud'])
      expect(await profiles().test('u_ada', name, AbortSignal.timeout(5_000))).toEqual({ ok: true, checks: [] });
  });
});

const refusal = (asked: Promise<unknown>): Promise<{ code: string; reason: string }> =>
  asked.then(
    () => ({ code: 'done', reason: '' }),
    (error: { code?: string; message?: string }) => ({ code: error.code ?? 'unknown', reason: error.message ?? '' }),
  );
