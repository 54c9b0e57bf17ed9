import type { Logger } from 'pino';
import { openBlobs } from './blobs.ts';
import type { Config } from './config.ts';
import { type Access, createAccess } from './features/access/index.ts';
import { hostInUrl } from './listen.ts';
import { connectBeside, openDatabase, reachDatabase, settingsStore } from './platform/database/index.ts';
import { openSecrets, rotateMasterKey } from './platform/secrets/index.ts';
import { SEALED, sealedElsewhere } from './sealed.ts';
import { openSecretStore } from './secret-store.ts';

/** People and keys of a database that no server runs on, for as long as the work takes. Nothing else of a server is begun. */
export async function withAccess<T>(config: Config, log: Logger, work: (access: Access) => Promise<T>): Promise<T> {
  const url = config.databaseUrl === undefined ? {} : { url: config.databaseUrl };
  const database = await openDatabase({ dataDir: config.dataDir, log, ...url });
  try {
    const settings = settingsStore(database.db);
    const secrets = await openSecrets({ keyFile: config.masterKeyFile, generate: true, settings });
    const publicUrl = config.publicUrl ?? `http://${hostInUrl(config.host)}:${config.port}`;
    return await work(createAccess({ database, secrets, publicUrl, alone: config.databaseUrl === undefined, log }));
  } finally {
    await database.close();
  }
}

/** Beside the server that may be running, in a process of its own: it changes the key file and the rows that are sealed with it. */
export async function rotateKey(
  config: Config,
  o: { forget: boolean; say: (words: string) => void; signal: AbortSignal; log: Logger },
) {
  const { databaseUrl: url, dataDir, masterKeyFile: keyFile } = config;
  const reached = await reachDatabase({ url, dataDir, alone: false, log: o.log, signal: o.signal });
  try {
    const { db, query, close } = await connectBeside(reached.connection);
    try {
      const settings = settingsStore(db);
      const blobs = await openBlobs(config.blobs, o.log, config.proxies);
      const elsewhere = sealedElsewhere(query, openSecretStore({ config, blobs, log: o.log }));
      const several = url !== undefined;
      return await rotateMasterKey({ ...o, keyFile, settings, query, columns: SEALED, elsewhere, several });
    } finally {
      await close();
    }
  } finally {
    await reached.close();
  }
}
