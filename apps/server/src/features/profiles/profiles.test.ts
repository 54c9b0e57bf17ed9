import type { DriverName, ProfileCheck } from '@hangar/contract';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../platform/database/testing/index.ts';
import { createProfiles } from './profiles.ts';
import type { ProfileOf } from './reaching.ts';
import { memorySecrets } from './testing/memory-secrets.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
/** Of no database that is looked through below. */
let kept: Awaited<ReturnType<typeof memorySecrets>>;
let addresses: Record<string, string[]>;
let unfinished: number;
let inUse: { profile: string; revision: number }[];
beforeAll(async () => {
  database = await createTestDatabase();
  kept = await memorySecrets(database);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('delete from profile');
  await database.pool.query('delete from profile_revision');
  await database.pool.query('delete from profile_secret');
  kept.values.clear();
  addresses = { 'box.example': ['192.0.2.7'], 'jump.example': ['192.0.2.8'] };
  unfinished = 0;
  inUse = [];
});

const ADMIN = { userId: 'u_admin', everybody: true };

/** A driver that gives back what it was set up with. */
const driver = (name: DriverName) => ({
  name,
  describe: () => Promise.reject(new Error('not in this test')),
  forProfile: (profile: ProfileOf) => ({
    settings: profile.settings,
    secret: profile.secret,
    hostKeys: profile.hostKeys,
    test: async (): Promise<ProfileCheck[]> => [],
  }),
});
const build = (drivers: DriverName[] = ['docker', 'local']) =>
  createProfiles({
    database,
    drivers: drivers.map(driver),
    secrets: kept.secrets,
    hosts: {
      allowLocal: false,
      env: {},
      lookup: async (host) => addresses[host] ?? Promise.reject(new Error('unknown')),
    },
    places: {
      inUse: async () => new Map(),
      unfinishedOn: async () => new Map(unfinished > 0 ? [['job', unfinished]] : []),
      revisionsInUse: async () => inUse,
    },
  });
const make = (host: string) =>
  build().create(ADMIN, {
    name: 'box',
    driver: 'docker',
    settings: { host, image: 'node:24', pull: 'missing', network: 'bridge' },
    limits: {},
    isDefault: false,
  });
const hosts = async () => (await build().everReached()).map(({ reach }) => reach.settings.host).sort();
const daysAgo = (days: number) =>
  database.pool.query(`update profile_revision set superseded_at = superseded_at - $1 * interval '1 day'`, [days]);

describe('a profile in use', () => {
  it('may be changed: units are reached through the settings they were started with', async () => {
    await make('tcp://old:1');
    const before = await build().revisionOf('box');
    await build().update(ADMIN, 'box', { settings: { host: 'tcp://new:1' } });
    const after = await build().revisionOf('box');
    expect(after).not.toBe(before);
    expect((await build().reach('box', before)).settings).toMatchObject({ host: 'tcp://old:1', image: 'node:24' });
    expect((await build().reach('box', after)).settings).toMatchObject({ host: 'tcp://new:1' });
    expect(await build().get('u_admin', 'box')).toMatchObject({ settings: { host: 'tcp://new:1' } });
  });

  it('is not removed while jobs wait or run on it, and says how many', async () => {
    await make('tcp://old:1');
    for (const [n, message] of [
      [1, 'One job waits or runs on this profile.'],
      [2, '2 jobs wait or run on this profile.'],
    ] as const) {
      unfinished = n;
      const refused = { code: 'profile_in_use', message, details: { jobs: n } };
      await expect(build().remove(ADMIN, 'box')).rejects.toMatchObject(refused);
    }
    unfinished = 0;
    await build().remove(ADMIN, 'box');
    await expect(build().get('u_admin', 'box')).rejects.toMatchObject({ code: 'profile_not_found' });
  });

  it('is still reached when it is gone, and when another of its name has come', async () => {
    await make('tcp://old:1');
    const before = await build().revisionOf('box');
    await build().remove(ADMIN, 'box');
    expect((await build().reach('box', before)).settings).toMatchObject({ host: 'tcp://old:1' });
    await make('tcp://other:1');
    expect(await build().revisionOf('box')).not.toBe(before);
    expect((await build().reach('box', before)).settings).toMatchObject({ host: 'tcp://old:1' });
  });

  it('what it was is looked through for what is left, and forgotten when no unit needs it', async () => {
    await make('tcp://old:1');
    const before = await build().revisionOf('box');
    await build().update(ADMIN, 'box', { settings: { host: 'tcp://new:1' } });
    expect(await hosts()).toEqual(['tcp://new:1', 'tcp://old:1']);
    await daysAgo(2);
    inUse = [{ profile: 'box', revision: before }];
    expect(await hosts()).toEqual(['tcp://new:1', 'tcp://old:1']);
    inUse = [];
    expect(await hosts()).toEqual(['tcp://new:1']);
    await expect(build().reach('box', before)).rejects.toMatchObject({ code: 'profile_not_found' });
  });

  it('of a driver that this server does not offer any more says so', async () => {
    await make('tcp://old:1');
    await expect(build(['local']).reach('box', 1)).rejects.toMatchObject({ code: 'driver_unknown' });
    expect(await build(['local']).everReached()).toEqual([]);
  });
});

it('changes at once lose none of each other', async () => {
  await make('tcp://old:1');
  await Promise.all([
    build().update(ADMIN, 'box', { settings: { image: 'node:26' } }),
    build().update(ADMIN, 'box', { settings: { network: 'jobs' } }),
    build().update(ADMIN, 'box', { limits: { cpus: 2 } }),
  ]);
  expect(await build().get('u_admin', 'box')).toMatchObject({
    settings: { image: 'node:26', network: 'jobs' },
    limits: { cpus: 2 },
  });
});

it('the first profile of a new server has its settings kept, too', async () => {
  const first = { jobsAtOnce: { docker: 2 }, settings: {} };
  await Promise.all([build().ensureFirst(first), build().ensureFirst(first)]);
  expect(await build().reach('docker', await build().revisionOf('docker'))).toMatchObject({
    settings: { network: 'bridge' },
  });
});

describe('the default', () => {
  it('is one and only one, however many say so at once, and though one of them is removed meanwhile', async () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names)
      await build(['local']).create(ADMIN, {
        name,
        driver: 'local',
        settings: { isolation: 'auto', readable: [] },
        limits: {},
        isDefault: name === 'a',
      });
    const said = names.map((name) => build().makeDefault(ADMIN, name));
    const gone = ['b', 'c'].map((name) => build().remove(ADMIN, name));
    for (const { reason } of await Promise.all([...said, ...gone].map(settled)))
      if (reason) expect(reason).toMatchObject({ code: expect.stringMatching(/^profile_(not_found|is_default)$/) });
    const { items } = await build().list('u_admin');
    expect(items.filter(({ isDefault }) => isDefault)).toHaveLength(1);
  });

  it('stays when the next one is not there', async () => {
    await build(['local']).create(ADMIN, {
      name: 'a',
      driver: 'local',
      settings: { isolation: 'auto', readable: [] },
      limits: {},
      isDefault: true,
    });
    await expect(build().makeDefault(ADMIN, 'missing')).rejects.toMatchObject({ code: 'profile_not_found' });
    expect((await build().find(undefined, 'u_admin')).name).toBe('a');
  });
});

const settled = (doing: Promise<unknown>) =>
  doing.then(
    () => ({ reason: null }),
    (reason: unknown) => ({ reason }),
  );
