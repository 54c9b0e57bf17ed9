/**
 * ANSI escape sequences of a log line → runs of text with a style. Nothing here makes HTML: the view draws runs as text nodes.
 * Understands SGR (ECMA-48 §8.3.117, 256 colours and truecolour in both spellings); every other sequence is dropped.
 */

/** A colour: one of the 16 of the palette, or 24 bits as 0xRRGGBB. */
export type AnsiColor =
  | { readonly kind: 'palette'; readonly index: number }
  | { readonly kind: 'rgb'; readonly rgb: number };

export interface AnsiStyle {
  readonly fg: AnsiColor | null;
  readonly bg: AnsiColor | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
}

export interface AnsiRun {
  readonly text: string;
  readonly style: AnsiStyle;
}

export const PLAIN: AnsiStyle = {
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
};

const TAB = 8;
/** Anything a terminal would act on, plus bidi controls, which can make a line read as something it is not. */
const SPECIAL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const SPECIAL_FROM = new RegExp(SPECIAL.source, 'g');
const CSI = /^[\u0030-\u003f]*[\u0020-\u002f]*[\u0040-\u007e]/;
/** BEL, ST, or the escape that begins the next sequence. */
const STRING_END = /\u0007|\u001b\\|\u009c|(?=\u001b)/;
const SHORT_ESCAPE = /^[\u0020-\u002f]*[\u0030-\u007e]/;

/** Whether a text needs more than being shown as it is. */
export const hasSpecial = (raw: string): boolean => SPECIAL.test(raw);

/** The text a person sees, without escape sequences, with tabs as spaces. */
export function plainText(raw: string): string {
  if (!SPECIAL.test(raw)) return raw;
  let text = '';
  for (const run of parseAnsi(raw)) text += run.text;
  return text;
}

/** Runs of a line, in order; neighbours differ in style. An empty line gives no run. */
export function parseAnsi(raw: string): AnsiRun[] {
  if (!SPECIAL.test(raw)) return raw === '' ? [] : [{ text: raw, style: PLAIN }];
  const line = new Line();
  let at = 0;
  while (at < raw.length) {
    SPECIAL_FROM.lastIndex = at;
    const next = SPECIAL_FROM.exec(raw)?.index ?? raw.length;
    if (next > at) line.write(raw.slice(at, next));
    if (next >= raw.length) break;
    at = next + special(raw, next, line);
  }
  return line.runs;
}

/** Acts on the special character at an index and says how many characters it took. */
function special(raw: string, at: number, line: Line): number {
  const char = raw[at] ?? '';
  switch (char) {
    case '\t':
      line.tab();
      return 1;
    case '\r':
      line.carriageReturn();
      return 1;
    case '\b':
      line.backspace();
      return 1;
    case '\u009b':
      return 1 + csi(raw, at + 1, line);
    case '\u001b':
      return escapeSequence(raw, at, line);
    default:
      if (char >= '\u202a') line.write('\ufffd');
      return 1;
  }
}

function escapeSequence(raw: string, at: number, line: Line): number {
  const kind = raw[at + 1];
  if (kind === '[') return 2 + csi(raw, at + 2, line);
  if (kind !== undefined && ']PX^_'.includes(kind)) {
    const end = STRING_END.exec(raw.slice(at + 2));
    // Without its end, the sequence would hide the rest of the line: show it instead.
    return end ? 2 + end.index + end[0].length : 2;
  }
  const short = SHORT_ESCAPE.exec(raw.slice(at + 1, at + 8));
  return 1 + (short?.[0].length ?? 0);
}

/** A control sequence after its introducer. */
function csi(raw: string, at: number, line: Line): number {
  const match = CSI.exec(raw.slice(at, at + 256))?.[0];
  if (match === undefined) return 0;
  const parameters = match.slice(0, -1);
  if (match.endsWith('m') && /^[\d;:]*$/.test(parameters)) line.style = applySgr(line.style, parameters);
  else if (match.endsWith('K')) line.erase(parameters);
  return match.length;
}

/** What has been written so far, as a terminal one line high would show it. */
class Line {
  runs: { text: string; style: AnsiStyle }[] = [];
  style: AnsiStyle = PLAIN;
  private column = 0;
  private returned = false;

  write(text: string): void {
    if (this.returned) this.clear();
    const last = this.runs.at(-1);
    if (last !== undefined && last.style === this.style) last.text += text;
    else this.runs.push({ text, style: this.style });
    this.column += text.length;
  }

  tab(): void {
    this.write(' '.repeat(TAB - (this.column % TAB)));
  }

  /** What follows writes over the line (a progress bar); a return at the very end changes nothing. */
  carriageReturn(): void {
    this.returned = true;
  }

  backspace(): void {
    const last = this.runs.at(-1);
    if (last === undefined || this.returned) return;
    last.text = last.text.slice(0, -1);
    this.column -= 1;
    if (last.text === '') this.runs.pop();
  }

  /** EL: 2 the whole line, else from the cursor on, which matters only after a return. */
  erase(parameters: string): void {
    if (parameters === '2' || (this.returned && parameters !== '1')) this.clear();
  }

  private clear(): void {
    this.runs = [];
    this.column = 0;
    this.returned = false;
  }
}

type Changes = { -readonly [K in keyof AnsiStyle]: AnsiStyle[K] };

function applySgr(style: AnsiStyle, parameters: string): AnsiStyle {
  const next: Changes = { ...style };
  const fields = parameters.split(';');
  for (let at = 0; at < fields.length; at += 1) {
    const field = fields[at] ?? '';
    const [first = '', ...sub] = field.split(':');
    const code = first === '' ? 0 : Number(first);
    if (code === 38 || code === 48) {
      const inline = sub.length > 0;
      const values = inline ? colonColor(sub) : fields.slice(at + 1, at + 5).map(Number);
      const color = extendedColor(values);
      if (color !== null) next[code === 38 ? 'fg' : 'bg'] = color;
      if (!inline) at += values[0] === 5 ? 2 : values[0] === 2 ? 4 : 0;
    } else if (code === 58) {
      // Colour of the underline: not drawn, but its parameters must not be read as codes.
      if (sub.length === 0) at += fields[at + 1] === '5' ? 2 : fields[at + 1] === '2' ? 4 : 0;
    } else if (code === 4) next.underline = sub[0] !== '0';
    else simpleSgr(next, code);
  }
  return same(next, PLAIN) ? PLAIN : same(next, style) ? style : next;
}

function simpleSgr(style: Changes, code: number): void {
  if (code === 0) Object.assign(style, PLAIN);
  else if (code === 1) style.bold = true;
  else if (code === 2) style.dim = true;
  else if (code === 3) style.italic = true;
  else if (code === 7) style.inverse = true;
  else if (code === 9) style.strike = true;
  else if (code === 21) style.underline = true;
  else if (code === 22) style.bold = style.dim = false;
  else if (code === 23) style.italic = false;
  else if (code === 24) style.underline = false;
  else if (code === 27) style.inverse = false;
  else if (code === 29) style.strike = false;
  else if (code === 39) style.fg = null;
  else if (code === 49) style.bg = null;
  else if (code >= 30 && code <= 37) style.fg = palette(code - 30);
  else if (code >= 40 && code <= 47) style.bg = palette(code - 40);
  else if (code >= 90 && code <= 97) style.fg = palette(code - 82);
  else if (code >= 100 && code <= 107) style.bg = palette(code - 92);
}

/** `38:2::r:g:b` has an empty colour space between; `38:2:r:g:b` and `38:5:n` have not. */
function colonColor(sub: readonly string[]): number[] {
  const values = sub[0] === '2' && sub.length >= 5 ? [sub[0], ...sub.slice(2)] : sub;
  return values.map(Number);
}

function extendedColor(values: readonly number[]): AnsiColor | null {
  const [mode, a = Number.NaN, b = Number.NaN, c = Number.NaN] = values;
  if (mode === 5 && isByte(a)) return indexed(a);
  if (mode === 2 && isByte(a) && isByte(b) && isByte(c)) return { kind: 'rgb', rgb: (a << 16) | (b << 8) | c };
  return null;
}

const isByte = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255;
const palette = (index: number): AnsiColor => ({ kind: 'palette', index });

/** One of 256: the palette, a 6×6×6 cube, or a ramp of greys. */
function indexed(index: number): AnsiColor {
  if (index < 16) return palette(index);
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return { kind: 'rgb', rgb: (grey << 16) | (grey << 8) | grey };
  }
  const cube = index - 16;
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  return {
    kind: 'rgb',
    rgb: (level(Math.floor(cube / 36)) << 16) | (level(Math.floor(cube / 6) % 6) << 8) | level(cube % 6),
  };
}

function same(a: AnsiStyle, b: AnsiStyle): boolean {
  return (
    sameColor(a.fg, b.fg) &&
    sameColor(a.bg, b.bg) &&
    a.bold === b.bold &&
    a.dim === b.dim &&
    a.italic === b.italic &&
    a.underline === b.underline &&
    a.strike === b.strike &&
    a.inverse === b.inverse
  );
}

function sameColor(a: AnsiColor | null, b: AnsiColor | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.kind === 'palette') return b.kind === 'palette' && a.index === b.index;
  return b.kind === 'rgb' && a.rgb === b.rgb;
}
