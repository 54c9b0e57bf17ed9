import type { Readable } from 'node:stream';

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
