import { describe, expect, test } from 'vitest';
import { Masker } from '../mask/mask.ts';
import { LineReader, MAX_LINE } from './lines.ts';

const reader = (secrets: string[] = [], now = () => 0) => {
  const masker = new Masker();
  for (const secret of secrets) masker.add(secret);
  return new LineReader(masker, now);
};
const all = (r: LineReader, chunks: (string | Buffer)[]) => [
  ...chunks.flatMap((chunk) => r.push(Buffer.from(chunk))),
  ...r.end(),
];

describe('LineReader', () => {
  test('lines across chunks, Windows ends, a last line without an end, empty lines', () => {
    expect(all(reader(), ['a', 'b\nc\r', '\n\nd'])).toEqual(['ab', 'c', '', 'd']);
  });

  test('a character cut between chunks stays whole, what is not UTF-8 becomes U+FFFD, NUL goes', () => {
    const euro = Buffer.from('€');
    expect(all(reader(), [euro.subarray(0, 1), euro.subarray(1), '\n'])).toEqual(['€']);
    expect(all(reader(), [Buffer.from([0x61, 0xff, 0xfe, 0x00, 0x62, 0x0a])])).toEqual(['a\ufffd\ufffdb']);
  });

  test('of a progress bar the last state stays, and one a second on the way', () => {
    let now = 5000;
    const r = reader([], () => now);
    const out = [...r.push(Buffer.from('10%\r20%\r'))];
    now += 100;
    out.push(...r.push(Buffer.from('30%\r40%\r')));
    now += 1000;
    out.push(...r.push(Buffer.from('50%\r60%\r')));
    out.push(...r.push(Buffer.from('100%\r\nnext\n')));
    expect(out.at(-2)).toBe('100%');
    expect(out.at(-1)).toBe('next');
    expect(out.length).toBeLessThanOrEqual(5);
  });

  test('a secret broken into lines is masked however these come, with states of a progress bar between', () => {
    const secret = 'the-secret-of-the-job-0123456789';
    const form = Buffer.from(secret).toString('base64');
    for (let at = 1; at < 12; at++) {
      const log = Buffer.from(
        `before\n10%\r${form.slice(0, at)}\n20%\r\r30%\r${form.slice(at, at + 2)}\r\n40%\r${form.slice(at + 2)}\nafter\n`,
      );
      const cut = (size: number) =>
        Array.from({ length: Math.ceil(log.length / size) }, (_, n) => log.subarray(n * size, (n + 1) * size));
      const wanted = ['before', '***', '***', '***', 'after'];
      for (const size of [log.length, 1, 2, 3, 5, 7, 11, 16, 23, 29])
        expect(all(reader([secret]), cut(size)), `${at}, ${size}`).toEqual(wanted);
    }
  });

  test('after states of a progress bar, lines are screened again', () => {
    const screened: string[] = [];
    class Telling extends Masker {
      override stream() {
        const stream = super.stream();
        const pass = stream.pass.bind(stream);
        stream.pass = (line, lines) => {
          screened.push(line);
          pass(line, lines);
        };
        return stream;
      }
    }
    for (const [name, from] of [
      ['of ', 7],
      ['a longer line: ', 1],
    ] as const) {
      const masker = new Telling();
      masker.add('the-secret-of-the-job-0123456789');
      const lines = Array.from({ length: 20 }, (_, n) => `${name}${n}`);
      screened.length = 0;
      all(new LineReader(masker, () => 0), [`10%\r20%\rdone with 100\n${lines.join('\r\n')}\n`]);
      expect(screened).toEqual(lines);
      screened.length = 0;
      all(new LineReader(masker, () => 0), [`10%\r20%\r30%\n${lines.join('\r\n')}\n`]);
      expect(screened).toEqual(lines.slice(from));
      screened.length = 0;
      all(new LineReader(masker, () => 0), [lines.map((line) => `10%\rstep ${line} is done\n`).join('')]);
      expect(screened.length).toBe(19);
    }
  });

  test('a line that a terminal ends with two \\r keeps its text however it is cut', () => {
    const log = 'one\r\r\ntwo\r\r\n';
    for (let at = 0; at <= log.length; at++)
      expect(all(reader(), [log.slice(0, at), log.slice(at)])).toEqual(['one', 'two']);
    expect(all(reader(), ['x', ...Array.from({ length: 9 }, () => '\r'.repeat(MAX_LINE)), '\n'])).toEqual(['x']);
  });

  test('a line without end is cut at 64 KiB, nothing lost, surrogate pairs whole', () => {
    const text = `a${'😀'.repeat(100_000)}`;
    const out = all(reader(), [text, '\n']);
    expect(out.join('')).toBe(text);
    expect(out.length).toBe(4);
    expect(Math.max(...out.map((line) => line.length))).toBeLessThanOrEqual(MAX_LINE);
    for (const line of out) expect(line.isWellFormed()).toBe(true);
  });

  test('a secret does not slip through at a chunk border nor at the cut of a long line', () => {
    const secret = 'S3cretValue-0123456789';
    for (let at = 0; at < secret.length; at++)
      expect(all(reader([secret]), [`x${secret.slice(0, at)}`, `${secret.slice(at)}y\n`])).toEqual(['x***y']);
    for (const pad of [MAX_LINE - 30, MAX_LINE - 10, MAX_LINE - 1, MAX_LINE, MAX_LINE + 5]) {
      const r = reader([secret]);
      const text = `${'p'.repeat(pad)}${secret}${'q'.repeat(MAX_LINE)}`;
      const out: string[] = [];
      for (let from = 0; from < text.length; from += 7) out.push(...r.push(Buffer.from(text.slice(from, from + 7))));
      out.push(...r.end());
      expect(out.join('')).toBe(text.replace(secret, '***'));
    }
  });
});

describe('Masker', () => {
  const mask = (secrets: string[], text: string) => {
    const masker = new Masker();
    for (const secret of secrets) masker.add(secret);
    return masker.mask(text);
  };

  test('plain, URL-encoded, JSON-escaped, base64 at any offset', () => {
    const secret = 'pa$$ w/rd"+x?1';
    for (const form of [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret),
      Buffer.from(secret).toString('base64'),
      Buffer.from(secret).toString('base64url'),
      Buffer.from(`user:${secret}`).toString('base64'),
      Buffer.from(`us:${secret} and more`).toString('base64'),
      Buffer.from(`use:${secret}`).toString('base64'),
    ]) {
      const masked = mask([secret], `before ${form} after`);
      expect(masked).toContain('***');
      expect(masked).not.toContain(form);
      expect(masked.startsWith('before ') && masked.endsWith(' after')).toBe(true);
    }
  });

  test('short values stay, the longest of several wins, each line of a key is hidden', () => {
    expect(mask(['abc'], 'abc')).toBe('abc');
    expect(mask(['abcd', 'abcdefgh'], 'abcdefgh abcd')).toBe('*** ***');
    expect(mask(['-----BEGIN KEY-----\nAAAABBBBCCCC\n-----END KEY-----\n'], 'x AAAABBBBCCCC y')).toBe('x *** y');
  });
});
