import { StringDecoder } from 'node:string_decoder';
import type { Masker } from './mask.ts';

/** A longer line is cut into pieces of this many characters. */
export const MAX_LINE = 64 * 1024;
const PROGRESS_EVERY_MS = 1000;

/**
 * Bytes of one stream → masked lines. Bytes that are not UTF-8 become U+FFFD, NUL is dropped. A lone `\r` begins the line
 * anew as on a terminal, so of a progress bar one state a second and the last one are kept.
 */
export class LineReader {
  readonly #masker: Masker;
  readonly #now: () => number;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #shownAt = 0;

  constructor(masker: Masker, now: () => number = () => performance.now()) {
    this.#masker = masker;
    this.#now = now;
  }

  push(chunk: Buffer): string[] {
    return this.#take(this.#decoder.write(chunk));
  }

  /** What is left without a line end. */
  end(): string[] {
    const lines = this.#take(this.#decoder.end());
    const rest = this.#rest;
    this.#rest = '';
    if (rest !== '') this.#emit(rest, lines);
    return lines;
  }

  #take(text: string): string[] {
    const lines: string[] = [];
    const plain = text.includes('\0') ? text.replaceAll('\0', '') : text;
    const all = this.#rest + plain;
    let from = 0;
    // The rest of before has no line end in it: look only at what is new.
    let end = all.indexOf('\n', this.#rest.length);
    while (end !== -1) {
      this.#emit(all.slice(from, end), lines);
      from = end + 1;
      end = all.indexOf('\n', from);
    }
    this.#rest = from === 0 ? all : all.slice(from);
    this.#dropProgress(lines);
    this.#cutLong(lines);
    return lines;
  }

  #emit(line: string, lines: string[]): void {
    const masked = this.#masker.mask(lastState(line));
    let from = 0;
    while (masked.length - from > MAX_LINE) {
      const to = from + cutAt(masked, from);
      lines.push(masked.slice(from, to));
      from = to;
    }
    lines.push(masked.slice(from));
  }

  #dropProgress(lines: string[]): void {
    // A \r at the very end may still become \r\n.
    const at = this.#rest.lastIndexOf('\r', this.#rest.length - 2);
    if (at === -1 || this.#rest.length < 2) return;
    const shown = lastState(this.#rest.slice(0, at));
    this.#rest = this.#rest.slice(at + 1);
    const now = this.#now();
    if (shown === '' || now - this.#shownAt < PROGRESS_EVERY_MS) return;
    this.#shownAt = now;
    this.#emit(shown, lines);
  }

  /** Bounds the memory of a line that never ends, without cutting through a secret that is only half there. */
  #cutLong(lines: string[]): void {
    while (this.#rest.length > MAX_LINE + this.#masker.longest) {
      const masked = this.#masker.mask(this.#rest);
      if (masked.length <= MAX_LINE + this.#masker.longest) {
        this.#rest = masked;
        return;
      }
      const to = cutAt(masked, 0);
      lines.push(masked.slice(0, to));
      this.#rest = masked.slice(to);
    }
  }
}

function lastState(line: string): string {
  if (!line.includes('\r')) return line;
  const states = line.split('\r').filter((state) => state !== '');
  return states.at(-1) ?? '';
}

/** Not through a surrogate pair. */
function cutAt(text: string, from: number): number {
  const code = text.charCodeAt(from + MAX_LINE - 1);
  return code >= 0xd800 && code <= 0xdbff ? MAX_LINE - 1 : MAX_LINE;
}
