import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListPartsCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { isNoSuchUpload } from './errors.ts';

/** All parts but the last have this size: some stores want them equal, all want at least 5 MiB. */
export const PART_BYTES = 8 * 1024 * 1024;
/** No store takes more, which makes 78 GiB the largest blob. */
export const PARTS_MOST = 10_000;
/** On their way at the same time: with the one that is being filled this is what a put holds in memory. */
const AT_ONCE = 2;
const BEGIN_MS = 30_000;
const ABORT_MS = 15_000;
/** What an upload that is given up waits for its parts on their way: one that is cut off may still arrive after the upload was aborted. */
const SETTLE_MS = 10_000;
const ABORTS_MOST = 4;
/** Metadata by which an upload whose last answer was lost is known again. */
const MARK = 'hangar-upload';

/** What all parts of this adapter speak through. */
export interface Bucket {
  readonly client: S3Client;
  readonly name: string;
  readonly nameOf: (key: string) => string;
  /** Ends a call that carries bytes in time. */
  readonly within: (signal: AbortSignal | undefined) => { abortSignal: AbortSignal };
  /** Ends one that does not: whoever removes may hold a connection of the database meanwhile. */
  readonly briefly: (signal?: AbortSignal) => { abortSignal: AbortSignal };
}

export interface Parts {
  /** Whether any part was sent: then there is something to complete or to abort. */
  readonly begun: boolean;
  /** Resolves when there is room for the next one. Rejects when this or an earlier one was refused. */
  add(bytes: Buffer): Promise<void>;
  /** Makes them one object. */
  complete(): Promise<void>;
  /** Leaves nothing. Never rejects: what cannot be taken back now is found by `removeUnfinished`. */
  abort(): Promise<void>;
}

/** A multipart upload that begins with its first part. */
export function beginParts(bucket: Bucket, Key: string, signal: AbortSignal | undefined): Parts {
  const { client } = bucket;
  const mark = randomBytes(12).toString('hex');
  const stopping = new AbortController();
  const at = { Bucket: bucket.name, Key };
  const sent: Promise<{ PartNumber: number; ETag: string | undefined; ChecksumCRC32: string | undefined }>[] = [];
  const onTheWay = new Set<Promise<unknown>>();
  let upload: Promise<string> | null = null;
  let failed: { error: unknown } | null = null;

  /** Not given up in the middle: an upload whose id never arrived could not be taken back. */
  async function begin(): Promise<string> {
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'CRC32', Metadata: { [MARK]: mark } }),
      { abortSignal: AbortSignal.timeout(BEGIN_MS) },
    );
    if (UploadId === undefined) throw new Error('an upload without an id');
    return UploadId;
  }

  async function send(PartNumber: number, Body: Buffer) {
    upload ??= begin();
    const UploadId = await upload;
    stopping.signal.throwIfAborted();
    const { ETag, ChecksumCRC32 } = await client.send(
      new UploadPartCommand({
        ...{ ...at, UploadId, PartNumber, Body, ContentLength: Body.length, ChecksumAlgorithm: 'CRC32' },
      }),
      bucket.within(stopping.signal),
    );
    return { PartNumber, ETag, ChecksumCRC32 };
  }

  /** The first try may have done it, and only its answer been lost. */
  async function isThere(): Promise<boolean> {
    const { Metadata } = await client.send(new HeadObjectCommand(at), bucket.briefly(signal));
    return Metadata?.[MARK] === mark;
  }

  return {
    get begun() {
      return sent.length > 0;
    },
    async add(bytes) {
      if (failed) throw failed.error;
      const sending = send(sent.length + 1, bytes);
      sent.push(sending);
      const settled = sending
        .then(
          () => undefined,
          (error: unknown) => {
            failed ??= { error };
          },
        )
        .finally(() => onTheWay.delete(settled));
      onTheWay.add(settled);
      while (onTheWay.size >= AT_ONCE && !failed) await untilOneEnds(onTheWay, signal);
      if (failed) throw (failed as { error: unknown }).error;
    },
    async complete() {
      const UploadId = await upload;
      const Parts = await Promise.all(sent);
      if (!UploadId) throw new Error('an upload that was not begun');
      const done = { ...at, UploadId, MultipartUpload: { Parts } };
      await client
        .send(new CompleteMultipartUploadCommand(done), bucket.within(signal))
        .catch(async (error: unknown) => {
          if (!isNoSuchUpload(error) || !(await isThere())) throw error;
        });
    },
    async abort() {
      const id = await upload?.catch(() => undefined);
      if (id === undefined) return;
      await Promise.race([Promise.allSettled(sent), sleep(SETTLE_MS, undefined, { ref: false })]);
      stopping.abort(new Error('the upload is given up'));
      await Promise.allSettled(sent);
      await abandonWholly(bucket, Key, id).catch(() => undefined);
    },
  };
}

/** Rejects when the signal aborts before. */
async function untilOneEnds(some: Iterable<Promise<unknown>>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const givenUp = Promise.withResolvers<never>();
  const stop = () => givenUp.reject(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([...some, givenUp.promise]);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** A part that arrived late brings an upload back: then it is aborted again. */
async function abandonWholly(bucket: Bucket, Key: string, UploadId: string): Promise<void> {
  for (let attempt = 1; attempt <= ABORTS_MOST; attempt += 1) {
    await abandon(bucket, Key, UploadId);
    const isGone = await bucket.client
      .send(new ListPartsCommand({ Bucket: bucket.name, Key, UploadId, MaxParts: 1 }), bucket.briefly())
      .then(() => false, isNoSuchUpload);
    if (isGone) return;
    await sleep(100 * 2 ** attempt);
  }
}

/** Frees what the parts of an upload take. That there is no such upload is fine. */
export async function abandon(bucket: Bucket, Key: string, UploadId: string): Promise<void> {
  await bucket.client
    .send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key, UploadId }), {
      abortSignal: AbortSignal.timeout(ABORT_MS),
    })
    .catch((error: unknown) => {
      if (!isNoSuchUpload(error)) throw error;
    });
}
