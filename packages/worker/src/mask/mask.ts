import { Anchors, Screen } from '../log/screen.ts';
import { Automaton } from './automaton.ts';
import { resolveEscapes } from './escapes.ts';
import { type Forms, MaskStream } from './mask-stream.ts';

const MIN_SECRET = 4;
/** A shorter piece of a secret would hide what is none. */
const MIN_PIECE = 8;
const UNLIKE_LINES = /\0|\\[\r\n]/;

/**
 * Replaces every secret it was told by `***`, as it is and as programs write it: with escapes (percent, JSON, shell), in Base64 and in
 * hex, both also broken into lines of any width. docs/security.md says for people what is not found.
 */
export class Masker {
  readonly #plain = new Set<string>();
  readonly #encoded = new Set<string>();
  #forms: Forms | null = null;

  /** Shorter than four characters is no secret: masking it would only make the log unreadable. */
  add(secret: string): void {
    // Line ends are not always printed as they were given, nor is the last one.
    for (const text of new Set([secret, secret.replaceAll('\r\n', '\n'), secret.trim()])) {
      if (text.length < MIN_SECRET) continue;
      this.#plain.add(text);
      // Where it is written with other escapes, its own are resolved as well (`p%40ss` in a URL).
      const decoded = resolveEscapes(text.replaceAll('\\', '\\\\'))?.text ?? text;
      if (decoded.length >= MIN_SECRET) this.#plain.add(decoded);
      // As forms in the web send it.
      if (text.includes(' ')) this.#plain.add(text.replaceAll(' ', '+'));
      for (const form of encodedForms(Buffer.from(text))) this.#encoded.add(form);
    }
    if (secret.includes('\n'))
      for (const line of secret.split('\n')) if (line.trim().length >= MIN_PIECE) this.#plain.add(line.trim());
    this.#forms = null;
  }

  /** One text that stands alone; it may have several lines. */
  mask(text: string): string {
    if (this.#plain.size === 0 || text === '') return text;
    // Its last escape ends with it. As one text, a line end may be escaped: that is no line as a screen reads them.
    if (!UNLIKE_LINES.test(text) && this.screen().passes(Buffer.from(`${text}\n`))) return text;
    const stream = this.stream();
    return [...stream.push(text, true), ...stream.end()].join('');
  }

  /** Lines that follow each other: a secret may begin in one and end in another. */
  stream(): MaskStream {
    return new MaskStream(this.#all());
  }

  /** For the bytes of the same lines: no secret begins in those that it lets pass. */
  screen(): Screen {
    return new Screen(this.#all().anchors);
  }

  #all(): Forms {
    this.#forms ??= {
      plain: new Automaton(this.#plain),
      encoded: new Automaton(this.#encoded),
      anchors: new Anchors([...this.#plain, ...this.#encoded]),
    };
    return this.#forms;
  }
}

/**
 * Hex, and Base64 in both alphabets: of the secret alone, and its unchanging middle when it sits at any offset of a longer text
 * (`user:secret`).
 */
function encodedForms(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  const forms = [hex, hex.toUpperCase(), bytes.toString('base64')];
  for (const shift of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // The first and the last character may also carry bits of what stands beside it.
    const middle = encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
    if (middle.length >= MIN_PIECE) forms.push(middle);
  }
  return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''))];
}
