import type { DriverName, NewProfile, ProfileCheck } from '@hangar/contract';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { createProfiles } from '../profiles.ts';
import type { ProfileOf } from '../reaching.ts';
import { memorySecrets } from '../testing/memory-secrets.ts';

const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA4711\n-----END OPENSSH PRIVATE KEY-----\n';
const API_KEY = 'e2b_4711c0ffee0badcafe4711';
const ADMIN = { userId: 'u_admin', everybody: true };

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let kept: Awaited<ReturnType<typeof memorySecrets>>;
let inUse: { profile: string; revision: number }[];
beforeAll(async () => {
  database = await createTestDatabase();
  kept = await memorySecrets(database);
});
afterAll(() => database.drop());
beforeEach(async () => {
  for (const table of ['profile', 'profile_revision', 'profile_secret', 'profile_host_key'])
    await database.pool.query(`delete from ${table}`);
  kept.values.clear();
  inUse = [];
});

const profiles = () =>
  createProfiles({
    database,
    drivers: (['ssh', 'e2b', 'daytona'] satisfies DriverName[]).map((name) => ({
      name,
      describe: () => Promise.reject(new Error('not in this test')),
      forProfile: (profile: ProfileOf) => ({ profile, test: async (): Promise<ProfileCheck[]> => [] }),
    })),
    secrets: kept.secrets,
    hosts: { allowLocal: false, env: {}, lookup: async () => ['192.0.2.7'] },
    places: { inUse: async () => new Map(), unfinishedOn: async () => new Map(), revisionsInUse: async () => inUse },
  });
const ssh = (name: string, key?: string): NewProfile => ({
  ...{ name, driver: 'ssh', limits: {}, isDefault: false },
  settings: {
    ...{ host: 'box.example', port: 22, user: 'root', jump: [], folder: '~/.hangar', fromConfig: false },
    ...(key === undefined ? {} : { key }),
  },
});
const e2b = (name: string): NewProfile => ({
  ...{ name, driver: 'e2b', limits: {}, isDefault: false },
  settings: { apiKey: API_KEY, domain: 'e2b.app', template: 'base', internet: true },
});
const opened = async (name: string, revision?: number, secret = 'key') => {
  const reach = await profiles().reach(name, revision ?? (await profiles().revisionOf(name)));
  return reach.profile.secret(secret);
};
const hoursAgo = (hours: number) =>
  database.pool.query(`update profile_secret set created_at = created_at - $1 * interval '1 hour'`, [hours]);
const sweep = () => kept.secrets.sweep(AbortSignal.timeout(10_000));

/** All that stands in the database, as text: every column of every table, bytes in hex. */
async function everything(): Promise<string> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  expect(rows.length).toBeGreaterThan(20);
  const texts = await Promise.all(
    rows.map(async ({ name }) => (await database.pool.query(`select t::text as row from ${name} t`)).rows),
  );
  return texts
    .flat()
    .map(({ row }) => row)
    .join('\n');
}

it('are nowhere in the database, in whatever form, and in no answer', async () => {
  const said = [
    await profiles().create(ADMIN, ssh('box', KEY)),
    await profiles().create({ userId: 'u_ada', everybody: false }, e2b('cloud')),
    await profiles().update(ADMIN, 'box', { settings: { key: `${KEY}again`, user: 'ci' } }),
    await profiles().get('u_ada', 'cloud'),
    await profiles().list('u_admin'),
  ];
  await profiles().remove(ADMIN, 'box');
  const texts = [await everything(), JSON.stringify(said)];
  // The parts of them that no other text has.
  for (const secret of ['b3BlbnNzaC1rZXktdjEAAAAA4711', API_KEY, 'PRIVATE KEY']) {
    const bytes = Buffer.from(secret);
    // In Base64 a text looks different at each of three places; its ends carry what stands beside it.
    const base64 = [0, 1, 2].map((n) =>
      Buffer.concat([Buffer.alloc(n), bytes])
        .toString('base64')
        .slice(4, -4),
    );
    const forms = [secret, bytes.toString('hex'), encodeURIComponent(secret), ...base64];
    for (const form of forms.flatMap((each) => [each, [...each].reverse().join('')]))
      for (const text of texts) expect(text.includes(form), form).toBe(false);
  }
  expect(said[0]).toMatchObject({ secrets: { key: true }, settings: { host: 'box.example' } });
  expect(said[1]).toMatchObject({ secrets: { apiKey: true } });
  // What is in the store is sealed, too.
  for (const sealed of kept.values.values()) expect(sealed).toMatch(/^v1\.k1\./);
});

describe('of a profile', () => {
  it('are opened by name, and by no other profile', async () => {
    await profiles().create(ADMIN, ssh('box', KEY));
    await profiles().create(ADMIN, ssh('bare'));
    expect(await opened('box')).toBe(KEY);
    expect(await opened('box', 1, 'host')).toBeNull();
    expect(await opened('bare')).toBeNull();
    expect(await profiles().get('u_admin', 'bare')).toMatchObject({ secrets: { key: false } });
    // A row that points at the secret of another opens that: what is sealed is bound to where it lies.
    const [[ref = '', sealed = '']] = [...kept.values] as [[string, string]];
    kept.values.set('profiles/ps_other/secrets', sealed);
    await expect(kept.secrets.get('profiles/ps_other/secrets')).rejects.toMatchObject({ code: 'internal' });
    expect(await kept.secrets.get(ref)).toEqual({ key: KEY });
  });

  it('stay as they are when something else changes, are changed and taken away', async () => {
    await profiles().create(ADMIN, ssh('box', KEY));
    await profiles().update(ADMIN, 'box', { settings: { user: 'ci' } });
    expect(await opened('box')).toBe(KEY);
    await profiles().update(ADMIN, 'box', { settings: { key: 'another' } });
    expect(await opened('box')).toBe('another');
    expect(await profiles().update(ADMIN, 'box', { settings: { key: null } })).toMatchObject({
      secrets: { key: false },
      settings: { user: 'ci' },
    });
    expect(await opened('box')).toBeNull();
  });

  it('of before are there as long as a unit needs them, and gone then', async () => {
    await profiles().create(ADMIN, ssh('box', KEY));
    await profiles().update(ADMIN, 'box', { settings: { key: 'another' } });
    await hoursAgo(48);
    await database.pool.query(`update profile_revision set superseded_at = superseded_at - interval '2 days'`);
    inUse = [{ profile: 'box', revision: 1 }];
    await profiles().everReached();
    expect(await sweep()).toBe(0);
    expect(await opened('box', 1)).toBe(KEY);
    inUse = [];
    await profiles().everReached();
    expect(await sweep()).toBe(1);
    expect(await opened('box')).toBe('another');
    expect([...kept.values]).toHaveLength(1);
    await profiles().remove(ADMIN, 'box');
    await database.pool.query(`update profile_revision set superseded_at = superseded_at - interval '2 days'`);
    await profiles().everReached();
    expect(await sweep()).toBe(1);
    expect(kept.values.size).toBe(0);
    expect((await database.pool.query('select * from profile_secret')).rows).toEqual([]);
  });

  it('are those of one of two changes at once, and nothing is left of the other', async () => {
    await profiles().create(ADMIN, ssh('box', KEY));
    await Promise.all([
      ...['one', 'two', 'three'].map((key) => profiles().update(ADMIN, 'box', { settings: { key } })),
      profiles().update(ADMIN, 'box', { settings: { user: 'ci' } }),
      profiles().update(ADMIN, 'box', { limits: { cpus: 2 } }),
    ]);
    expect(['one', 'two', 'three']).toContain(await opened('box'));
    expect(await profiles().get('u_admin', 'box')).toMatchObject({ settings: { user: 'ci' }, limits: { cpus: 2 } });
    const { rows } = await database.pool.query('select distinct blob_key from profile_revision');
    expect([...kept.values.keys()].sort()).toEqual(rows.map(({ blob_key }) => blob_key).sort());
    for (const { blob_key } of rows) expect(await kept.secrets.get(blob_key)).toHaveProperty('key');
  });

  it('that is not made after all are taken away at once', async () => {
    await profiles().create(ADMIN, ssh('box', KEY));
    await expect(profiles().create(ADMIN, ssh('box', 'other'))).rejects.toMatchObject({ code: 'profile_exists' });
    expect(kept.values.size).toBe(1);
  });

  it('that are lost are said to be, and can be set anew', async () => {
    await profiles().create(ADMIN, ssh('box', KEY));
    kept.values.clear();
    await expect(opened('box')).rejects.toMatchObject({ code: 'profile_secret_missing' });
    await profiles().update(ADMIN, 'box', { settings: { key: 'another' } });
    expect(await opened('box')).toBe('another');
  });
});

describe('a crash', () => {
  it('between secret and row leaves what is removed later, and what nobody can name by then', async () => {
    const ref = await kept.secrets.put({ key: KEY });
    expect(await sweep()).toBe(0);
    await hoursAgo(2);
    expect(await sweep()).toBe(1);
    expect(kept.values.size).toBe(0);
    await expect(database.db.transaction((tx) => kept.secrets.claim(tx, ref))).rejects.toMatchObject({
      code: 'profile_secret_missing',
    });
  });

  it('in the middle of a removal is taken up by the next', async () => {
    const ref = await kept.secrets.put({ key: KEY });
    await hoursAgo(2);
    const { remove } = kept.store;
    kept.store.remove = () => Promise.reject(new Error('cut off'));
    await expect(sweep()).rejects.toThrow('cut off');
    kept.store.remove = remove;
    await expect(database.db.transaction((tx) => kept.secrets.claim(tx, ref))).rejects.toMatchObject({
      code: 'profile_secret_missing',
    });
    expect(await sweep()).toBe(1);
    expect(kept.values.size).toBe(0);
  });

  it('never takes what is just being named', async () => {
    const ref = await kept.secrets.put({ key: KEY });
    await hoursAgo(2);
    const claimed = Promise.withResolvers<void>();
    const named = Promise.withResolvers<void>();
    const naming = database.db.transaction(async (tx) => {
      await kept.secrets.claim(tx, ref);
      claimed.resolve();
      await named.promise;
      await tx.execute(
        `insert into profile_revision (profile, revision, driver, settings, limits, blob_key) values ('box', 1, 'ssh', '{}', '{}', '${ref}')`,
      );
    });
    await claimed.promise;
    const swept = sweep();
    await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
    named.resolve();
    await naming;
    expect(await swept).toBe(0);
    expect(await kept.secrets.get(ref)).toEqual({ key: KEY });
  });
});

/** Of this database, those that wait for a row. */
const waiting = async (): Promise<number> =>
  (
    await database.pool.query(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
  ).rows[0].n;

describe('host keys', () => {
  const keysOf = async (name: string) =>
    (await profiles().reach(name, await profiles().revisionOf(name))).profile.hostKeys;

  it('that are seen first stay, of each profile and address, until they are forgotten', async () => {
    await profiles().create(ADMIN, ssh('box'));
    await profiles().create(ADMIN, ssh('other'));
    const keys = await keysOf('box');
    expect(await keys.known('box.example:22')).toEqual([]);
    const both = await Promise.all([
      keys.pin('box.example:22', ['ssh-ed25519 AAAA1']),
      keys.pin('box.example:22', ['ssh-ed25519 AAAA2']),
    ]);
    const [line] = both[0];
    expect(both).toEqual([[line], [line]]);
    await keys.pin('jump.example:22', ['ssh-rsa BBBB']);
    expect(await keys.known('box.example:22')).toEqual([line]);
    expect(await (await keysOf('other')).known('box.example:22')).toEqual([]);
    await profiles().update(ADMIN, 'box', { forgetHostKey: true });
    expect(await keys.known('box.example:22')).toEqual([]);
    expect(await keys.pin('box.example:22', ['ssh-ed25519 AAAA3'])).toEqual(['ssh-ed25519 AAAA3']);
  });

  it('of a machine that shows none, or too many, are not kept', async () => {
    await profiles().create(ADMIN, ssh('box'));
    const keys = await keysOf('box');
    for (const lines of [[], Array(33).fill('ssh-rsa A'), ['x'.repeat(20_000)]])
      await expect(keys.pin('box.example:22', lines)).rejects.toMatchObject({ code: 'driver_unavailable' });
  });

  it('of a profile that is gone go with its last settings', async () => {
    await profiles().create(ADMIN, ssh('box'));
    const keys = await keysOf('box');
    await keys.pin('box.example:22', ['ssh-ed25519 AAAA1']);
    await profiles().remove(ADMIN, 'box');
    await profiles().everReached();
    expect(await keys.known('box.example:22')).toHaveLength(1);
    await database.pool.query(`update profile_revision set superseded_at = superseded_at - interval '2 days'`);
    await profiles().everReached();
    expect(await keys.known('box.example:22')).toEqual([]);
  });
});
