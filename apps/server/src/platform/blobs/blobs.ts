import type { Readable } from 'node:stream';
import { HangarError } from '@hangar/contract';

export interface StoredBlob {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * Where bytes are kept: a directory, or S3. Keys are made by Hangar (`logs/<id>/1-…`), never by a caller.
 * A blob is whole or not there: readers never see half of one.
 */
export interface Blobs {
  /**
   * Streams to the store, replacing what is there. Stops and leaves nothing at more than `maxBytes`.
   * @throws HangarError body_too_large, disk_full, data_dir_unusable, blob_store_unavailable, blob_store_refused
   */
  put(key: string, body: Readable, o: { maxBytes: number; signal?: AbortSignal }): Promise<StoredBlob>;
  /** Null when there is none. `range` is in bytes, end inclusive. */
  get(
    key: string,
    o?: { range?: { start: number; end: number }; signal?: AbortSignal },
  ): Promise<{ body: Readable; sizeBytes: number } | null>;
  remove(key: string): Promise<void>;
  /** Removes everything below a prefix that ends in `/`. */
  removeAll(prefix: string): Promise<void>;
  /** All, or those that were last put before a moment. */
  list(prefix: string, o?: { before?: Date }): AsyncIterable<string>;
  /**
   * Removes what a server that died in the middle of a put has left, when nothing was done to it since that moment. Answers how many.
   */
  removeUnfinished(before: Date): Promise<number>;
  /** A link from which anybody may fetch this blob for some time. Only where the store can be reached by browsers. */
  link?(key: string, o: { fileName: string; expiresSeconds: number }): Promise<string>;
}

/**
 * The bytes of a body, which stays open when reading ends early: it may be a request to be answered. What breaks in it after that is
 * heard by nobody, and must not end the server.
 */
export function chunksOf(body: Readable): AsyncIterable<Buffer | string> {
  body.on('error', () => undefined);
  return body.iterator({ destroyOnReturn: false });
}

const KEY = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;
const KEY_MAX = 512;

/** A key names no folder above its store, nothing hidden and nothing that a file system or an object store reads in another way. */
export function checkedKey(key: string): string {
  if (key.length <= KEY_MAX && KEY.test(key)) return key;
  throw new HangarError('internal', {
    message: `This is not the key of a blob: ${JSON.stringify(key.slice(0, 100))}.`,
  });
}

/** The prefix without its `/` at the end. */
export function checkedPrefix(prefix: string): string {
  if (prefix.endsWith('/')) return checkedKey(prefix.slice(0, -1));
  throw new HangarError('internal', {
    message: `A prefix of blobs ends in /: ${JSON.stringify(prefix.slice(0, 100))}.`,
  });
}
