import { ByteResolver } from '../mask/byte-resolver.ts';

/** So many bytes of a text tell that it may stand here; of a shorter one all of them. */
const ANCHOR = 8;
/** So many are looked at at once. */
const LOOK = 4;
const STRIDE = 4;
const FIRST_LOOK = 65_536;
const ROOT = 0;
const NOWHERE = -1;
/** So many lines, none of them empty, hold all that a screen cannot know of yet. */
export const UNKNOWN_LINES = 8;

/** White space and colons, which programs put into encoded text. */
export const isSkipped = (code: number): boolean => code <= 32 || code === 58;

/** By how much a byte moves the window on: not at all where it is skipped. Looked up, since what is printed is hard to guess. */
const MOVES = Uint8Array.from({ length: 256 }, (_, byte) => (isSkipped(byte) ? 0 : 8));
const ADDS = Uint8Array.from({ length: 256 }, (_, byte) => (isSkipped(byte) ? 0 : byte));
/** What bytes that are no text become. */
const NO_TEXT = '\ufffd';

/**
 * How texts begin, to say in one quick pass over bytes that none of them does there: nearly all that is printed is no secret. All are
 * compared without what is skipped: where a text stands, it does so without that, too.
 */
export class Anchors {
  /** What a hash of four bytes says first, for all of them. */
  readonly look = new Uint8Array(FIRST_LOOK);
  /** Any four bytes that are looked at → after how many bytes of a beginning they stand, a bit for each. */
  readonly places = new Map<number, number>();
  /** So many bytes may be read between two looks; a look at each takes several times as long. */
  readonly stride: number;
  /** Some text cannot be told by how it begins. */
  readonly isBlind: boolean;
  /** The beginnings as a tree, node and byte → node: reading one takes the same time however many there are. */
  readonly #next = new Map<number, number>();
  readonly #whole = new Set<number>();

  constructor(texts: Iterable<string>) {
    const begins = [...texts].map(beginOf);
    const known = begins.filter((begin) => begin !== null);
    this.isBlind = known.length < begins.length;
    this.stride = known.every((begin) => begin.length >= LOOK + STRIDE - 1) ? STRIDE : 1;
    for (const begin of known) this.#add(begin);
  }

  #add(begin: Buffer): void {
    let node = ROOT;
    for (const byte of begin) {
      const known = this.next(node, byte);
      const next = known === NOWHERE ? this.#next.size + 1 : known;
      this.#next.set(node * 256 + byte, next);
      node = next;
    }
    this.#whole.add(node);
    for (let before = 0; before < this.stride; before++) {
      const word = begin.readInt32BE(before);
      this.look[hash(word)] = 1;
      this.places.set(word, (this.places.get(word) ?? 0) | (1 << before));
    }
  }

  /** Where a beginning goes on with this byte. */
  next(node: number, byte: number): number {
    return this.#next.get(node * 256 + byte) ?? NOWHERE;
  }

  /** A beginning ends there. */
  isWhole(node: number): boolean {
    return this.#whole.has(node);
  }
}

/** The first bytes of a text that count; null where they tell nothing. */
function beginOf(text: string): Buffer | null {
  const whole = Buffer.from(text);
  const places: number[] = [];
  for (let at = 0; at < whole.length && places.length < ANCHOR; at++)
    if (!isSkipped(whole[at] as number)) places.push(at);
  const begin = whole.subarray(0, (places.at(-1) ?? -1) + 1);
  const lines = begin.reduce((count, byte) => count + (byte === 10 ? 1 : 0), 0);
  if (places.length < LOOK || lines > UNKNOWN_LINES || begin.includes(NO_TEXT)) return null;
  return Buffer.from(places.map((at) => begin[at] as number));
}

/** One stream of bytes that is screened, in chunks as they come: as they are, and without their escapes. */
export class Screen {
  readonly #anchors: Anchors;
  readonly #asItIs = new Window();
  readonly #resolved = new Window();
  readonly #resolver = new ByteResolver();

  constructor(anchors: Anchors) {
    this.#anchors = anchors;
  }

  /** Whether no text begins in this chunk, or began in the last bytes before it. Of an escape that is cut, the next chunk tells. */
  passes(chunk: Buffer): boolean {
    const anchors = this.#anchors;
    if (anchors.isBlind) return false;
    const isSame = !this.#resolver.waits && this.#resolved.isAt(this.#asItIs);
    const isClear = this.#asItIs.passes(chunk, anchors);
    if (isSame && !mayEscape(chunk)) {
      this.#resolved.follow(this.#asItIs);
      return isClear;
    }
    return this.#resolved.passes(this.#resolver.push(chunk), anchors) && isClear;
  }
}

const mayEscape = (chunk: Buffer): boolean => chunk.includes(0x5c) || chunk.includes(0x25);

/** The last bytes that count, of what was read so far. */
class Window {
  #last = 0;
  #before = 0;

  isAt(other: Window): boolean {
    return this.#last === other.#last && this.#before === other.#before;
  }

  follow(other: Window): void {
    this.#last = other.#last;
    this.#before = other.#before;
  }

  passes(bytes: Uint8Array, anchors: Anchors): boolean {
    const isClear = anchors.stride === 1 ? this.#atEach(bytes, 0, anchors) : this.#atEachStride(bytes, anchors);
    for (let at = Math.max(0, beforeLast(bytes, ANCHOR)); at < bytes.length; at++) {
      const move = MOVES[bytes[at] as number] as number;
      // Shifted in two steps: one by 32 would be none.
      this.#before = (this.#before << move) | ((this.#last >>> 16) >>> (16 - move));
      this.#last = (this.#last << move) | (ADDS[bytes[at] as number] as number);
    }
    return isClear;
  }

  #atEachStride(bytes: Uint8Array, anchors: Anchors): boolean {
    const { look } = anchors;
    const whole = bytes.length - (bytes.length % STRIDE);
    let last = this.#last;
    let isClear = true;
    for (let at = 0; at < whole; at += STRIDE) {
      const a = bytes[at] as number;
      const b = bytes[at + 1] as number;
      const c = bytes[at + 2] as number;
      const d = bytes[at + 3] as number;
      last = (last << (MOVES[a] as number)) | (ADDS[a] as number);
      last = (last << (MOVES[b] as number)) | (ADDS[b] as number);
      last = (last << (MOVES[c] as number)) | (ADDS[c] as number);
      last = (last << (MOVES[d] as number)) | (ADDS[d] as number);
      if (look[hash(last)] !== 0 && this.#begins(bytes, at + 3, last, anchors, STRIDE)) isClear = false;
    }
    return this.#atEach(bytes, whole, anchors, last) && isClear;
  }

  #atEach(bytes: Uint8Array, from: number, anchors: Anchors, before = this.#last): boolean {
    const { look } = anchors;
    let last = before;
    let isClear = true;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      last = (last << (MOVES[byte] as number)) | (ADDS[byte] as number);
      if (look[hash(last)] !== 0 && this.#begins(bytes, at, last, anchors, 1)) isClear = false;
    }
    return isClear;
  }

  /**
   * Whether a text begins around `at`, where the four bytes of `word` end, as far as these bytes tell.
   * @param read so many bytes since the look before: where all of them are skipped, that one told, if it was at this chunk
   */
  #begins(bytes: Uint8Array, at: number, word: number, anchors: Anchors, read: number): boolean {
    const places = anchors.places.get(word);
    if (places === undefined || (at >= read && areSkipped(bytes, at, read))) return false;
    const stood = this.#stoodBefore(bytes, at);
    let nodes: number[] = [];
    for (let before = 0; before < anchors.stride; before++) {
      if ((places & (1 << before)) === 0) continue;
      let node = ROOT;
      for (let n = before + LOOK - 1; n >= 0; n--) node = anchors.next(node, byteOf(n < LOOK ? word : stood, n % LOOK));
      nodes.push(node);
    }
    nodes = nodes.filter((node) => node !== NOWHERE);
    for (let next = at + 1; nodes.length > 0 && !nodes.some((node) => anchors.isWhole(node)); next++) {
      while (next < bytes.length && isSkipped(bytes[next] as number)) next++;
      if (next === bytes.length) return true;
      nodes = nodes.map((node) => anchors.next(node, bytes[next] as number)).filter((node) => node !== NOWHERE);
    }
    return nodes.length > 0;
  }

  /** The bytes that count before the last four of them up to `last`, of which some came in chunks before. */
  #stoodBefore(bytes: Uint8Array, last: number): number {
    let word = 0;
    for (let at = last, count = 0, earlier = 0; count < LOOK + STRIDE - 1; count++) {
      while (at >= 0 && isSkipped(bytes[at] as number)) at--;
      const byte =
        at >= 0 ? (bytes[at--] as number) : byteOf(earlier < LOOK ? this.#last : this.#before, earlier++ % LOOK);
      if (count >= LOOK) word |= byte << ((count - LOOK) * 8);
    }
    return word;
  }
}

/** The last `count` bytes up to `last`. */
function areSkipped(bytes: Uint8Array, last: number, count: number): boolean {
  for (let at = last; at > last - count; at--) if (!isSkipped(bytes[at] as number)) return false;
  return true;
}

const byteOf = (word: number, n: number): number => (word >>> (n * 8)) & 0xff;

/** Where the last `count` bytes that count begin, -1 if there are fewer. */
function beforeLast(bytes: Uint8Array, count: number): number {
  let at = bytes.length;
  for (let left = count; left > 0 && at >= 0; ) if (--at >= 0 && !isSkipped(bytes[at] as number)) left--;
  return at;
}

const hash = (word: number): number => Math.imul(word, 0x9e37_79b1) >>> 16;
