const LF = 10;
const CR = 13;
const PERCENT = 0x25;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const [X, U] = [0x78, 0x75];
const LOWER = 0x20;

/** An escape's length in bytes, when it is none and when the next chunk tells. */
const NONE = 0;
const CUT = -1;

/** What a backslash and one more byte stand for; 0 where that takes a closer look. */
const SHORT = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 ||
  (byte | LOWER) === X ||
  (byte | LOWER) === U ||
  (byte >= 0x30 && byte <= 0x37) ||
  byte === LF ||
  byte === CR
    ? 0
    : byte,
);
for (const [name, byte] of Object.entries({ n: 10, r: 13, t: 9, b: 8, f: 12, v: 11, a: 7, e: 27 }))
  SHORT[name.charCodeAt(0)] = byte;

/** Value of a hex digit, 16 for what is none. */
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 16 : value;
});

/**
 * Bytes of lines → the bytes that `resolveEscapes` makes of those lines, in chunks as they come, where both are text; without places,
 * and so many times faster. Half a surrogate pair is left out.
 */
export class ByteResolver {
  /** An escape that is not whole yet. */
  #rest: Buffer | null = null;
  #high = 0;
  #out = new Uint8Array(0);
  /** The character that the last escape stands for, or the byte. */
  #code = 0;
  #isByte = false;

  get waits(): boolean {
    return this.#rest !== null;
  }

  /** @returns what is good until the next chunk */
  push(chunk: Buffer): Uint8Array {
    let bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    // As in the lines.
    if (bytes.includes(0)) bytes = Buffer.from(bytes.filter((byte) => byte !== 0));
    this.#rest = null;
    if (this.#out.length < bytes.length) this.#out = new Uint8Array(bytes.length);
    const out = this.#out;
    let to = 0;
    for (let at = 0; at < bytes.length; ) {
      const byte = bytes[at] as number;
      if (byte !== BACKSLASH && byte !== PERCENT) {
        out[to++] = byte;
        at++;
        continue;
      }
      const next = at + 1 < bytes.length ? (bytes[at + 1] as number) : 0;
      const short = byte === BACKSLASH ? (SHORT[next] as number) : 0;
      if (short !== 0) {
        out[to++] = short;
        at += 2;
        continue;
      }
      const length = this.#look(bytes, at);
      if (length === CUT) {
        this.#rest = Buffer.from(bytes.subarray(at));
        break;
      }
      if (length === NONE) out[to++] = byte;
      else if (this.#isByte) out[to++] = this.#code;
      else to = this.#put(out, to);
      at += Math.max(1, length);
    }
    return out.subarray(0, to);
  }

  /** @returns the length of the escape, NONE or CUT */
  #look(bytes: Buffer, at: number): number {
    if (bytes[at] === PERCENT) return this.#digits(bytes, at + 1, 2, at);
    const next = bytes[at + 1];
    if (next === undefined) return CUT;
    if (next === LF || next === CR) return NONE;
    if ((next | LOWER) === X && next < 0x80) return this.#digits(bytes, at + 2, 2, at);
    if ((next | LOWER) === U && next < 0x80)
      return bytes[at + 2] === BRACE ? this.#braces(bytes, at) : this.#digits(bytes, at + 2, 4, at);
    this.#isByte = true;
    if (next < 0x80) return this.#octal(bytes, at, next);
    // The first byte of a character, which follows.
    this.#code = next;
    return 2;
  }

  #digits(bytes: Buffer, from: number, count: number, start: number): number {
    let value = 0;
    for (let at = from; at < from + count; at++) {
      const byte = bytes[at];
      if (byte === undefined) return CUT;
      const digit = HEX[byte] as number;
      if (digit > 15) return NONE;
      value = value * 16 + digit;
    }
    this.#code = value;
    this.#isByte = count === 2;
    return from + count - start;
  }

  #braces(bytes: Buffer, start: number): number {
    let value = 0;
    for (let at = start + 3; at <= start + 9; at++) {
      const byte = bytes[at];
      if (byte === undefined) return CUT;
      if (byte === BRACE_END && at > start + 3 && value <= 0x10ffff) {
        this.#code = value;
        this.#isByte = false;
        return at + 1 - start;
      }
      const digit = HEX[byte] as number;
      if (digit > 15) return NONE;
      value = value * 16 + digit;
    }
    return NONE;
  }

  #octal(bytes: Buffer, start: number, first: number): number {
    this.#code = first;
    let value = first - 0x30;
    for (const at of [start + 2, start + 3]) {
      const byte = bytes[at];
      if (byte === undefined) return CUT;
      if (byte < 0x30 || byte > 0x37) return 2;
      value = value * 8 + byte - 0x30;
    }
    this.#code = value & 0xff;
    return 4;
  }

  /** A character, in UTF-8. */
  #put(out: Uint8Array, from: number): number {
    let code = this.#code;
    let to = from;
    if (code >= 0xd800 && code <= 0xdbff) {
      this.#high = code;
      return to;
    }
    if (code >= 0xdc00 && code <= 0xdfff) {
      if (this.#high === 0) return to;
      code = 0x10000 + ((this.#high - 0xd800) << 10) + (code - 0xdc00);
      this.#high = 0;
    }
    if (code < 0x80) {
      out[to++] = code;
      return to;
    }
    if (code < 0x800) out[to++] = 0xc0 | (code >> 6);
    else {
      if (code < 0x10000) out[to++] = 0xe0 | (code >> 12);
      else {
        out[to++] = 0xf0 | (code >> 18);
        out[to++] = 0x80 | ((code >> 12) & 0x3f);
      }
      out[to++] = 0x80 | ((code >> 6) & 0x3f);
    }
    out[to++] = 0x80 | (code & 0x3f);
    return to;
  }
}
