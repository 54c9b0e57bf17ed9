import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { DriverName, NewProfile, ProfileCheck } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBlobsOnDisk } from './adapters/blob-disk/index.ts';
import type { KeychainEntries } from './adapters/keychain/index.ts';
import { backUp } from './backup/backup.ts';
import { restore } from './backup/restore.ts';
import { type SecretStore, withSecrets } from './features/profiles/index.ts';
import { createProfiles } from './features/profiles/profiles.ts';
import type { ProfileOf } from './features/profiles/reaching.ts';
import { createProfileSecrets } from './features/profiles/secrets/profile-secrets.ts';
import { connectBeside, type Database, openDatabase, settingsStore } from './platform/database/index.ts';
import { createTestDatabase } from './platform/database/testing/index.ts';
import { openSecrets, rotateMasterKey } from './platform/secrets/index.ts';
import { sealedElsewhere } from './sealed.ts';
import { openSecretStore } from './secret-store.ts';

const KEY = 'a private key that nobody may read 4711';
const ADMIN = { userId: 'u_admin', everybody: true };
const SEALED = `v1.k1.${'iv'.repeat(8)}.sealed`;
const silent = pino({ level: 'silent' });

let folder: string;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hangar-secret-store-'));
  for (const table of ['profile', 'profile_revision', 'profile_secret', 'setting'])
    await database.pool.query(`delete from ${table}`);
  return () => rm(folder, { recursive: true });
});

/** A keychain in memory. `takes` is the longest value; nothing is kept where it is 0. */
function keychain(takes = Number.POSITIVE_INFINITY): KeychainEntries & { readonly entries: Map<string, string> } {
  const entries = new Map<string, string>();
  return {
    entries,
    read: async (account) => entries.get(account),
    async write(account, secret) {
      if (secret.length > takes) throw new Error('too long');
      if (takes > 0) entries.set(account, secret);
    },
    async remove(account) {
      if (!entries.delete(account)) throw new Error('there is no such entry');
    },
  };
}

type Kind = 'keychain' | 'file' | 'blobs';
const KINDS: readonly Kind[] = ['keychain', 'file', 'blobs'];

/** A server's data directory with the store it has. `again` opens it as another process does. */
async function placeOf(kind: Kind, dataDir: string, entries = keychain()) {
  const blobs = await openBlobsOnDisk(join(dataDir, 'blobs'));
  const said: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void said.push(line) });
  const config = {
    dataDir,
    databaseUrl: kind === 'blobs' ? 'postgres://elsewhere' : undefined,
    desktop: kind === 'keychain',
  };
  const again = () => openSecretStore({ config, blobs, log, keychain: async () => entries });
  return { store: again(), again, blobs, entries, said, dataDir };
}

describe.each(KINDS)('secrets in %s', (kind) => {
  it('come back, are replaced, are gone, and are there for the next process', async () => {
    const { store, again } = await placeOf(kind, folder);
    expect(await store.get('profiles/ps_1/secrets')).toBeNull();
    await store.remove('profiles/ps_1/secrets');
    await store.put('profiles/ps_1/secrets', SEALED);
    await store.put('profiles/ps_2/secrets', `${SEALED}2`);
    await store.put('profiles/ps_1/secrets', `${SEALED}1`);
    for (const opened of [store, again()]) {
      expect(await opened.get('profiles/ps_1/secrets')).toBe(`${SEALED}1`);
      expect(await opened.get('profiles/ps_2/secrets')).toBe(`${SEALED}2`);
    }
    await again().remove('profiles/ps_1/secrets');
    await again().remove('profiles/ps_1/secrets');
    expect(await store.get('profiles/ps_1/secrets')).toBeNull();
    expect(await store.get('profiles/ps_2/secrets')).toBe(`${SEALED}2`);
  });

  it('may be put by many at once, the first ones too', async () => {
    const { store, again } = await placeOf(kind, folder);
    const refs = Array.from({ length: 20 }, (_, n) => `profiles/ps_${n}/secrets`);
    await Promise.all(refs.map((ref) => store.put(ref, SEALED + ref)));
    for (const ref of refs) expect(await again().get(ref)).toBe(SEALED + ref);
  });

  it('are sealed with a new master key like all the rest', async () => {
    const server = await serverOn(database, await placeOf(kind, folder));
    await server.profiles.create(ADMIN, ssh('box'));
    await server.profiles.create(ADMIN, ssh('other'));
    const { db, query, close } = await connectBeside({ connectionString: database.url });
    const rotate = (forget: boolean) =>
      rotateMasterKey({
        ...{ keyFile: server.keyFile, query, settings: settingsStore(db), columns: [], several: false, forget },
        ...{ elsewhere: sealedElsewhere(query, server.place.again()), say: () => undefined },
        signal: AbortSignal.timeout(60_000),
      });
    try {
      expect(await rotate(false)).toMatchObject({ keyId: 'k2', resealed: expect.any(Number), unreadable: [] });
      expect(await rotate(true)).toMatchObject({ forgotten: ['k1'] });
      const { rows } = await query('select ref from profile_secret', []);
      expect(rows).toHaveLength(2);
      for (const { ref } of rows) expect(await server.place.store.get(String(ref))).toMatch(/^v1\.k2\./);
      // A server that ran all the time, and one that has only the new key.
      for (const each of [server, await serverOn(database, server.place)]) expect(await each.keyOf('box')).toBe(KEY);
    } finally {
      await close();
    }
  }, 90_000);

  it.each(KINDS)(
    'are in a backup, sealed, and come back to a server that has them in %s',
    async (other) => {
      const server = await serverOn(database, await placeOf(kind, join(folder, 'a')));
      await server.profiles.create(ADMIN, ssh('box'));
      await server.profiles.create({ userId: 'u_ada', everybody: false }, ssh('hers'));
      await server.profiles.update(ADMIN, 'box', { settings: { key: `${KEY} by now` } });
      const file = join(folder, 'backup.tgz');
      const o = { log: silent, say: () => undefined, signal: AbortSignal.timeout(60_000) };
      const { blobs, store } = server.place;
      const done = await backUp({
        ...{ file, force: false, databaseUrl: database.url, dataDir: join(folder, 'a') },
        ...{ blobs: withSecrets(blobs, store), ...o },
      });
      expect(done).toMatchObject({ files: 3, damagedFiles: 0 });
      const bytes = gunzipSync(await readFile(file));
      for (const form of [KEY, Buffer.from(KEY).toString('base64').slice(0, 40)])
        expect(bytes.includes(form)).toBe(false);

      await database.pool.query('create database restored');
      const url = database.url.replace(/\/[^/]+$/, '/restored');
      const place = await placeOf(other, join(folder, 'b'));
      try {
        await restore({
          ...{ file, replace: false, databaseUrl: url, dataDir: join(folder, 'b'), masterKeyFile: server.keyFile },
          openBlobs: async () => withSecrets(place.blobs, place.store),
          ...o,
        });
        const restored = await openDatabase({ url, dataDir: join(folder, 'b'), log: silent });
        try {
          const { keyOf, profiles } = await serverOn(restored, { ...place, dataDir: server.place.dataDir });
          expect(await keyOf('box')).toBe(`${KEY} by now`);
          expect(await (await profiles.reach('box', 1)).profile.secret('key')).toBe(KEY);
          expect(await keyOf('u_ada/hers')).toBe(KEY);
          expect((await profiles.list('u_bob')).items.map(({ name }) => name)).toEqual(['box']);
        } finally {
          await restored.close();
        }
      } finally {
        await database.pool.query('drop database restored with (force)');
      }
    },
    90_000,
  );
});

describe('which store it is', () => {
  it('without a keychain, or with one that keeps nothing or too little, is a folder that only its owner reads, said once', async () => {
    for (const entries of [keychain(0), keychain(2560), null]) {
      const dataDir = await mkdtemp(join(folder, 'data-'));
      const place = await placeOf('keychain', dataDir, entries ?? undefined);
      const config = { dataDir, databaseUrl: undefined, desktop: entries !== null };
      const store = openSecretStore({ ...place, config, log: logInto(place.said), keychain: async () => entries });
      for (const ref of ['profiles/ps_1/secrets', 'profiles/ps_2/secrets']) await store.put(ref, SEALED);
      expect(place.said.filter((line) => line.includes('there is no keychain'))).toHaveLength(1);
      expect((await stat(join(dataDir, 'profile-secrets'))).mode & 0o777).toBe(0o700);
      const files = await readdir(join(dataDir, 'profile-secrets'), { recursive: true, withFileTypes: true });
      const modes = files.filter((each) => each.isFile()).map((each) => stat(join(each.parentPath, each.name)));
      expect((await Promise.all(modes)).map(({ mode }) => mode & 0o777)).toEqual([0o600, 0o600]);
    }
  });

  it('stays: what is in the keychain is not looked for elsewhere when that is gone', async () => {
    const { store, blobs, dataDir } = await placeOf('keychain', folder);
    await store.put('profiles/ps_1/secrets', SEALED);
    const config = { dataDir, databaseUrl: undefined, desktop: false };
    const gone = openSecretStore({ config, blobs, log: silent, keychain: async () => null });
    await expect(gone.get('profiles/ps_1/secrets')).rejects.toMatchObject({ code: 'keychain_failed' });
    await expect(gone.put('profiles/ps_2/secrets', SEALED)).rejects.toMatchObject({ code: 'keychain_failed' });
    const locked: KeychainEntries = {
      ...{ write: async () => undefined, remove: async () => undefined },
      read: () => Promise.reject(new Error('it is locked')),
    };
    const refused = openSecretStore({ config, blobs, log: silent, keychain: async () => locked });
    await expect(refused.get('profiles/ps_1/secrets')).rejects.toMatchObject({
      code: 'keychain_failed',
      message: expect.stringContaining('it is locked'),
    });
  });

  it('is no business of a desktop without a keychain in use: nothing is probed before there is a secret', async () => {
    const entries = keychain();
    const { store } = await placeOf('keychain', folder, entries);
    expect(await store.get('profiles/ps_1/secrets')).toBeNull();
    expect(await readdir(folder)).toEqual(['blobs']);
    await store.put('profiles/ps_1/secrets', SEALED);
    expect([...entries.entries.keys()]).toEqual([expect.stringMatching(/^[0-9a-f]{16}\/profiles\/ps_1\/secrets$/)]);
  });
});

const logInto = (said: string[]) => pino({ level: 'info' }, { write: (line: string) => void said.push(line) });

const ssh = (name: string): NewProfile => ({
  ...{ name, driver: 'ssh', limits: {}, isDefault: false },
  settings: {
    ...{ host: '192.0.2.7', port: 22, user: 'root', jump: [], folder: '~/.hangar', fromConfig: false, key: KEY },
  },
});

/** As much of a server as has to do with profiles. */
async function serverOn(
  on: Database,
  place: { store: SecretStore; again(): SecretStore; dataDir: string } & Awaited<ReturnType<typeof placeOf>>,
) {
  const keyFile = join(place.dataDir, 'master.key');
  const secrets = await openSecrets({ keyFile, generate: true, settings: settingsStore(on.db) });
  const kept = createProfileSecrets({ database: on, store: place.store, secrets, whileNoBackup: (work) => work() });
  const profiles = createProfiles({
    database: on,
    drivers: (['ssh'] satisfies DriverName[]).map((name) => ({
      name,
      describe: () => Promise.reject(new Error('not in this test')),
      forProfile: (profile: ProfileOf) => ({ profile, test: async (): Promise<ProfileCheck[]> => [] }),
    })),
    secrets: kept,
    hosts: { allowLocal: false, env: {} },
    places: { inUse: async () => new Map(), unfinishedOn: async () => new Map(), revisionsInUse: async () => [] },
  });
  const keyOf = async (key: string) =>
    (await profiles.reach(key, await profiles.revisionOf(key))).profile.secret('key');
  return { profiles, keyOf, keyFile, place };
}
