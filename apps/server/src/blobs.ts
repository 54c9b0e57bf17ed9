import type { Logger } from 'pino';
import { openBlobsOnDisk } from './adapters/blob-disk/index.ts';
import type { Blobs } from './platform/blobs/blobs.ts';
import type { BlobPlace } from './platform/blobs/place.ts';

/** The store the settings name. What speaks to object stores is large, and loaded only for them. */
export async function openBlobs(
  place: BlobPlace,
  log: Logger,
  proxies: Readonly<Record<string, string | undefined>>,
): Promise<Blobs> {
  if (place.kind === 'disk') return openBlobsOnDisk(place.dir);
  const { openBlobsInS3 } = await import('./adapters/blob-s3/index.ts');
  return openBlobsInS3({ place, log, env: proxies });
}
