import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import { openBlobsOnDisk } from './adapters/blob-disk/index.ts';
import { type KeychainEntries, keychainWorks, secretsInKeychain, systemKeychain } from './adapters/keychain/index.ts';
import type { Config } from './config.ts';
import { type SecretStore, secretsInBlobs } from './features/profiles/index.ts';
import type { Blobs } from './platform/blobs/blobs.ts';

export interface SecretStoreParts {
  readonly config: Pick<Config, 'dataDir' | 'databaseUrl' | 'desktop'>;
  readonly blobs: Blobs;
  readonly log: Logger;
  /** The keychain of this machine when left out. */
  readonly keychain?: () => Promise<KeychainEntries | null>;
}

/** Folder of the data directory with the secrets of profiles, sealed; where the keychain has them, the name of their entries. */
const FOLDER = 'profile-secrets';
const NAMESPACE = 'keychain';

/**
 * Where the secrets of profiles are kept. Several servers share the blob store. One alone takes the keychain of the desktop it runs on,
 * or else a folder of its data directory; which one is decided when the first is kept, and stays.
 */
export function openSecretStore(o: SecretStoreParts): SecretStore {
  if (o.config.databaseUrl !== undefined) return secretsInBlobs(o.blobs);
  const folder = join(o.config.dataDir, FOLDER);
  const keychain = o.keychain ?? systemKeychain;
  let chosen: Promise<SecretStore | null> | null = null;

  /** Null: nothing was ever kept. */
  async function decided(): Promise<SecretStore | null> {
    const namespace = await readFile(join(folder, NAMESPACE), 'utf8').catch(missing);
    if (namespace !== null) {
      const entries = await keychain();
      if (entries !== null) return secretsInKeychain(entries, namespace.trim());
      throw new HangarError('keychain_failed', {
        message: `The secrets of profiles are in the keychain, says ${join(folder, NAMESPACE)}, and this server cannot use it.`,
        wayOut: 'Install Hangar with its optional packages, on the machine it was on.',
      });
    }
    return (await stat(folder).catch(missing)) === null ? null : secretsInBlobs(await openBlobsOnDisk(folder));
  }
  async function decide(): Promise<SecretStore> {
    const entries = o.config.desktop ? await keychain() : null;
    if (entries !== null && (await keychainWorks(entries))) {
      const namespace = randomBytes(8).toString('hex');
      await write(join(folder, NAMESPACE), `${namespace}\n`);
      o.log.info('secrets of profiles are kept in the keychain of this machine');
      return secretsInKeychain(entries, namespace);
    }
    const store = secretsInBlobs(await openBlobsOnDisk(folder));
    o.log.warn({ folder }, 'secrets of profiles are kept in files, sealed with the master key: there is no keychain');
    return store;
  }
  /** One look at a time; what was found stays. */
  async function current(): Promise<SecretStore | null> {
    chosen ??= decided();
    try {
      const found = await chosen;
      if (found === null) chosen = null;
      return found;
    } catch (error) {
      chosen = null;
      throw error;
    }
  }
  async function forWriting(): Promise<SecretStore> {
    const there = await current();
    if (there !== null) return there;
    // Of several at once one decides.
    chosen ??= decide();
    const store = await current();
    if (store === null) throw new HangarError('internal');
    return store;
  }

  return {
    put: async (ref, sealed) => (await forWriting()).put(ref, sealed),
    get: async (ref) => (await current())?.get(ref) ?? null,
    remove: async (ref) => (await current())?.remove(ref),
    list: async (before) => (await (await current())?.list?.(before)) ?? [],
  };
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

function missing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}
