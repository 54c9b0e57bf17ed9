import { HangarError } from '@hangar/contract';

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
