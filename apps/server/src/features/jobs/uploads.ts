import type { Readable } from 'node:stream';
import { HangarError, sizeInWords, type Upload } from '@hangar/contract';
import type { Blobs } from '../../platform/blobs/blobs.ts';
import { newId } from '../../platform/secrets/index.ts';
import type { JobsStore } from './store/jobs-store.ts';

const KEEP_MS = 7 * 24 * 3600 * 1000;
/** A whole repository may travel as a bundle. */
const MAX_BYTES = 4 * 1024 ** 3;
/** Of one person, without what a job was started with: eight of the largest. */
const MOST_UNUSED_BYTES = 8 * MAX_BYTES;
/** Of one person on their way at the same time. */
const AT_ONCE = 8;

/** Bundles and patches that wait for their job. Kept for a week, so that a job can be sent again. */
export function createUploads(parts: {
  store: Pick<JobsStore, 'arrive' | 'putUpload' | 'unusedUploads' | 'expiredUploads' | 'removeUpload'>;
  blobs: Blobs;
  mostUnusedBytes?: number;
}) {
  const { store, mostUnusedBytes: most = MOST_UNUSED_BYTES } = parts;
  const largest = Math.min(MAX_BYTES, most);

  return {
    /** @throws HangarError quota_uploads, body_too_large, bad_request, rate_limited */
    async receive(userId: string, body: Readable, signal: AbortSignal): Promise<Upload> {
      const id = newId('up');
      const blobKey = `uploads/${id}`;
      const unused = await store.unusedUploads(userId);
      if (unused.bytes >= most) throw noRoom(most, unused);
      const expiresAt = new Date(Date.now() + KEEP_MS);
      return store.arrive(
        {
          ...{ id, owner: userId, body, signal, atOnce: AT_ONCE, mostBytes: most, freeBytes: 0 },
          used: async (tx) => (await store.unusedUploads(userId, tx)).bytes,
          noRoom: async (received) =>
            received > largest ? new HangarError('body_too_large') : noRoom(most, await store.unusedUploads(userId)),
        },
        async (metered) => {
          const stored = await parts.blobs.put(blobKey, metered, { maxBytes: largest, signal });
          if (stored.sizeBytes === 0) {
            await parts.blobs.remove(blobKey);
            throw new HangarError('bad_request', { message: 'The upload is empty.' });
          }
          if (!(await store.putUpload({ id, userId, blobKey, ...stored, expiresAt }, most))) {
            await parts.blobs.remove(blobKey);
            throw noRoom(most, await store.unusedUploads(userId));
          }
          return { id, ...stored, expiresAt: expiresAt.toISOString() };
        },
      );
    },
    /** Removes what nobody needs any more; the row first, so that none promises bytes that are gone. */
    async sweep(signal: AbortSignal): Promise<number> {
      for (let removed = 0; ; ) {
        const expired = await parts.store.expiredUploads();
        if (expired.length === 0) return removed;
        for (const upload of expired) {
          signal.throwIfAborted();
          await parts.store.removeUpload(upload.id);
          await parts.blobs.remove(upload.blobKey);
        }
        removed += expired.length;
      }
    },
  };
}
export type Uploads = ReturnType<typeof createUploads>;

function noRoom(limitBytes: number, { bytes, freeAt }: { bytes: number; freeAt: Date | null }): HangarError {
  const at = freeAt?.toISOString();
  const until = at === undefined ? '' : ` The oldest frees its place on ${at.slice(0, 10)} at ${at.slice(11, 16)} UTC.`;
  return new HangarError('quota_uploads', {
    message: `Your uploads that no job has used hold ${sizeInWords(bytes)}; ${sizeInWords(limitBytes)} may lie here.${until}`,
    details: { usedBytes: bytes, limitBytes, freeAt: at ?? null },
  });
}
