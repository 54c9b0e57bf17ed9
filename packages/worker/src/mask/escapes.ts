/** A text with its escapes resolved, and where each of its characters begins in the original. One more place stands for the end. */
export interface Resolved {
  readonly text: string;
  readonly places: Int32Array;
}

const ESCAPE = /%[0-9a-f]{2}|\\(?:u\{[0-9a-f]{1,6}\}|u[0-9a-f]{4}|x[0-9a-f]{2}|[0-7]{3}|[^ux])/gi;
const NAMED: Readonly<Record<string, string>> = {
  ...{ n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v', a: '\x07', e: '\x1b' },
};

/**
 * Percent encoding and backslash escapes as JSON, JavaScript, Python and shells write them, whichever characters they were used for
 * and in either case. Null when the text has none.
 * @param start what is before it is left out; no escape goes on there
 */
export function resolveEscapes(text: string, start = 0): Resolved | null {
  if (!text.includes('%', start) && !text.includes('\\', start)) return null;
  ESCAPE.lastIndex = start;
  let found = ESCAPE.exec(text);
  if (found === null) return null;
  let out = '';
  const places = new Int32Array(text.length - start + 1);
  let from = start;
  const keep = (to: number) => {
    for (let at = from; at < to; at++) places[out.length + at - from] = at;
    out += text.slice(from, to);
  };
  const put = (what: string, at: number) => {
    for (let n = 0; n < what.length; n++) places[out.length + n] = at;
    out += what;
  };
  for (; found; found = ESCAPE.exec(text)) {
    const { index } = found;
    keep(index);
    from = index + found[0].length;
    const byte = byteOf(found[0]);
    if (byte === null) put(characterOf(found[0]), index);
    else if (byte < 0x80) put(String.fromCharCode(byte), index);
    else {
      // A character of several bytes, each with an escape of its own.
      const bytes = [byte];
      for (const wanted = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4; bytes.length < wanted; ) {
        const after = ESCAPE.exec(text);
        const more = after && after.index === from ? byteOf(after[0]) : null;
        if (after === null || more === null || (more & 0xc0) !== 0x80) break;
        bytes.push(more);
        from = ESCAPE.lastIndex;
      }
      ESCAPE.lastIndex = from;
      put(Buffer.from(bytes).toString('utf8'), index);
    }
  }
  keep(text.length);
  places[out.length] = text.length;
  return { text: out, places };
}

/** Of an escape that stands for a byte, null for one that stands for a character. */
function byteOf(written: string): number | null {
  if (written.startsWith('%')) return Number.parseInt(written.slice(1), 16);
  const rest = written.slice(1);
  if (/^x/i.test(rest)) return Number.parseInt(rest.slice(1), 16);
  return /^[0-7]{3}$/.test(rest) ? Number.parseInt(rest, 8) & 0xff : null;
}

function characterOf(written: string): string {
  const rest = written.slice(1);
  if (!/^u./i.test(rest)) return NAMED[rest] ?? rest;
  const code = Number.parseInt(rest.replace(/[u{}]/gi, ''), 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : written;
}
