import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { Blobs } from '../blobs.ts';
import { checkedKey, checkedPrefix, chunksOf } from '../blobs.ts';

/** For tests of what keeps blobs; passes the same suite as the real stores. */
export function createBlobsInMemory(): Blobs {
  const blobs = new Map<string, Buffer>();
  const putAt = new Map<string, number>();
  return {
    async put(key, body, o) {
      checkedKey(key);
      const parts: Buffer[] = [];
      const hash = createHash('sha256');
      let sizeBytes = 0;
      const stop = () => body.destroy(o.signal?.reason instanceof Error ? o.signal.reason : new Error('aborted'));
      o.signal?.addEventListener('abort', stop, { once: true });
      if (o.signal?.aborted) stop();
      for await (const chunk of chunksOf(body)) {
        const bytes = Buffer.from(chunk);
        sizeBytes += bytes.length;
        if (sizeBytes > o.maxBytes) throw new HangarError('body_too_large');
        hash.update(bytes);
        parts.push(bytes);
      }
      blobs.set(key, Buffer.concat(parts));
      putAt.set(key, Date.now());
      return { sizeBytes, sha256: hash.digest('hex') };
    },
    async get(key, o = {}) {
      const bytes = blobs.get(checkedKey(key));
      if (!bytes) return null;
      const some = o.range ? bytes.subarray(o.range.start, o.range.end + 1) : bytes;
      return { body: Readable.from(some.length > 0 ? [some] : []), sizeBytes: bytes.length };
    },
    async remove(key) {
      blobs.delete(checkedKey(key));
    },
    async removeAll(prefix) {
      checkedPrefix(prefix);
      for (const key of [...blobs.keys()]) if (key.startsWith(prefix)) blobs.delete(key);
    },
    async *list(prefix, { before } = {}) {
      if (prefix !== '') checkedPrefix(prefix);
      const isOld = (key: string) => !before || (putAt.get(key) ?? 0) < before.getTime();
      yield* [...blobs.keys()].filter((key) => key.startsWith(prefix) && isOld(key)).sort();
    },
    removeUnfinished: async () => 0,
  };
}
