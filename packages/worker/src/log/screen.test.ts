import { describe, expect, test } from 'vitest';
import { ByteResolver } from '../mask/byte-resolver.ts';
import { resolveEscapes } from '../mask/escapes.ts';
import { Masker } from '../mask/mask.ts';
import { LineReader } from './lines.ts';
import { Anchors, Screen } from './screen.ts';

/** The same numbers at every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
}
type Numbers = ReturnType<typeof numbers>;
const oneOf = <T>(next: Numbers, all: readonly T[]): T => all[next(all.length)] as T;

function chunked(next: Numbers, bytes: Buffer): Buffer[] {
  const most = oneOf(next, [1, 3, 20, 300, 100_000]);
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + next(most);
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}

const BITS = [
  ...['a', 'B', '4', '7', 'u', 'x', 'n', '{', '}', '%', '\\', '\\\\', ' ', ':', '\n', '\r\n', '\0', 'ü', '😀', '/'],
  ...['%41', '%c3%bc', '%C3', '%e2%82%ac', '%4', '\\x41', '\\xC3\\xbc', '\\X', '\\u00fc', '\\U20AC', '\\ud83d\\ude00'],
  ...['\\u{1f600}', '\\u{110000}', '\\u{}', '\\u12', '\\101', '\\303\\274', '\\8', '\\7', '\\n', '\\t', '\\"', '\\ü'],
];

test('bytes without their escapes are those of the lines without theirs, however they are cut', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const next = numbers(seed);
    const text = `${Array.from({ length: 60 }, () => oneOf(next, BITS)).join('')}\n`;
    const lines = text.replaceAll('\0', '').split(/\r?\n/);
    const wanted = lines.map((line) => resolveEscapes(line)?.text ?? line).join('\n');
    const resolver = new ByteResolver();
    const found = chunked(next, Buffer.from(text)).map((chunk) => Buffer.from(resolver.push(chunk)));
    const textOf = (bytes: Buffer) => bytes.toString().replaceAll(/[\ufffd\r]/g, '');
    expect(textOf(Buffer.concat(found)), JSON.stringify(text)).toBe(textOf(Buffer.from(wanted)));
    expect(resolver.waits).toBe(false);
  }
});

/** Reads each line, whatever a screen would say of it. */
class Thorough extends Masker {
  override screen(): Screen {
    return new Screen(new Anchors(['a']));
  }
}

const SECRETS = [
  ['sk-live-0123456789abcdef', 'nürnberg/pa"ss\\word 100%'],
  ['abcd', 'new\ntab\nsecond line of it\n', 'x\n\n\n\n\n\n\n\n\n\ny-and-the-rest'],
  ['%41\\u0041-literal', 'Привет, мир', '😀😀😀😀', 'n0t-a-long'],
  ['a b c', 'with\ufffdbroken bytes'],
  ['postgres://u:p%40ss@db:5432/x', 'tttttttttttttttt'],
];
const hex4 = (code: number) => code.toString(16).padStart(4, '0');
const bytewise = (text: string, form: (hex: string) => string) =>
  [...Buffer.from(text)].map((byte) => form(byte.toString(16).padStart(2, '0'))).join('');
const FORMS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => JSON.stringify(text).slice(1, -1),
  (text) => JSON.stringify(JSON.stringify(text)).slice(1, -1),
  (text) => encodeURIComponent(text.toWellFormed()),
  (text) => bytewise(text, (hex) => `%${hex}`),
  (text) => bytewise(text, (hex) => `\\x${hex}`),
  (text) => text.replaceAll(/[\s\S]/g, (char) => `\\u${hex4(char.charCodeAt(0))}`),
  (text) => Buffer.from(text).toString('base64'),
  (text) => Buffer.from(`user:${text} more`).toString('base64url'),
  (text) => Buffer.from(text).toString('hex'),
];
const BETWEEN = [
  '\n',
  ' ',
  '"',
  '\\n',
  '\\',
  '%',
  '%0a',
  '%20',
  '\\t',
  '\n\n',
  '',
  ' ordinary words ',
  '{"a":"\\"',
  '\\u00',
  '%4',
  '\n10%\r',
  '\r',
  '\r\r\n',
];

function someLog(next: Numbers, secrets: readonly string[]): string {
  let log = '';
  for (let n = 0; n < 24; n++) {
    let form = oneOf(next, FORMS)(oneOf(next, secrets));
    // Broken anywhere, whole or begun only.
    const width = 1 + next(30);
    if (next(3) === 0)
      form = form.replaceAll(
        new RegExp(`.{${width}}`, 'gu'),
        `$&${oneOf(next, ['\n', '\r\n', ' ', ':', '\n99% of it\r'])}`,
      );
    if (next(4) === 0) form = form.slice(next(form.length), next(2) === 0 ? next(form.length) : undefined);
    log += oneOf(next, BETWEEN) + (next(3) === 0 ? '' : form) + oneOf(next, BETWEEN);
    if (next(3) === 0) log += `plain text ${'of a log that goes on\n'.repeat(next(12))}`;
  }
  return log;
}

describe('lines that pass the screen', () => {
  test.each(SECRETS.map((secrets) => ({ secrets })))(
    'hold nothing that reading them would find: $secrets',
    ({ secrets }) => {
      const [quick, thorough] = [new Masker(), new Thorough()];
      for (const secret of secrets) for (const masks of [quick, thorough]) masks.add(secret);
      for (let seed = 1; seed <= 150; seed++) {
        const next = numbers(seed);
        const log = Buffer.from(someLog(next, secrets));
        const of = (masks: Masker, chunks: readonly Buffer[]) => {
          const reader = new LineReader(masks, () => 0);
          return [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()];
        };
        const chunks = chunked(next, log);
        const wanted = of(thorough, [log]);
        expect(of(thorough, chunks), `${seed}`).toEqual(wanted);
        expect(of(quick, chunks), `${seed}`).toEqual(wanted);
        expect(quick.mask(log.toString()), `${seed}`).toBe(thorough.mask(log.toString()));
      }
    },
  );

  test('a secret that waited too long for its next line is masked however many lines come then', () => {
    const secret = Array.from({ length: 40 }, (_, n) => `part-${n}-of-the-secret`).join('');
    const masks = new Masker();
    masks.add(secret);
    const lines =
      Buffer.from(secret)
        .toString('base64')
        .match(/.{1,60}/g) ?? [];
    const reader = new LineReader(masks);
    expect(reader.push(Buffer.from(`${lines[0]}\n`))).toEqual([]);
    reader.release();
    const out = [...reader.push(Buffer.from(`${lines.slice(1).join('\n')}\nafter\n`)), ...reader.end()];
    expect(out).toEqual([...lines.slice(1).map(() => '***'), 'after']);
  });
});

describe('screening takes time in proportion', () => {
  /** How many bytes a screen reads of a chunk, one by one. */
  function reads(anchors: Anchors, chunk: Buffer): number {
    let count = 0;
    const counting = new Proxy(chunk, {
      get(bytes, key) {
        if (typeof key === 'string' && /^\d+$/.test(key)) count++;
        const value: unknown = Reflect.get(bytes, key, bytes);
        return typeof value === 'function' ? value.bind(bytes) : value;
      },
    });
    new Screen(anchors).passes(counting);
    return count;
  }

  test.each([
    ['one beginning and white space', 'abcd'],
    ['more and more of one', 'a b c d e f g'],
    ['one that is cut by colons', 'xxxabc:::::::::::::::::::::d'],
    ['none', 'xyz'],
  ])('to the chunk: %s', (_, begin) => {
    const anchors = new Anchors(['abcdefgh-secret-token']);
    const short = new Anchors(['abcd', 'abcdefgh-secret-token']);
    for (const space of [' ', '\n', ': ']) {
      const chunk = Buffer.from(`${begin}${space.repeat(1000)}`.repeat(4));
      for (const some of [anchors, short]) expect(reads(some, chunk)).toBeLessThan(20 * chunk.length);
    }
  });

  // With a list for each four bytes, this would take minutes.
  test('to the texts, of which any number may begin in the same way', () => {
    const same = Array.from({ length: 150_000 }, (_, n) => `user-000-${n.toString(36)}`);
    const other = Array.from({ length: 150_000 }, (_, n) => `user${n.toString(36).padStart(4, '-')}-and-more`);
    for (const texts of [same, other]) {
      const anchors = new Anchors(texts);
      const screen = new Screen(anchors);
      expect(screen.passes(Buffer.from('user+00X\n'.repeat(100_000)))).toBe(true);
      expect(screen.passes(Buffer.from(`x ${texts[77]}\n`))).toBe(false);
    }
  });
});
