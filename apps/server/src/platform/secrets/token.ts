import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Crockford's: no i, l, o, u, so that an id can be read aloud. */
const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';
const ID_BYTES = 10;

/** A fresh id that carries its kind: `j_` and 16 characters, 80 random bits. */
export function newId(prefix: string): string {
  return `${prefix}_${base32(randomBytes(ID_BYTES))}`;
}

/** A fresh token: `prefix_` and base64url of that many random bytes. Only its hash is ever stored. */
export function newToken(prefix: string, bytes = 32): string {
  return `${prefix}_${randomBytes(bytes).toString('base64url')}`;
}

/** SHA-256 in hex. Enough for tokens with 128 random bits or more; never for passwords. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Compares in a time that tells nothing about either text. */
export function sameToken(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32.charAt((value >>> bits) & 31);
    }
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + BASE32.charAt((value << (5 - bits)) & 31) : text;
}
