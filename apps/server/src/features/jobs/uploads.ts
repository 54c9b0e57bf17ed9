import type { Readable } from 'node:stream';
import { HangarError, type Upload } from '@hangar/contract';
import type { Blobs } from '../../platform/blobs/blobs.ts';
import type { JobsStore } from './jobs-store.ts';

const KEEP_MS = 7 * 24 * 3600 * 1000;
/** A whole repository may travel as a bundle. */
const MAX_BYTES = 4 * 1024 ** 3;

/** Bundles and patches that wait for their job. Kept for a week, so that a job can be sent again. */
export function createUploads(parts: { store: JobsStore; blobs: Blobs; newId: () => string }) {
  return {
    async receive(userId: string, body: Readable, signal: AbortSignal): Promise<Upload> {
      const id = parts.newId();
      const blobKey = `uploads/${id}`;
      const stored = await parts.blobs.put(blobKey, body, { maxBytes: MAX_BYTES, signal });
      if (stored.sizeBytes === 0) {
        await parts.blobs.remove(blobKey);
        throw new HangarError('bad_request', { message: 'The upload is empty.' });
      }
      const expiresAt = new Date(Date.now() + KEEP_MS);
      await parts.store.putUpload({ id, userId, blobKey, ...stored, expiresAt });
      return { id, ...stored, expiresAt: expiresAt.toISOString() };
    },
    /** Removes what nobody needs any more; the row first, so that none promises bytes that are gone. */
    async sweep(): Promise<number> {
      for (let removed = 0; ; ) {
        const expired = await parts.store.expiredUploads();
        if (expired.length === 0) return removed;
        for (const upload of expired) {
          await parts.store.removeUpload(upload.id);
          await parts.blobs.remove(upload.blobKey);
        }
        removed += expired.length;
      }
    },
  };
}
export type Uploads = ReturnType<typeof createUploads>;
