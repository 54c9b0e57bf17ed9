import { StringDecoder } from 'node:string_decoder';
import type { Masker } from '../mask/mask.ts';
import type { MaskStream } from '../mask/mask-stream.ts';
import { tellsBegins } from './passed-lines.ts';
import { type Screen, UNKNOWN_LINES } from './screen.ts';

/** A longer line is cut into pieces of this many characters. */
export const MAX_LINE = 64 * 1024;
const LONGEST_ESCAPE = 10;
const PROGRESS_EVERY_MS = 1000;
/** Most lines have enough that counts in so many characters at either end. */
const AROUND = 32;
const ESCAPES = /[\\%]/;

/**
 * Bytes of one stream → masked lines. Bytes that are not UTF-8 become U+FFFD, NUL is dropped. A lone `\r` begins the line
 * anew as on a terminal, so of a progress bar one state a second and the last one are kept.
 */
export class LineReader {
  readonly #masks: MaskStream;
  readonly #screen: Screen;
  /** All that is read of the line so far has passed the screen. */
  #passes = true;
  /** So many lines are read whatever the screen says: it also read text that was dropped since, and a secret may stand around that. */
  #unscreened = 0;
  /** For what stands together since text between was dropped, which the other one has read. */
  readonly #around: Screen;
  #isTextDropped = false;
  /** The last line, if it was not cut. */
  #last = '';
  readonly #now: () => number;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #shownAt = 0;

  constructor(masker: Masker, now: () => number = () => performance.now()) {
    this.#masks = masker.stream();
    this.#screen = masker.screen();
    this.#around = masker.screen();
    this.#now = now;
  }

  push(chunk: Buffer): string[] {
    const passes = this.#screen.passes(chunk);
    this.#passes &&= passes;
    const lines = this.#take(this.#decoder.write(chunk), passes);
    lines.push(...this.#masks.settle());
    return lines;
  }

  /** What is left without a line end. */
  end(): string[] {
    const lines = this.#take(this.#decoder.end(), false);
    const rest = this.#rest;
    this.#rest = '';
    // An escape at its very end is none that the screen has read.
    this.#passes = false;
    if (rest !== '') this.#emit(rest, lines);
    lines.push(...this.#masks.end());
    return lines;
  }

  #take(text: string, passes: boolean): string[] {
    const lines: string[] = [];
    const plain = text.includes('\0') ? text.replaceAll('\0', '') : text;
    const all = this.#rest + plain;
    let from = 0;
    // The rest of before has no line end in it: look only at what is new.
    let end = all.indexOf('\n', this.#rest.length);
    while (end !== -1) {
      this.#emit(all.slice(from, end), lines);
      this.#passes = passes;
      from = end + 1;
      end = all.indexOf('\n', from);
    }
    this.#rest = from === 0 ? all : all.slice(from);
    this.#dropProgress(lines);
    this.#cutLong(lines);
    return lines;
  }

  /** Whether what it has read of whole lines waits for the next one, which may go on with a secret. */
  get holds(): boolean {
    return this.#masks.holds;
  }

  /** Lets that go: the next line takes too long. */
  release(): string[] {
    return this.#masks.end();
  }

  #emit(line: string, lines: string[]): void {
    let rest = this.#lastState(line);
    const isWhole = rest.length <= MAX_LINE;
    for (; rest.length > MAX_LINE; rest = this.#cut(rest, lines));
    if (this.#isTextDropped && !this.#isClearAround(rest)) this.#unscreened = UNKNOWN_LINES;
    this.#isTextDropped = false;
    this.#last = isWhole ? rest : '';
    if (this.#passes && isWhole && this.#unscreened === 0) this.#masks.pass(rest, lines);
    else lines.push(...this.#masks.push(rest, true));
    if (this.#unscreened > 0) this.#unscreened = tellsBegins(rest) ? 0 : this.#unscreened - 1;
  }

  #lastState(line: string): string {
    if (!line.includes('\r')) return line;
    const states = line.split('\r').filter((state) => state !== '');
    if (states.length > 1) this.#isTextDropped = true;
    return states.at(-1) ?? '';
  }

  /** Whether no secret begins in the line before that goes on in this one, as far as their ends tell. */
  #isClearAround(line: string): boolean {
    const [before, after] = [this.#last.slice(-AROUND), line.slice(0, AROUND)];
    // An escape may have been cut where it begins.
    const isTelling =
      !ESCAPES.test(before) && tellsBegins(before.slice(-AROUND + LONGEST_ESCAPE)) && tellsBegins(after);
    return isTelling && this.#around.passes(Buffer.from(`${before}\n${after}`));
  }

  #dropProgress(lines: string[]): void {
    let end = this.#rest.length;
    while (end > 0 && this.#rest[end - 1] === '\r') end--;
    // What ends the rest may still become \r\n or, of a terminal, \r\r\n. One says as much as many.
    const last = end < this.#rest.length ? '\r' : '';
    const at = end === 0 ? -1 : this.#rest.lastIndexOf('\r', end - 1);
    const shown = at === -1 ? '' : this.#lastState(this.#rest.slice(0, at));
    if (at !== -1 || this.#rest.length - end > 1) this.#rest = this.#rest.slice(at + 1, end) + last;
    if (shown === '') return;
    const now = this.#now();
    if (now - this.#shownAt < PROGRESS_EVERY_MS) {
      this.#isTextDropped = true;
      return;
    }
    this.#shownAt = now;
    this.#emit(shown, lines);
  }

  /** Bounds the memory of a line that never ends. */
  #cutLong(lines: string[]): void {
    while (this.#rest.length > MAX_LINE + LONGEST_ESCAPE) this.#rest = this.#cut(this.#rest, lines);
  }

  /** @returns what is left of it */
  #cut(text: string, lines: string[]): string {
    this.#last = '';
    const to = cutAt(text);
    lines.push(...this.#masks.push(text.slice(0, to), false));
    return text.slice(to);
  }
}

/** Not through a surrogate pair, and not through an escape or the escapes of one character, which would then not be read as such. */
function cutAt(text: string): number {
  const cut = /[\\%][^\\%]{0,9}$/.exec(text.slice(MAX_LINE - LONGEST_ESCAPE, MAX_LINE));
  let to = cut ? MAX_LINE - cut[0].length : MAX_LINE;
  while (cut && to > MAX_LINE - 2 * LONGEST_ESCAPE && text[to - 1] === '\\') to--;
  for (let n = 0; n < 3 && LATER_BYTE.test(text.slice(to, to + 4)); n++)
    to -= ANY_BYTE.exec(text.slice(to - 4, to))?.[0].length ?? 0;
  const code = text.charCodeAt(to - 1);
  return code >= 0xd800 && code <= 0xdbff ? to - 1 : to;
}
const ANY_BYTE = /(?:%..|\\x..|\\[0-7]{3})$/;
const LATER_BYTE = /^(?:(?:%|\\x)[89ab]|\\2)/i;
