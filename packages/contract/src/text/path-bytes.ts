/**
 * A path is bytes; a string holds them without loss. Valid UTF-8 is itself; any other byte is the lone surrogate U+DC00 + byte, as in
 * PEP 383 (surrogateescape). Such strings survive JSON in a process of ours, not text of PostgreSQL and not `spawn`: show or encode first.
 */
export function decodePath(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    let text = '';
    for (let at = 0; at < bytes.length; ) {
      const length = sequenceAt(bytes, at);
      text +=
        length === 0 ? String.fromCharCode(ESCAPE + (bytes[at] ?? 0)) : strict.decode(bytes.subarray(at, at + length));
      at += length || 1;
    }
    return text;
  }
}

/** The bytes of a path that `decodePath` made, or of any other string. */
export function encodePath(path: string): Uint8Array<ArrayBuffer> {
  if (!ESCAPED.test(path)) return utf8.encode(path);
  const bytes: number[] = [];
  for (const char of path) {
    const code = char.charCodeAt(0);
    if (char.length === 1 && code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) bytes.push(code - ESCAPE);
    else bytes.push(...utf8.encode(char));
  }
  return Uint8Array.from(bytes);
}

/** A path for people: bytes that are no text as git quotes them (`caf\351.txt`). Paths that are text stay as they are. */
export const showPath = (path: string): string =>
  ESCAPED.test(path) ? [...path].map((char) => (char.length === 1 ? octal(char) : char)).join('') : path;

/** A longer one is three times as long in an address, or more: heads of requests have 16 kB in all. */
export const PATH_IN_QUERY_MOST = 1000;

/** A path for the query of an address: as text, or as base64url of its bytes (RFC 4648 §5) where these are none, or many. */
export function pathQuery(path: string): { readonly path: string } | { readonly pathBase64: string } {
  if (!ESCAPED.test(path) && path.length <= PATH_IN_QUERY_MOST) return { path };
  const base64 = btoa(String.fromCharCode(...encodePath(path)));
  return { pathBase64: base64.replaceAll('+', '-').replaceAll('/', '_') };
}

const ESCAPE = 0xdc00;
const ESCAPED = /[\udc80-\udcff]/;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

function octal(char: string): string {
  const code = char.charCodeAt(0);
  return code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff ? `\\${(code - ESCAPE).toString(8)}` : char;
}

/** Length of the UTF-8 sequence that begins here; 0 when none does. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length < 2 || at + length > bytes.length) return length === 1 ? 1 : 0;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}
