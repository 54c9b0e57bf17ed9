import { describe, expect, test } from 'vitest';
import { LineReader } from '../log/lines.ts';
import { Masker } from './mask.ts';

const SECRET = 'Zürich/pä"ss\\wörd+with=all & sorts_of-things?';
const KEY = `-----BEGIN OPENSSH PRIVATE KEY-----\n${Buffer.from(
  Array.from({ length: 300 }, (_, n) => (n * 167 + 13) % 256),
)
  .toString('base64')
  .replaceAll(/.{70}/g, '$&\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;

function masker(...secrets: string[]): Masker {
  const made = new Masker();
  for (const secret of secrets) made.add(secret);
  return made;
}

/** What becomes of a log that arrives in chunks of so many bytes. */
function printed(masks: Masker, log: string, chunk = 1 << 16): string {
  const reader = new LineReader(masks);
  const bytes = Buffer.from(log);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += chunk) lines.push(...reader.push(bytes.subarray(at, at + chunk)));
  return [...lines, ...reader.end()].join('\n');
}

const wrapped = (text: string, width: number, end = '\n'): string =>
  text.replaceAll(new RegExp(`.{${width}}`, 'g'), `$&${end}`);

/** Pieces of a text that must not be seen, wherever line ends are put. */
function seen(out: string, hidden: string): string[] {
  const flat = out.replaceAll(/[\s:*]/g, '');
  const found: string[] = [];
  // The characters at both ends carry bits of what stands beside them.
  for (let at = 3; at + 9 < hidden.length; at++)
    if (flat.includes(hidden.slice(at, at + 6))) found.push(hidden.slice(at, at + 6));
  return found;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const base64url = (text: string) => Buffer.from(text).toString('base64url');
const hex = (text: string) => Buffer.from(text).toString('hex');
const percent = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

const ENCODINGS: Record<string, (text: string) => string> = {
  'as it is': (text) => text,
  Base64: base64,
  'Base64 without padding': (text) => base64(text).replaceAll('=', ''),
  Base64url: base64url,
  hex,
  'hex in capitals': (text) => hex(text).toUpperCase(),
  'hex with colons': (text) => hex(text).replaceAll(/..(?=.)/g, '$&:'),
  'percent encoding': encodeURIComponent,
  'percent encoding in small letters': (text) =>
    encodeURIComponent(text).replaceAll(/%../g, (code) => code.toLowerCase()),
  'percent encoding of every byte': percent,
  'a form field': (text) => new URLSearchParams({ v: text }).toString().slice(2),
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  'JSON in ASCII': (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'JSON in ASCII with capitals': (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`),
  'JSON as PHP writes it': (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
  'bytes of a shell': (text) =>
    [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  'octal bytes': (text) => [...Buffer.from(text)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''),
  'Base64 in percent encoding': (text) => encodeURIComponent(base64(text)),
  'Base64 with line ends in JSON': (text) => wrapped(base64(text), 10, '\\n'),
};

describe('a secret is masked', () => {
  test.each(Object.keys(ENCODINGS))('as %s', (name) => {
    const form = ENCODINGS[name]?.(SECRET) ?? expect.unreachable();
    const other = 'a line before\n'.repeat(9);
    for (const chunk of [1, 7, 65_536])
      expect(printed(masker(SECRET), `${other}{"v": "${form}"} after\n${other}`, chunk)).toBe(
        `${other}{"v": "***"} after\n${other.trimEnd()}`,
      );
    expect(masker(SECRET).mask(`x ${form} y`)).toBe('x *** y');
  });

  test.each([1, 2, 3, 4, 5, 16, 20, 32, 57, 60, 64, 70, 75, 76, 77, 120])(
    'in encoded text of lines of %d characters',
    (width) => {
      for (const encode of [base64, base64url, hex, (text: string) => hex(text).toUpperCase()])
        for (const before of [
          '',
          'a',
          'ab',
          'user:',
          'a longer text that stands before it in the same file, for more than a line of it ',
        ])
          for (const end of ['\n', '\r\n', '\n    ']) {
            const out = printed(
              masker(SECRET),
              `begin\n${wrapped(encode(`${before}${SECRET} and after`), width, end)}\nend\n`,
              50,
            );
            expect(seen(out, encode(before + SECRET).slice(encode(before).length))).toEqual([]);
            expect(out).toMatch(/^begin\n[\s\S]*\nend$/);
          }
    },
  );

  test.each([1, 2, 3])(
    'in encoded text of lines of %d characters that arrive one by one, after a word on the first',
    (width) => {
      for (const encode of [base64, hex]) {
        const form = encode(SECRET);
        const reader = new LineReader(masker(SECRET));
        const lines = `key = ${wrapped(form, width)}"\nafter`.split(/(?<=\n)/);
        const out = [...lines.flatMap((line) => reader.push(Buffer.from(line))), ...reader.end()].join('\n');
        expect(seen(out, form)).toEqual([]);
        expect(out).toMatch(/^key = [\s\S]*\nafter$/);
      }
    },
  );

  test('that has escapes of its own, written with others', () => {
    const url = 'postgres://u:p%40ss@db/x?y=%C3%BC';
    for (const form of [url, url.replaceAll('/', '\\/'), encodeURIComponent(url), 'postgres://u:p@ss@db/x?y=ü'])
      expect(masker(url).mask(`{"v": "${form}"}`)).toBe('{"v": "***"}');
  });

  test('in a key of several lines: as it is, on one line of JSON, in Base64 of any width', () => {
    const masks = masker(KEY);
    const body = KEY.split('\n').slice(1, -2).join('');
    for (const text of [
      KEY,
      KEY.trim(),
      KEY.replaceAll('\n', '\r\n'),
      JSON.stringify({ key: KEY }),
      KEY.split('\n').join('\n  '),
    ])
      for (const chunk of [3, 1000]) expect(seen(printed(masks, text, chunk), body)).toEqual([]);
    for (const width of [19, 64, 76]) {
      const out = printed(masks, wrapped(base64(KEY), width), 100);
      expect(seen(out, base64(KEY))).toEqual([]);
    }
  });

  test('with lines too short to tell, when they stand together', () => {
    const masks = masker('ab\ncde\nfgh\nij');
    expect(printed(masks, 'x\nab\ncde\nfgh\nij\ny\n')).toBe('x\n***\n***\n***\n***\ny');
    expect(printed(masks, 'x\nab\ncde\nother\nij\ny\n')).toBe('x\nab\ncde\nother\nij\ny');
  });

  test('where a line is cut because it is too long, in any form', () => {
    const masks = masker(SECRET);
    for (const name of ['Base64', 'JSON in ASCII', 'percent encoding of every byte', 'as it is']) {
      const form = ENCODINGS[name]?.(SECRET) ?? '';
      for (let at = 65_536 - form.length - 12; at < 65_536 + 12; at += 17) {
        const out = printed(masks, `${'p'.repeat(at)}"${form}"${'q'.repeat(70_000)}`);
        expect(out.replaceAll('\n', '')).toBe(`${'p'.repeat(at)}"***"${'q'.repeat(70_000)}`);
      }
    }
  });
});

test('a line is held back only while the next one may go on with a secret', () => {
  const reader = new LineReader(masker(SECRET));
  const start = base64(SECRET).slice(0, 20);
  expect(reader.push(Buffer.from('an ordinary line\n'))).toEqual(['an ordinary line']);
  expect(reader.holds).toBe(false);
  expect(reader.push(Buffer.from(`x ${start}\n`))).toEqual([]);
  expect(reader.holds).toBe(true);
  expect(reader.push(Buffer.from('something else\n'))).toEqual([`x ${start}`, 'something else']);
  reader.push(Buffer.from(`${start}\n`));
  expect(reader.release()).toEqual([start]);
  // What comes late is masked still.
  expect(reader.push(Buffer.from(`${base64(SECRET).slice(20)}\n`))).toEqual(['***']);
});

test('what is no secret stays as it is', () => {
  const masks = masker(SECRET, KEY, 'abcd');
  const log = [
    '50% done, 100%2',
    'C:\\new\\temp',
    '\\',
    '%',
    '\\u12',
    '%c3',
    '{"a":"\\"b\\""}',
    base64('another text').repeat(40),
    '',
  ].join('\n');
  expect(printed(masks, log, 5)).toBe(log.trimEnd());
});

test('a log made to be slow takes time in proportion to its length', () => {
  // Secrets that overlap themselves, and text that begins like one again and again.
  const long = 'a'.repeat(100_000);
  const masks = masker(long, 'ab'.repeat(2000), KEY);
  for (const [text, times] of [
    ['a', 200_000],
    ['ab', 100_000],
    [`${'a'.repeat(2999)}b`, 60],
    [`${base64(long.slice(0, 9000))}\n`, 15],
    ['\\', 200_000],
    ['%61', 60_000],
    [`${base64(KEY).slice(0, 300)}\n\n`, 600],
    ['YWFh\n', 20_000],
  ] as const) {
    const before = process.cpuUsage();
    printed(masks, text.repeat(times));
    const { user } = process.cpuUsage(before);
    // Microseconds of the processor for a byte; looking at each place again would take 500 and more.
    expect(user / (text.length * times)).toBeLessThan(60);
  }
}, 60_000);
