import { HangarError } from '@hangar/contract';

/** What an object store says when it has no room, in the words of several of them. */
const FULL =
  /^(QuotaExceeded|QuotaExceededException|InsufficientStorage|XMinioStorageFull|XMinioAdminBucketQuotaExceeded|StorageFull|NoSpaceLeft)$/;
/** Passes by itself, whatever status it comes with. */
const PASSING =
  /^(SlowDown|ServiceUnavailable|Throttling|ThrottlingException|RequestTimeout|RequestThrottled|InternalError|OperationAborted|TimeoutError|BadDigest|XAmzContentChecksumMismatch|IncompleteBody)$/;

export const isMissing = (error: unknown): boolean =>
  ['NoSuchKey', 'NotFound'].includes(nameOf(error)) || (statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket');
/** The range begins behind the end. */
export const isBehindTheEnd = (error: unknown): boolean => nameOf(error) === 'InvalidRange' || statusOf(error) === 416;
/** Another call for the same key, or for one beside it, was at work at that moment. */
export const isConflict = (error: unknown): boolean => statusOf(error) === 409;
export const isNoSuchUpload = (error: unknown): boolean => nameOf(error) === 'NoSuchUpload';

/** What the object store, its client or the way to it threw, as an error of the table. */
export function asBlobError(error: unknown): HangarError {
  if (error instanceof HangarError && error.code === 'proxy_refused')
    return new HangarError('blob_store_unavailable', {
      message: `The store for logs and artifacts cannot be reached: ${error.message}`,
      wayOut: error.wayOut,
      cause: error,
    });
  if (error instanceof HangarError) return error;
  const name = nameOf(error);
  const status = statusOf(error);
  if (status === 507 || FULL.test(name))
    return new HangarError('disk_full', {
      message: 'The object store for logs and artifacts has no space left.',
      wayOut: 'Give its bucket more room; workers send again by themselves.',
      cause: error,
    });
  // The client found no credentials to send.
  const unsigned = name === 'CredentialsProviderError';
  const passing =
    status === undefined || status >= 500 || status === 429 || status === 408 || status === 409 || PASSING.test(name);
  if (passing && !unsigned) return new HangarError('blob_store_unavailable', { cause: error });
  const said = unsigned ? 'there are no credentials' : name === '' ? `status ${status}` : name;
  return new HangarError('blob_store_refused', {
    message: `The store for logs and artifacts refuses the server: ${said}.`,
    cause: error,
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}
