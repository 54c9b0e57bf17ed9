import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePath, encodePath, showPath } from './path-bytes.ts';

test('any bytes come back as they were, also through JSON', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => new TextEncoder().encode(text)),
    fc
      .array(fc.constantFrom(0x61, 0x80, 0xc3, 0xa9, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0x80, 0xe9, 0xff), { maxLength: 12 })
      .map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      const path = JSON.parse(JSON.stringify(decodePath(given)));
      expect([...encodePath(path)]).toEqual([...given]);
    }),
    { numRuns: 2_000 },
  );
});

test('text stays text; other bytes are shown as git quotes them', () => {
  const latin = decodePath(Uint8Array.from([...'caf'].map((c) => c.charCodeAt(0)).concat(0xe9)));
  expect(showPath(latin)).toBe('caf\\351');
  expect(decodePath(new TextEncoder().encode('café 😀'))).toBe('café 😀');
  expect(showPath('café 😀')).toBe('café 😀');
});
