import type { Readable } from 'node:stream';

/**
 * The bytes of a body, which stays open when reading ends early: it may be a request to be answered. What breaks in it after that is
 * heard by nobody, and must not end the server.
 */
export function chunksOf(body: Readable): AsyncIterable<Buffer | string> {
  body.on('error', () => undefined);
  return body.iterator({ destroyOnReturn: false });
}
