/** So many bytes of a text tell that it may stand here; of a shorter one half of them have to. */
const ANCHOR = 8;
const HALF = ANCHOR / 2;
const FIRST_LOOK = 65_536;

/** How texts begin, to say in one quick pass over bytes that none of them does there: nearly all that is printed is no secret. */
export class Anchors {
  /** What a hash of four bytes says first, for all of them: the last four that are needed. */
  readonly look = new Uint8Array(FIRST_LOOK);
  /** Those four → the four before, null where none are needed. */
  readonly plain = new Map<number, Set<number> | null>();
  readonly encoded = new Map<number, Set<number> | null>();

  constructor(plain: Iterable<string>, encoded: Iterable<string>) {
    for (const text of plain) this.#add(text, this.plain);
    for (const text of encoded) this.#add(text, this.encoded);
  }

  #add(text: string, to: Map<number, Set<number> | null>): void {
    const bytes = Buffer.from(text.replaceAll(/[\r\0]/g, ''));
    if (bytes.length < HALF) return;
    const isLong = bytes.length >= ANCHOR;
    const word = bytes.readInt32BE(isLong ? HALF : 0);
    this.look[hash(word)] = 1;
    const before = to.get(word);
    if (!isLong || before === null) to.set(word, null);
    else to.set(word, (before ?? new Set()).add(bytes.readInt32BE(0)));
  }
}

/** One stream of bytes that is screened, in chunks as they come. */
export class Screen {
  readonly #anchors: Anchors;
  /** The last four bytes, and the four before them; the same without what is skipped. */
  #last = 0;
  #before = 0;
  #lastDense = 0;
  #beforeDense = 0;

  constructor(anchors: Anchors) {
    this.#anchors = anchors;
  }

  /** Whether no text begins in this chunk, or began in the last bytes before it. */
  passes(chunk: Uint8Array): boolean {
    const { look, plain, encoded } = this.#anchors;
    let isClear = true;
    let last = this.#last;
    let before = this.#before;
    let lastDense = this.#lastDense;
    let beforeDense = this.#beforeDense;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (byte === 13 || byte === 0) continue;
      before = (before << 8) | (last >>> 24);
      last = (last << 8) | byte;
      if (look[hash(last)] !== 0 && knows(plain, last, before)) isClear = false;
      if (isSkipped(byte)) continue;
      beforeDense = (beforeDense << 8) | (lastDense >>> 24);
      lastDense = (lastDense << 8) | byte;
      if (look[hash(lastDense)] !== 0 && knows(encoded, lastDense, beforeDense)) isClear = false;
    }
    this.#last = last;
    this.#before = before;
    this.#lastDense = lastDense;
    this.#beforeDense = beforeDense;
    return isClear;
  }
}

function knows(anchors: ReadonlyMap<number, ReadonlySet<number> | null>, last: number, before: number): boolean {
  const wanted = anchors.get(last);
  return wanted === null || wanted?.has(before) === true;
}

/** White space and colons, which programs put into encoded text. */
export const isSkipped = (code: number): boolean => code <= 32 || code === 58;

const hash = (word: number): number => Math.imul(word, 0x9e37_79b1) >>> 16;
