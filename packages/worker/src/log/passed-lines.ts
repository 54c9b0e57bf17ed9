import { resolveEscapes } from '../mask/escapes.ts';
import { isSkipped, UNKNOWN_LINES } from './screen.ts';

/** A secret that a screen cannot know of yet began among the last so many characters that count. */
const UNKNOWN = 8;
/** No escape is longer. */
const LONGEST_ESCAPE = 10;
/** How far from the end of a line a place is looked for where no escape goes on. */
const NEAR = 256;
const FAR = 4096;

interface Rest {
  readonly line: string;
  /** No secret begins before. */
  readonly from: number;
}

/** Lines that passed a screen, the last ones: the beginning of a secret may stand at their very end. */
export class PassedLines {
  readonly #lines: string[] = new Array<string>(UNKNOWN_LINES).fill('');
  #next = 0;
  #count = 0;
  /** Some were let go since lines were taken. */
  #hasGap = false;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  get hasGap(): boolean {
    return this.#hasGap;
  }

  /** What needs to wait no longer goes into `out`. */
  add(line: string, out: string[]): void {
    const oldest = this.#lines[this.#next] as string;
    this.#lines[this.#next] = line;
    this.#next = (this.#next + 1) % UNKNOWN_LINES;
    if (this.#count < UNKNOWN_LINES) {
      this.#count++;
      return;
    }
    this.#hasGap = true;
    out.push(oldest);
  }

  /** All of them: those that hold no beginning of a secret, and the rest. */
  take(): { clear: string[]; rest: Rest[] } {
    const lines: string[] = [];
    for (let n = this.#count; n > 0; n--)
      lines.push(this.#lines[(this.#next + UNKNOWN_LINES - n) % UNKNOWN_LINES] as string);
    this.#count = 0;
    this.#hasGap = false;
    const rest: Rest[] = [];
    for (let wanted = UNKNOWN; wanted > 0 && lines.length > 0; ) {
      const line = lines.pop() as string;
      const { from, count } = lastOf(line, wanted);
      rest.unshift({ line, from });
      wanted -= count;
    }
    return { clear: lines, rest };
  }
}

/** Whether, where a secret began before a line, a screen or its readers know of that after the line: it begins with enough that counts. */
export function tellsBegins(line: string): boolean {
  let count = 0;
  for (let at = 0; at < line.length && count < UNKNOWN; at++) {
    const code = line.charCodeAt(at);
    if (code === 0x25 || code === 0x5c) return false;
    if (!isSkipped(code)) count++;
  }
  return count === UNKNOWN;
}

/** Where the last characters that count begin, as they are and without escapes, or as many of them as the line has. */
function lastOf(line: string, wanted: number): { from: number; count: number } {
  const near = betweenEscapes(line);
  for (const start of near > 0 ? [near, 0] : [0]) {
    const resolved = resolveEscapes(line, start);
    const plain = countBack(line, start, wanted);
    if (resolved === null && (plain.count === wanted || start === 0)) return plain;
    const count = Math.min(plain.count, resolved === null ? wanted : countBack(resolved.text, 0, wanted).count);
    if (count === wanted || start === 0) return { from: start, count };
  }
  return { from: 0, count: 0 };
}

function countBack(text: string, start: number, wanted: number): { from: number; count: number } {
  let from = text.length;
  let count = 0;
  while (from > start && count < wanted) if (!isSkipped(text.charCodeAt(--from))) count++;
  return { from, count };
}

/** A place some way before the end of a line that is in no escape. */
function betweenEscapes(line: string): number {
  const last = Math.max(0, line.length - FAR);
  for (let at = line.length - NEAR, clear = 0; at > last; at--) {
    const code = line.charCodeAt(at);
    clear = code === 0x25 || code === 0x5c ? 0 : clear + 1;
    if (clear > LONGEST_ESCAPE) return at + LONGEST_ESCAPE;
  }
  return 0;
}
