import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { HangarError, proxyFor } from '@hangar/contract';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Logger } from 'pino';
import type { Blobs, StoredBlob } from '../../platform/blobs/blobs.ts';
import { checkedKey, checkedPrefix, chunksOf } from '../../platform/blobs/blobs.ts';
import type { S3Place } from '../../platform/blobs/place.ts';
import { readThroughBreaks } from './download.ts';
import { asBlobError, isBehindTheEnd, isConflict, isMissing } from './errors.ts';
import { abandon, type Bucket, beginParts, PART_BYTES, PARTS_MOST } from './multipart.ts';

/** Its default is 50: as many people who download slowly would leave none to write with. */
const SOCKETS = { keepAlive: true, maxSockets: 1000 };
/** One call of the API, with the client's own repeats. A part of 8 MiB passes in it at 30 KB/s. */
const CALL_MS = 5 * 60_000;
const BRIEF_MS = 20_000;
/** Without a byte on a connection for so long it is taken for dead. */
const SILENCE_MS = 30_000;
const CONNECT_MS = 5_000;
const ATTEMPTS = 4;
/** How long a start waits to see whether the bucket is there. */
const LOOK_MS = 10_000;

/** Without an endpoint the client takes one of Amazon's, all of one kind. @throws HangarError proxy_invalid */
async function agentsFor(place: S3Place, env: Readonly<Record<string, string | undefined>>) {
  const target = new URL(place.endpoint ?? 'https://s3.amazonaws.com');
  const proxy = proxyFor(target, env);
  if (proxy === null) return { httpAgent: SOCKETS, httpsAgent: SOCKETS };
  const { openProxyAgent } = await import('@hangar/worker/proxy-agent');
  if (target.protocol === 'http:')
    return { httpAgent: await openProxyAgent(proxy, false, SOCKETS), httpsAgent: SOCKETS };
  return { httpAgent: SOCKETS, httpsAgent: await openProxyAgent(proxy, true, SOCKETS) };
}

/**
 * Blobs as objects of a bucket, on any store that speaks S3. A store that is away does not keep the server from starting; one that
 * refuses it does.
 * @throws HangarError blob_store_refused
 */
export async function openBlobsInS3(o: {
  place: S3Place;
  log: Logger;
  /** Says whether a proxy stands before the store. */
  env?: Readonly<Record<string, string | undefined>>;
}): Promise<Blobs> {
  const { place, log } = o;
  const agents = await agentsFor(place, o.env ?? {});
  const client = new S3Client({
    ...(place.endpoint === null ? {} : { endpoint: place.endpoint }),
    ...(place.region === null ? (place.endpoint === null ? {} : { region: 'us-east-1' }) : { region: place.region }),
    forcePathStyle: place.style === 'path',
    maxAttempts: ATTEMPTS,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      ...agents,
    }),
  });
  const bucket: Bucket = {
    client,
    name: place.bucket,
    nameOf: (key) => `${place.prefix}${key}`,
    within: (signal) => ({ abortSignal: deadline(CALL_MS, signal) }),
    briefly: (signal) => ({ abortSignal: deadline(BRIEF_MS, signal) }),
  };
  const at = { Bucket: place.bucket };

  /** Tells the log what a caller only learns the kind of. The caller's own reason to stop goes before. */
  function failure(error: unknown, signal?: AbortSignal): unknown {
    if (signal?.aborted) return signal.reason;
    const known = asBlobError(error);
    if (known.kind === 'unavailable') log.warn({ err: error, bucket: place.bucket }, known.message);
    return known;
  }

  async function put(key: string, body: Readable, o: { maxBytes: number; signal?: AbortSignal }): Promise<StoredBlob> {
    const Key = bucket.nameOf(checkedKey(key));
    const { signal } = o;
    const hash = createHash('sha256');
    const most = Math.min(o.maxBytes, PART_BYTES * PARTS_MOST);
    const parts = beginParts(bucket, Key, signal);
    const stop = () => body.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal?.addEventListener('abort', stop, { once: true });
    let sizeBytes = 0;
    let waiting: Buffer[] = [];
    let waitingBytes = 0;
    let isOurs = false; // whether what went wrong came from the store or from the body
    const ours = async <T>(work: Promise<T>): Promise<T> => {
      isOurs = true;
      const done = await work;
      isOurs = false;
      return done;
    };
    try {
      if (signal?.aborted) stop();
      for await (const chunk of chunksOf(body)) {
        let bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        sizeBytes += bytes.byteLength;
        if (sizeBytes > most)
          throw new HangarError('body_too_large', { message: `The body is larger than ${most} bytes.` });
        hash.update(bytes);
        while (waitingBytes + bytes.byteLength > PART_BYTES) {
          const rest = PART_BYTES - waitingBytes;
          const part = Buffer.concat([...waiting, bytes.subarray(0, rest)], PART_BYTES);
          [waiting, waitingBytes, bytes] = [[], 0, bytes.subarray(rest)];
          await ours(parts.add(part));
        }
        waiting.push(bytes);
        waitingBytes += bytes.byteLength;
      }
      signal?.throwIfAborted();
      const last = Buffer.concat(waiting, waitingBytes);
      const whole = () =>
        client.send(
          new PutObjectCommand({ ...at, Key, Body: last, ContentLength: last.length }),
          bucket.within(signal),
        );
      await ours<unknown>(
        parts.begun ? parts.add(last).then(() => throughConflicts(() => parts.complete())) : throughConflicts(whole),
      );
      return { sizeBytes, sha256: hash.digest('hex') };
    } catch (error) {
      await parts.abort();
      throw isOurs ? failure(error, signal) : error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  async function get(
    key: string,
    { range, signal }: { range?: { start: number; end: number }; signal?: AbortSignal } = {},
  ): Promise<{ body: Readable; sizeBytes: number } | null> {
    const Key = bucket.nameOf(checkedKey(key));
    const size = async () =>
      (await client.send(new HeadObjectCommand({ ...at, Key }), bucket.briefly(signal))).ContentLength ?? 0;
    try {
      const Range = range ? { Range: `bytes=${range.start}-${range.end}` } : {};
      // Its own end of time would cut a body that is read slowly; a silent connection ends by itself.
      const answer = await client.send(
        new GetObjectCommand({ ...at, Key, ...Range }),
        signal ? { abortSignal: signal } : {},
      );
      if (!(answer.Body instanceof Readable)) throw new Error('an object without a body');
      const whole = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
      const body = readThroughBreaks(answer.Body, {
        from: range?.start ?? 0,
        bytes: answer.ContentLength ?? 0,
        again: async (from, end) => {
          const next = await client.send(
            new GetObjectCommand({
              ...{ ...at, Key, Range: `bytes=${from}-${end}` },
              ...(answer.ETag === undefined ? {} : { IfMatch: answer.ETag }),
            }),
            signal ? { abortSignal: signal } : {},
          );
          if (!(next.Body instanceof Readable)) throw new Error('an object without a body');
          return next.Body;
        },
        failure: (error) => failure(error, signal),
        signal,
      });
      return { body, sizeBytes: whole === undefined ? (answer.ContentLength ?? 0) : Number(whole) };
    } catch (error) {
      if (isMissing(error)) return null;
      if (isBehindTheEnd(error)) {
        const sizeBytes = await size().catch((cause: unknown) => {
          throw failure(cause, signal);
        });
        return { body: Readable.from([], { objectMode: false }), sizeBytes };
      }
      throw failure(error, signal);
    }
  }

  async function* objects(prefix: string): AsyncGenerator<{ key: string; putAt: number }[]> {
    let ContinuationToken: string | undefined;
    do {
      const page = await client
        .send(
          new ListObjectsV2Command({
            ...{ ...at, Prefix: bucket.nameOf(prefix) },
            ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
          }),
          bucket.briefly(),
        )
        .catch((error: unknown) => {
          throw failure(error);
        });
      yield (page.Contents ?? []).flatMap(({ Key, LastModified }) => {
        const key = Key?.slice(place.prefix.length);
        // What somebody else has put beside has no key of ours.
        return key === undefined || !isKey(key) ? [] : [{ key, putAt: LastModified?.getTime() ?? 0 }];
      });
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  /** What the store could not remove just now it is asked for again: the client repeats whole calls only. */
  async function remove(keys: readonly string[]): Promise<void> {
    for (let left = keys, attempt = 1; left.length > 0; attempt += 1) {
      const done = await client.send(
        new DeleteObjectsCommand({
          ...at,
          Delete: { Objects: left.map((key) => ({ Key: bucket.nameOf(key) })), Quiet: true },
        }),
        bucket.briefly(),
      );
      const refused = (done.Errors ?? []).filter(({ Code }) => Code !== 'NoSuchKey');
      const [first] = refused;
      if (!first) return;
      const error = Object.assign(new Error(first.Message ?? ''), {
        name: first.Code ?? 'InternalError',
        $metadata: { httpStatusCode: 400 },
      });
      if (attempt >= ATTEMPTS || asBlobError(error).code !== 'blob_store_unavailable') throw error;
      left = refused.flatMap(({ Key }) => (Key === undefined ? [] : [Key.slice(place.prefix.length)]));
      await sleep(100 * 2 ** attempt);
    }
  }

  const blobs: Blobs = {
    put,
    get,
    async remove(key) {
      const Key = bucket.nameOf(checkedKey(key));
      await client.send(new DeleteObjectCommand({ ...at, Key }), bucket.briefly()).catch((error: unknown) => {
        if (!isMissing(error)) throw failure(error);
      });
    },
    async removeAll(prefix) {
      for await (const page of objects(`${checkedPrefix(prefix)}/`))
        await remove(page.map(({ key }) => key)).catch((error: unknown) => {
          throw failure(error);
        });
    },
    async *list(prefix, { before } = {}) {
      for await (const page of objects(prefix === '' ? '' : `${checkedPrefix(prefix)}/`))
        for (const { key, putAt } of page) if (!before || putAt < before.getTime()) yield key;
    },
    async removeUnfinished(before) {
      let removed = 0;
      let from: { KeyMarker?: string; UploadIdMarker?: string } | null = {};
      while (from !== null) {
        const page: ListMultipartUploadsCommandOutput = await client
          .send(new ListMultipartUploadsCommand({ ...at, Prefix: place.prefix, ...from }), bucket.briefly())
          .catch((error: unknown) => {
            throw failure(error);
          });
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if (Key === undefined || UploadId === undefined || !Initiated || Initiated >= before) continue;
          if (!isKey(Key.slice(place.prefix.length))) continue;
          await abandon(bucket, Key, UploadId).catch((error: unknown) => {
            throw failure(error);
          });
          removed += 1;
        }
        const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
        from =
          page.IsTruncated === true && KeyMarker !== undefined
            ? { KeyMarker, ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }) }
            : null;
      }
      return removed;
    },
    ...(place.links
      ? {
          link: async (key, { fileName, expiresSeconds }) =>
            getSignedUrl(
              client,
              new GetObjectCommand({
                ...{ ...at, Key: bucket.nameOf(checkedKey(key)) },
                ResponseContentType: 'application/octet-stream',
                ResponseContentDisposition: `attachment; filename*=UTF-8''${encodeURIComponent(fileName)}`,
              }),
              { expiresIn: expiresSeconds },
            ),
        }
      : {}),
  };
  await look();
  return blobs;

  /** Whether the bucket is there and lets us in. */
  async function look(): Promise<void> {
    try {
      await client.send(new ListObjectsV2Command({ ...at, Prefix: place.prefix, MaxKeys: 1 }), {
        abortSignal: AbortSignal.timeout(LOOK_MS),
      });
    } catch (error) {
      const known = asBlobError(error);
      if (known.code !== 'blob_store_refused') {
        log.warn({ err: error, bucket: place.bucket }, 'the object store cannot be reached yet');
        return;
      }
      throw new HangarError('blob_store_refused', {
        message: `The bucket ${place.bucket} cannot be used: ${known.message}`,
        cause: error,
      });
    }
  }
}

/** The client does not repeat what another call for the same place has come between. */
async function throughConflicts<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      await sleep(50 * 2 ** attempt);
    }
  }
}

const deadline = (ms: number, signal?: AbortSignal): AbortSignal =>
  AbortSignal.any([AbortSignal.timeout(ms), ...(signal ? [signal] : [])]);

function isKey(key: string): boolean {
  try {
    return checkedKey(key) === key;
  } catch {
    return false;
  }
}
