import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, settingsStore } from '../../../platform/database/index.ts';
import { openSecrets } from '../../../platform/secrets/index.ts';
import { createProfileSecrets, type ProfileSecrets, type SecretStore } from '../secrets/profile-secrets.ts';

/** The secrets of profiles with a store in memory, which can be made to fail. */
export async function memorySecrets(
  database: Database,
): Promise<{ secrets: ProfileSecrets; values: Map<string, string>; store: SecretStore }> {
  const values = new Map<string, string>();
  const store: SecretStore = {
    put: async (ref, sealed) => void values.set(ref, sealed),
    get: async (ref) => values.get(ref) ?? null,
    remove: async (ref) => void values.delete(ref),
  };
  const folder = await mkdtemp(join(tmpdir(), 'hangar-memory-secrets-'));
  try {
    const settings = settingsStore(database.db);
    const sealing = await openSecrets({ keyFile: join(folder, 'key'), generate: true, settings });
    const secrets = createProfileSecrets({
      ...{ database, store, secrets: sealing },
      whileNoBackup: (work) => work(),
    });
    return { secrets, values, store };
  } finally {
    await rm(folder, { recursive: true });
  }
}
