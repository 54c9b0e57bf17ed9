import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Blobs } from '../../../platform/blobs/blobs.ts';
import { SECRETS_PREFIX, type SecretStore } from './profile-secrets.ts';

/** More than any settings of a driver have. */
export const MOST_SECRET_BYTES = 256 * 1024;

/** Secrets as blobs, each under its reference: for several servers, and in a folder of their own where there is no keychain. */
export const secretsInBlobs = (blobs: Blobs): SecretStore => ({
  put: async (ref, sealed) => void (await blobs.put(ref, Readable.from([sealed]), { maxBytes: MOST_SECRET_BYTES })),
  async get(ref) {
    const found = await blobs.get(ref);
    return found === null ? null : text(found.body);
  },
  remove: (ref) => blobs.remove(ref),
  async list(before) {
    const refs: string[] = [];
    for await (const ref of blobs.list(`${SECRETS_PREFIX}/`, { before })) refs.push(ref);
    return refs;
  },
});

/** The same the other way round: what backups copy and bring back by the name of a blob, wherever secrets are kept. */
export const withSecrets = (blobs: Blobs, store: SecretStore): Blobs => {
  const isSecret = (key: string) => key.startsWith(`${SECRETS_PREFIX}/`);
  return {
    ...blobs,
    async put(key, body, o) {
      if (!isSecret(key)) return blobs.put(key, body, o);
      const sealed = await text(body);
      await store.put(key, sealed);
      return { sizeBytes: Buffer.byteLength(sealed), sha256: '' };
    },
    async get(key, o) {
      if (!isSecret(key)) return blobs.get(key, o);
      const sealed = await store.get(key);
      return sealed === null
        ? null
        : { body: Readable.from([Buffer.from(sealed)]), sizeBytes: Buffer.byteLength(sealed) };
    },
    remove: (key) => (isSecret(key) ? store.remove(key) : blobs.remove(key)),
  };
};
