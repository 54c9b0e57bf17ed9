import { PassedLines } from '../log/passed-lines.ts';
import { type Anchors, isSkipped } from '../log/screen.ts';
import { ASCII, type Automaton } from './automaton.ts';
import { type Resolved, resolveEscapes } from './escapes.ts';

/** Secrets as they are, and in encodings that may be broken anywhere. */
export interface Forms {
  readonly plain: Automaton;
  readonly encoded: Automaton;
  /** How both begin. */
  readonly anchors: Anchors;
}

/** A line whose end looks like the beginning of an encoded secret waits for the next one; fewer characters look like anything. */
const TELLING = 4;
const ONLY_ENCODED = /^[\s:]*[\w+/=-]+[\s:]*$/;
/** Beyond, lines are let go as they are: a secret is not that long. */
const MOST_HELD = 2 * 1024 * 1024;

interface Piece {
  readonly text: string;
  /** No secret begins before. */
  readonly from: number;
  /** Without its escapes, where it has some. */
  readonly resolved: Resolved | null;
  /** A line ends with it. */
  readonly ends: boolean;
  /** What is masked, from and to, in no order. */
  readonly masked: [number, number][];
  /** What is masked at its beginning goes on from the piece before, within one line. */
  continues: boolean;
  /** How far each reader was behind it. */
  readonly read: number[];
}

/** Text on its way → masked text, in order, as soon as it is certain what of it is secret. Takes time in proportion to the text. */
export class MaskStream {
  readonly #readers: readonly Reader[];
  readonly #pieces: Piece[] = [];
  #heldChars = 0;
  /** Within a line that had escapes, so that reading without them has come elsewhere. */
  #isResolving = false;

  /** What was read ends within a secret, as it seems: a screen knows only how secrets begin. */
  #isWithin = false;
  readonly #passed = new PassedLines();

  constructor({ plain, encoded }: Forms) {
    this.#readers = [false, true].flatMap((resolved) => [
      new Reader(plain, { resolved, skips: false }),
      new Reader(encoded, { resolved, skips: true }),
    ]);
  }

  /** Whether a line waits for the next one. */
  get holds(): boolean {
    return this.#pieces.length > 0;
  }

  /** A whole line that passed a screen. What is settled goes into `lines`. */
  pass(line: string, lines: string[]): void {
    if (this.holds || this.#isWithin) lines.push(...this.push(line, true));
    else this.#passed.add(line, lines);
  }

  /** There is nothing more to come at once: what passed is let go, too, unless it ends as a secret begins. */
  settle(): string[] {
    const { isEmpty, hasGap } = this.#passed;
    if (isEmpty) return [];
    const { clear, rest } = this.#passed.take();
    if (hasGap || clear.length > 0 || (rest[0]?.from ?? 0) > 0) for (const reader of this.#readers) reader.restart();
    return [...clear, ...rest.flatMap(({ line, from }) => this.#read(line, true, from))];
  }

  /** @param ends false: the line goes on in the next piece. @returns what is settled, a text for each line or piece */
  push(text: string, ends: boolean): string[] {
    const before = this.settle();
    return [...before, ...this.#read(text, ends, 0)];
  }

  #read(text: string, ends: boolean, from: number): string[] {
    const resolved = resolveEscapes(text, from);
    const piece: Piece = { text, from, resolved, ends, masked: [], continues: false, read: [] };
    this.#isResolving ||= resolved !== null;
    this.#pieces.push(piece);
    this.#heldChars += text.length + 1;
    const [plain, encoded, ...resolving] = this.#readers as [Reader, Reader, Reader, Reader];
    for (const reader of [plain, encoded]) reader.take(this.#pieces);
    for (const reader of resolving)
      if (this.#isResolving) reader.take(this.#pieces);
      else reader.follow(reader.skips ? encoded : plain);
    if (ends) this.#isResolving = false;
    for (const reader of this.#readers) piece.read.push(reader.read);
    this.#isWithin = this.#readers.some((reader) => reader.depth >= TELLING);
    const tails = this.#readers.map((reader) => reader.read - reader.tailOf(piece));
    return this.#release((held) => held.read.every((read, n) => read <= (tails[n] ?? 0)));
  }

  /** Lets go what waits: nothing came after it. */
  end(): string[] {
    return [...this.settle(), ...this.#release(() => true)];
  }

  #release(isSettled: (piece: Piece) => boolean): string[] {
    let count = 0;
    for (const piece of this.#pieces) {
      if (!isSettled(piece) && this.#heldChars <= MOST_HELD) break;
      this.#heldChars -= piece.text.length + 1;
      count++;
    }
    return this.#pieces.splice(0, count).map(render);
  }
}

/** Reads the pieces as they are, or without their escapes, and marks what is secret in them. */
class Reader {
  readonly skips: boolean;
  readonly #automaton: Automaton;
  readonly #resolved: boolean;
  #state = 0;
  /** Characters read so far, without those that are skipped. */
  read = 0;
  /** The last secret found, in characters read. */
  #from = 0;
  #to = 0;

  /** @param o skips: over white space and colons, which programs put into encoded text */
  constructor(automaton: Automaton, o: { readonly resolved: boolean; readonly skips: boolean }) {
    this.#automaton = automaton;
    this.#resolved = o.resolved;
    this.skips = o.skips;
  }

  /** Reads the last of the pieces. Those before are what can still be masked. */
  take(pieces: readonly Piece[]): void {
    const piece = pieces.at(-1);
    if (!piece) return;
    const text = this.#textOf(piece);
    const from = this.#fromOf(piece);
    const { skips } = this;
    const automaton = this.#automaton;
    const { ending, table, rows } = automaton;
    let state = this.#state;
    let skipped = 0;
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (skips && isSkipped(code)) {
        skipped++;
        continue;
      }
      state = state < rows && code < ASCII ? (table[state * ASCII + code] as number) : automaton.step(state, code);
      if (ending[state] !== 0) this.#found(pieces, at, this.read + at + 1 - from - skipped, ending[state] as number);
    }
    this.read += text.length - from - skipped;
    if (piece.ends && !skips) {
      state = automaton.step(state, 10);
      this.read++;
      const length = ending[state] as number;
      // The secret's last line end, which is no character of any piece.
      if (length > 1) this.#found(pieces, text.length - 1, this.read - 1, length - 1);
    }
    // An empty line ends what was broken into lines.
    if (piece.ends && skips && skipped === text.length - from) state = 0;
    this.#state = state;
  }

  /** Lines were passed over. */
  restart(): void {
    this.#state = 0;
  }

  /** Stands where another one does. */
  follow(other: Reader): void {
    this.#state = other.#state;
    this.read = other.read;
    this.#from = other.#from;
    this.#to = other.#to;
  }

  get depth(): number {
    return this.#automaton.open[this.#state] as number;
  }

  /** How much at the end of the last piece may be the beginning of a secret. */
  tailOf(piece: Piece): number {
    const { depth } = this;
    if (depth === 0 || !this.skips || !piece.ends || depth >= TELLING) return depth;
    return ONLY_ENCODED.test(piece.text) ? depth : 0;
  }

  /** A secret of `length` characters ends at `at` of the last piece, which is `end` in characters read. */
  #found(pieces: readonly Piece[], at: number, end: number, length: number): void {
    const start = end - length;
    // Of one that overlaps the last, only what is new is walked over: each character of a text that repeats is, once.
    const left = start >= this.#from && start < this.#to ? end - this.#to + 1 : length;
    this.#from = left === length ? start : Math.min(start, this.#from);
    this.#to = end;
    this.#mark(pieces, at, left);
  }

  /** Masks `length` characters backwards from `at` of the last piece, as far as there are pieces. */
  #mark(pieces: readonly Piece[], last: number, length: number): void {
    let left = length;
    let at = last;
    for (let n = pieces.length - 1; n >= 0 && left > 0; n--) {
      const piece = pieces[n] as Piece;
      const text = this.#textOf(piece);
      if (n < pieces.length - 1) {
        at = text.length - 1;
        if (!piece.ends) (pieces[n + 1] as Piece).continues = true;
        else if (!this.skips) left--;
      }
      let from = -1;
      let to = -1;
      for (const first = this.#fromOf(piece); at >= first && left > 0; at--) {
        if (this.skips && isSkipped(text.charCodeAt(at))) continue;
        if (to === -1) to = at + 1;
        from = at;
        left--;
      }
      if (to === -1) continue;
      const places = this.#resolved ? piece.resolved?.places : undefined;
      const range: [number, number] = places ? [places[from] ?? 0, places[to] ?? piece.text.length] : [from, to];
      const before = piece.masked.at(-1);
      if (before && range[0] >= before[0] && range[0] < before[1]) before[1] = Math.max(before[1], range[1]);
      else piece.masked.push(range);
    }
  }

  /** Where its text begins to be read; without its escapes, it has nothing before. */
  #fromOf(piece: Piece): number {
    return this.#resolved && piece.resolved ? 0 : piece.from;
  }

  #textOf(piece: Piece): string {
    return this.#resolved && piece.resolved ? piece.resolved.text : piece.text;
  }
}

function render({ text, masked, continues }: Piece): string {
  if (masked.length === 0) return text;
  let out = '';
  let done = 0;
  for (const [from, to] of joined(masked)) {
    out += continues && from === 0 ? '' : `${text.slice(done, from)}***`;
    done = to;
  }
  return out + text.slice(done);
}

/** In order, and as one what overlaps. */
function joined(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const sorted = [...ranges].sort(([a], [b]) => a - b);
  const out: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = out.at(-1);
    if (last && from < last[1]) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}
