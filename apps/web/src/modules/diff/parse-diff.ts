import { decodePath, encodePath, showPath } from '@hangar/contract/path-bytes';

/** What git printed (`git diff --binary`) → files. The text comes from a job: nothing in it is trusted. */

export type FileChange = 'added' | 'deleted' | 'modified' | 'renamed' | 'copied' | 'mode';

export interface DiffFile {
  /**
   * Where it is now, or where it was when it is gone; bytes that are no text as `decodePath` holds them. Not safe to draw or to put into an
   * address as it is, see `visiblePath` and `showPath`.
   */
  readonly path: string;
  readonly oldPath: string | null;
  readonly change: FileChange;
  readonly isBinary: boolean;
  /** `100644 → 100755`, when it changed. */
  readonly mode: { readonly from: string; readonly to: string } | null;
  readonly insertions: number;
  readonly deletions: number;
  /** Lines of its hunks. */
  readonly lines: number;
  /** Name of its content afterwards, as git calls it; null when only its name or mode changed. */
  readonly blob: string | null;
  /** The hunks as they stand, from the first `@@`; empty when they were not kept. */
  readonly hunks: string;
}

export interface ParseOptions {
  /** false: only the list of files, for diffs too large to draw. */
  readonly keepHunks?: boolean;
}

const HEADER = 'diff --git ';

/** The files of a diff, in its order. What is not understood is left out, never an error. */
export function parseDiff(text: string, { keepHunks = true }: ParseOptions = {}): DiffFile[] {
  const files: DiffFile[] = [];
  let at = text.startsWith(HEADER) ? 0 : text.indexOf(`\n${HEADER}`) + 1;
  if (!text.startsWith(HEADER, at)) return files;
  while (at < text.length) {
    // Lines of a hunk begin with a sign or a blank, so this is never inside one.
    const next = text.indexOf(`\n${HEADER}`, at);
    const end = next === -1 ? text.length : next + 1;
    const file = parseFile(text.slice(at, end), keepHunks);
    if (file !== null) files.push(file);
    at = end;
  }
  return files;
}

interface Header {
  from: string | null;
  to: string | null;
  change: FileChange;
  isBinary: boolean;
  oldMode: string | null;
  newMode: string | null;
  blob: string | null;
}

function parseFile(text: string, keepHunks: boolean): DiffFile | null {
  const hunksAt = text.startsWith('@@ ') ? 0 : text.indexOf('\n@@ ') + 1;
  const headText = hunksAt === 0 ? text : text.slice(0, hunksAt);
  const header = parseHeader(headText);
  const path = header.to ?? header.from;
  if (path === null) return null;
  const hunks = hunksAt === 0 || header.isBinary ? '' : text.slice(hunksAt);
  const counted = count(hunks);
  const modeChanged = header.oldMode !== null && header.newMode !== null && header.oldMode !== header.newMode;
  const isMode = header.change === 'modified' && modeChanged && hunks === '' && !header.isBinary;
  return {
    path,
    oldPath: header.from !== null && header.from !== path ? header.from : null,
    change: isMode ? 'mode' : header.change,
    isBinary: header.isBinary,
    mode: modeChanged ? { from: header.oldMode ?? '', to: header.newMode ?? '' } : null,
    ...counted,
    blob: header.blob,
    hunks: keepHunks ? hunks : '',
  };
}

function parseHeader(text: string): Header {
  const lines = text.split('\n');
  const names = splitGitNames((lines[0] ?? '').slice(HEADER.length));
  const header: Header = { ...names, change: 'modified', isBinary: false, oldMode: null, newMode: null, blob: null };
  for (const line of lines.slice(1)) {
    if (line.startsWith('new file mode ')) header.change = 'added';
    else if (line.startsWith('deleted file mode ')) header.change = 'deleted';
    else if (line.startsWith('index ')) header.blob = /^index [0-9a-f]+\.\.([0-9a-f]+)/.exec(line)?.[1] ?? null;
    else if (line.startsWith('old mode ')) header.oldMode = line.slice(9).trim();
    else if (line.startsWith('new mode ')) header.newMode = line.slice(9).trim();
    else if (line.startsWith('rename from ') || line.startsWith('copy from ')) {
      header.change = line.startsWith('rename') ? 'renamed' : 'copied';
      header.from = unquote(line.slice(line.indexOf(' from ') + 6));
    } else if (line.startsWith('rename to ') || line.startsWith('copy to '))
      header.to = unquote(line.slice(line.indexOf(' to ') + 4));
    else if (line.startsWith('--- ')) header.from = named(line.slice(4), 'a/') ?? header.from;
    else if (line.startsWith('+++ ')) header.to = named(line.slice(4), 'b/') ?? header.to;
    else if (line.startsWith('Binary files ') || line === 'GIT binary patch') {
      header.isBinary = true;
      break;
    }
  }
  return header;
}

/** A name after `---` or `+++`; null for /dev/null. A tab ends a name with a blank in it. */
function named(text: string, prefix: string): string | null {
  const name = unquote(text.startsWith('"') ? text.trimEnd() : text.replace(/\t.*$/s, ''));
  if (name === '/dev/null') return null;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/**
 * `a/x b/x`: without quotes the two names are told apart by being the same (a rename says its names on lines of their own).
 */
function splitGitNames(text: string): { from: string | null; to: string | null } {
  if (text.startsWith('"')) {
    const end = closingQuote(text);
    const from = strip(unquote(text.slice(0, end + 1)), 'a/');
    return { from, to: strip(unquote(text.slice(end + 2)), 'b/') };
  }
  const middle = (text.length - 1) / 2;
  if (Number.isInteger(middle) && text[middle] === ' ' && text.slice(2, middle) === text.slice(middle + 3))
    return { from: text.slice(2, middle), to: text.slice(middle + 3) };
  const at = text.indexOf(' "b/') === -1 ? text.lastIndexOf(' b/') : text.indexOf(' "b/');
  if (at === -1) return { from: null, to: null };
  return { from: strip(text.slice(0, at), 'a/'), to: strip(unquote(text.slice(at + 1)), 'b/') };
}

const strip = (name: string, prefix: string): string => (name.startsWith(prefix) ? name.slice(prefix.length) : name);

function closingQuote(text: string): number {
  for (let at = 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length - 1;
}

const ESCAPES: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, '\\': 92 };

/** A name as git quotes it (core.quotePath): C escapes, octal for bytes, which need not be UTF-8. */
export function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  const body = text.slice(1, closingQuote(text));
  const bytes: number[] = [];
  for (let at = 0; at < body.length; at += 1) {
    const char = String.fromCodePoint(body.codePointAt(at) ?? 0);
    if (char !== '\\') {
      bytes.push(...encodePath(char));
      at += char.length - 1;
      continue;
    }
    const octal = /^[0-3][0-7]{2}/.exec(body.slice(at + 1, at + 4))?.[0];
    if (octal !== undefined) {
      bytes.push(Number.parseInt(octal, 8));
      at += 3;
    } else {
      bytes.push(ESCAPES[body[at + 1] ?? ''] ?? body.charCodeAt(at + 1) & 255);
      at += 1;
    }
  }
  return decodePath(Uint8Array.from(bytes));
}

function count(hunks: string): { insertions: number; deletions: number; lines: number } {
  let insertions = 0;
  let deletions = 0;
  let lines = 0;
  for (let at = 0; at < hunks.length; ) {
    const char = hunks.charCodeAt(at);
    if (char === 43) insertions += 1;
    else if (char === 45) deletions += 1;
    lines += 1;
    const next = hunks.indexOf('\n', at);
    if (next === -1) break;
    at = next + 1;
  }
  return { insertions, deletions, lines };
}

// Control characters, direction overrides, and blanks that look like nothing.
const INVISIBLE = /[\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** A path that can be shown: what cannot be seen or turns text around is written out, `\u202e`. */
export const visiblePath = (path: string): string =>
  showPath(path).replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

const TRICKS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text of a file to look at: characters that turn its direction around or are not seen at all are written out. */
export const withoutTricks = (text: string): string =>
  text.replace(TRICKS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Language of a file by its name, as the highlighter calls it; null draws it plain. */
export function languageOf(path: string): string | null {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  if (name === 'dockerfile' || name === 'makefile') return name;
  return LANGUAGES[name.slice(name.lastIndexOf('.') + 1)] ?? null;
}

const LANGUAGES: Record<string, string> = {
  ts: 'typescript',
  mts: 'typescript',
  cts: 'typescript',
  tsx: 'typescript',
  js: 'javascript',
  mjs: 'javascript',
  cjs: 'javascript',
  jsx: 'javascript',
  json: 'json',
  css: 'css',
  scss: 'scss',
  html: 'xml',
  xml: 'xml',
  svg: 'xml',
  md: 'markdown',
  py: 'python',
  rb: 'ruby',
  rs: 'rust',
  go: 'go',
  java: 'java',
  kt: 'kotlin',
  swift: 'swift',
  c: 'c',
  h: 'c',
  cc: 'cpp',
  cpp: 'cpp',
  hpp: 'cpp',
  cs: 'csharp',
  php: 'php',
  sh: 'bash',
  bash: 'bash',
  zsh: 'bash',
  sql: 'sql',
  yaml: 'yaml',
  yml: 'yaml',
  toml: 'ini',
  ini: 'ini',
  lua: 'lua',
  pl: 'perl',
  r: 'r',
  graphql: 'graphql',
};
